//go:build system

package system_test

import (
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/gateway/gatewaytest"
)

// A client that knows nothing of this project takes the emulator for the real
// thing, in either dialect.
func TestTheStockClientIsAtHome(t *testing.T) {
	for name, openAI := range map[string]bool{"phaseo": false, "openai": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := gatewaytest.New(gatewaytest.Options{OpenAI: openAI, BatchDuration: time.Second})
			require.NoError(t, err)
			t.Cleanup(s.Close)
			node(t, "openai.mjs", s.URL(), gatewaytest.DefaultAPIKey)
		})
	}
}

// node runs one of the scripts of this folder; what it printed is the failure.
func node(t *testing.T, script string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "node", append([]string{script}, args...)...).CombinedOutput()
	require.NoError(t, err, "%s:\n%s", script, out)
	return string(out)
}
