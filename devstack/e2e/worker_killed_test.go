package e2e_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper/batch"
	"batchkeeper/internal/gateway/gatewaytest"
)

// hold makes the first call of an operation hang: the worker is killed in it.
func hold(op gatewaytest.Op, kind gatewaytest.FaultKind) func(*setup) {
	return faults(gatewaytest.Rule{Op: op, To: 1, Fault: gatewaytest.Fault{Kind: kind}})
}

// revive kills the worker, and starts it anew.
func (w *world) revive() {
	w.t.Helper()
	w.killWorker()
	w.startWorker()
}

// The worker reads its input from a pipe that nobody writes to, is killed, and
// finds a file in its place.
func TestWorkerKilledWhileInspecting(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := filepath.Join(w.store(), inputKey)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	r := w.startRows(nil)
	w.eventually("the input is being read", func() bool { return r.pending("Inspect") })
	w.killWorker()
	require.NoError(t, os.Remove(path))
	r.ids = w.writeInput(prompts(10)...)
	w.startWorker()
	r.ends(batch.StatusCompleted, -1)
	require.Equal(t, batch.OutcomeCompleted, r.wait().Outcome)
}

func TestWorkerKilledWhileUploading(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hold(gatewaytest.OpUpload, gatewaytest.FaultHang))
	r := w.start()
	w.awaitEntry("the file is being uploaded", request(gatewaytest.OpUpload))
	w.revive()
	r.created()
	require.Equal(t, 1, w.entries(effect(gatewaytest.EffectFileStored)))
	r.ends(batch.StatusCompleted, -1)
	require.Equal(t, batch.OutcomeCompleted, r.wait().Outcome)
}

// The batch exists, its answer never arrives: the next worker must find it.
func TestWorkerKilledWhileCreating(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hold(gatewaytest.OpCreate, gatewaytest.FaultEffectHang))
	r := w.start()
	w.awaitEntry("the batch exists", effect(gatewaytest.EffectBatchCreated))
	w.revive()
	r.ends(batch.StatusCompleted, -1)
	result := r.wait()
	require.Equal(t, batch.OutcomeCompleted, result.Outcome)
	require.Equal(t, 1, result.Submission.Posts)
	require.Equal(t, 1, w.entries(request(gatewaytest.OpCreate)), "no second post")
}

func TestWorkerKilledWhileTracking(t *testing.T) {
	t.Parallel()
	w := newWorld(t, deaf)
	r := w.start()
	before := r.created()
	w.killWorker()
	require.NoError(t, w.gateway.Finish(before.BatchID, string(batch.StatusCompleted), -1))
	w.startWorker()
	require.Equal(t, batch.OutcomeCompleted, r.wait().Outcome)
}

func TestWorkerKilledWhileCollecting(t *testing.T) {
	t.Parallel()
	w := newWorld(t, faults(gatewaytest.Rule{
		Op: gatewaytest.OpContent, To: 1, Fault: gatewaytest.Fault{Kind: gatewaytest.FaultDrip, Delay: gatewaytest.Duration(time.Second)},
	}))
	r := w.start()
	r.ends(batch.StatusCompleted, -1)
	w.awaitEntry("the output is being fetched", request(gatewaytest.OpContent))
	w.revive()
	require.Equal(t, batch.OutcomeCompleted, r.wait().Outcome)
	require.Greater(t, w.entries(request(gatewaytest.OpContent)), 1)
}

func TestWorkerKilledAtEachSecond(t *testing.T) {
	t.Parallel()
	w := newWorld(t, endsAfter(8*time.Second))
	r := w.start()
	for range 4 {
		polls := r.await("a worker answers", func(s batch.State) bool { return s.Stage != "" }).Polls
		w.revive()
		r.await("the run goes on", func(s batch.State) bool { return s.Polls > polls || s.Outcome != "" })
	}
	require.Equal(t, batch.OutcomeCompleted, r.wait().Outcome)
}
