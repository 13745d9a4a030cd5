package stack_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"batchkeeper"
	"batchkeeper/batch"
	"batchkeeper/devstack/stack"
	"batchkeeper/internal/blobstore"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// lookup is the environment with variables put over it.
func lookup(over map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		if value, ok := over[name]; ok {
			return value, true
		}
		return os.LookupEnv(name)
	}
}

func needServer(t *testing.T) {
	t.Helper()
	require.NotEmpty(t, os.Getenv("TEMPORAL_DEV_BIN"), "these tests need the embedded Temporal server: run make test")
}

func statusOf(t *testing.T, url string) int {
	t.Helper()
	defer http.DefaultClient.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer func() { require.NoError(t, response.Body.Close()) }()
	return response.StatusCode
}

func port(t *testing.T, address string) int {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	n, err := strconv.Atoi(u.Port())
	require.NoError(t, err)
	return n
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// example is a small input in a directory of its own.
func example(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "requests.jsonl")
	line := `{"custom_id":"a","method":"POST","url":"/v1/responses","body":{"model":"gpt-5-mini-2025-08-07","input":"hello","max_output_tokens":16}}` + "\n"
	require.NoError(t, os.WriteFile(path, []byte(line), 0o600))
	return path
}

func TestAStackRunsABatch(t *testing.T) {
	needServer(t)
	data := t.TempDir()
	s, err := stack.Start(t.Context(), stack.Options{DataDir: data, BatchDuration: time.Second, Logger: quiet(), ServerLog: io.Discard})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Stop()) }()
	require.NotEmpty(t, s.UI)
	require.Equal(t, http.StatusOK, statusOf(t, s.UI))

	run, err := batchkeeper.Start(t.Context(), s.Client, batch.Job{
		Input: blobstore.FileURL(example(t)), WebhookEndpointID: s.WebhookEndpointID(),
	}, batchkeeper.WithTaskQueue(s.Config.TaskQueue))
	require.NoError(t, err)
	result, err := run.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, batch.OutcomeCompleted, result.Outcome)
	require.Equal(t, 1, result.Webhook.Deliveries)
	require.FileExists(t, filepath.Join(data, "store", result.Results.Prefix, batch.FileManifest))
	require.FileExists(t, filepath.Join(data, "temporal.db"))
	require.FileExists(t, filepath.Join(data, "gateway-journal.jsonl"))
}

func TestWhatTheEnvironmentHasIsUsed(t *testing.T) {
	needServer(t)
	first, err := stack.Start(t.Context(), stack.Options{DataDir: t.TempDir(), Logger: quiet(), ServerLog: io.Discard})
	require.NoError(t, err)
	defer func() { require.NoError(t, first.Stop()) }()

	t.Setenv("TEMPORAL_ADDRESS", first.Address)
	second, err := stack.Start(t.Context(), stack.Options{
		DataDir: t.TempDir(), Logger: quiet(),
		Lookup: lookup(map[string]string{"PHASEO_API_KEY": "phaseo_v1_sk_test0000_key", "PHASEO_BASE_URL": first.Emulator.URL()}),
	})
	require.NoError(t, err)
	defer func() { require.NoError(t, second.Stop()) }()
	require.Equal(t, first.Address, second.Address)
	require.Empty(t, second.UI, "the server is not ours")
	require.False(t, second.Emulated())
	require.Empty(t, second.WebhookEndpointID())
	require.Equal(t, first.Emulator.URL(), second.Config.Gateway.BaseURL)
}

func TestAStartThatFailsLeavesNothingRunning(t *testing.T) {
	needServer(t)
	first, err := stack.Start(t.Context(), stack.Options{DataDir: t.TempDir(), Logger: quiet(), ServerLog: io.Discard})
	require.NoError(t, err)
	defer func() { require.NoError(t, first.Stop()) }()
	for name, tc := range map[string]struct {
		options stack.Options
		want    string
	}{
		"no server":     {stack.Options{Lookup: lookup(map[string]string{"TEMPORAL_DEV_BIN": "/nowhere"})}, "TEMPORAL_DEV_BIN"},
		"configuration": {stack.Options{Lookup: lookup(map[string]string{"BATCHKEEPER_STORE": "nowhere"})}, "BATCHKEEPER_STORE"},
		"port in use":   {stack.Options{BridgePort: port(t, first.WebhookURL)}, "address already in use"},
	} {
		t.Run(name, func(t *testing.T) {
			tc.options.Logger, tc.options.ServerLog = quiet(), io.Discard
			_, err := stack.Start(t.Context(), tc.options)
			require.ErrorContains(t, err, tc.want)
		})
	}
}
