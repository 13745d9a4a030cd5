package e2e_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/temporalproto"
)

// recordTo names the directory into which the runs' histories are written, for
// the replay tests: later code must still be able to replay them.
const recordTo = "BATCHKEEPER_RECORD"

// recordHistory writes the history of a run that has ended, and of each that it
// continued as, under the run's id.
func (r *run) recordHistory() {
	dir := os.Getenv(recordTo)
	if dir == "" {
		return
	}
	t := r.w.t
	t.Helper()
	require.NoError(t, os.MkdirAll(dir, 0o755))
	host, err := os.Hostname()
	require.NoError(t, err)
	for i, h := range r.histories() {
		raw, err := temporalproto.CustomJSONMarshalOptions{Indent: " "}.Marshal(h)
		require.NoError(t, err)
		raw = bytes.ReplaceAll(raw, []byte("@"+host), []byte("@host")) // a history is about the run, not about this machine
		name := r.ID()
		if i > 0 {
			name += fmt.Sprintf(".%d", i+1)
		}
		require.NoError(t, os.WriteFile(filepath.Join(dir, name+".json"), append(raw, '\n'), 0o644))
	}
}
