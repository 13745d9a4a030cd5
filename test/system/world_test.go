//go:build system

package system_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper"
	"batchkeeper/batch"
	"batchkeeper/devstack/stack"
	"batchkeeper/internal/gateway/gatewaytest"
)

// patience is far above what a step takes.
const patience = 30 * time.Second

// inputKey is where the store has the example.
const inputKey = "inputs/invoices.jsonl"

// slowingDown reads at once and then, as the batch grows older, less and less.
var slowingDown = batch.PollPolicy{Min: batch.Duration(time.Second), Max: batch.Duration(time.Hour), Growth: 1}

// world is everything, on this machine.
type world struct {
	t     *testing.T
	stack *stack.Stack
	store string // its directory
}

func newWorld(t *testing.T, changes ...func(*stack.Options)) *world {
	t.Helper()
	data := t.TempDir()
	rows, err := os.ReadFile("../../examples/requests.jsonl")
	require.NoError(t, err)
	input := filepath.Join(data, "store", inputKey)
	require.NoError(t, os.MkdirAll(filepath.Dir(input), 0o700))
	require.NoError(t, os.WriteFile(input, rows, 0o600))
	o := stack.Options{
		Lookup:  onlyServer,
		DataDir: data, BatchDuration: 5 * time.Second, Logger: slog.New(slog.DiscardHandler), ServerLog: io.Discard,
	}
	for _, change := range changes {
		change(&o)
	}
	s, err := stack.Start(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Stop()) })
	require.NotEmpty(t, s.UI, "TEMPORAL_ADDRESS must not be set: this test needs a server of its own")
	return &world{t: t, stack: s, store: filepath.Join(data, "store")}
}

// start starts a run of the example, read every second unless the job says otherwise.
func (w *world) start(id string, job batch.Job) *batchkeeper.Run {
	w.t.Helper()
	job.Input, job.WebhookEndpointID = inputKey, w.stack.WebhookEndpointID()
	if job.Poll == (batch.PollPolicy{}) {
		job.Poll = batch.PollPolicy{Min: batch.Duration(time.Second), Max: batch.Duration(time.Second)}
	}
	run, err := batchkeeper.Start(w.t.Context(), w.stack.Client, job,
		batchkeeper.WithTaskQueue(w.stack.Config.TaskQueue), batchkeeper.WithID(id))
	require.NoError(w.t, err)
	return run
}

// await waits until a run's state is as wanted.
func (w *world) await(run *batchkeeper.Run, wanted func(batch.State) bool) (state batch.State) {
	w.t.Helper()
	require.Eventually(w.t, func() bool {
		var err error
		state, err = run.State(w.t.Context())
		return err == nil && wanted(state)
	}, patience, 100*time.Millisecond)
	return state
}

func (w *world) deliver(batchID, phase string) {
	w.t.Helper()
	status, err := w.stack.Emulator.Deliver(w.t.Context(), gatewaytest.Delivery{BatchID: batchID, Phase: phase})
	require.NoError(w.t, err)
	require.Equal(w.t, http.StatusOK, status)
}

// page is the address of one of a run's pages in the Web UI.
func (w *world) page(run *batchkeeper.Run, name string) string {
	return w.stack.UI + "/namespaces/" + url.PathEscape(w.stack.Namespace) +
		"/workflows/" + url.PathEscape(run.ID()) + "/" + run.RunID() + "/" + name
}

// onlyServer finds where the server is built, and nothing else of this
// machine's environment: a key there would lead to the real gateway.
func onlyServer(name string) (string, bool) {
	if name != "TEMPORAL_DEV_BIN" {
		return "", false
	}
	return os.LookupEnv(name)
}
