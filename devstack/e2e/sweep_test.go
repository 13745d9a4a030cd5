package e2e_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper"
	"batchkeeper/batch"
	"batchkeeper/internal/gateway"
	"batchkeeper/internal/gateway/gatewaytest"
	"batchkeeper/internal/secret"
)

// sweep looks over the world's account once.
func (w *world) sweep(job batch.SweepJob) batch.SweepReport {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	r, err := batchkeeper.Sweep(ctx, w.client, job, batchkeeper.WithTaskQueue(w.queue))
	require.NoError(w.t, err)
	require.True(w.t, r.Complete, r.Incomplete)
	return r
}

// finds sweeps and holds the report to one finding.
func (w *world) finds(job batch.SweepJob, class batch.SweepClass, action batch.SweepAction) batch.Finding {
	w.t.Helper()
	r := w.sweep(job)
	require.Len(w.t, r.Findings, 1, "%+v", r)
	f := r.Findings[0]
	require.Equal(w.t, class, f.Class, "%+v", f)
	require.Equal(w.t, action, f.Action, "%+v", f)
	return f
}

// findsNothing sweeps and finds that each batch is followed or accounted for.
func (w *world) findsNothing(job batch.SweepJob, followed, accounted int) {
	w.t.Helper()
	r := w.sweep(job)
	require.Empty(w.t, r.Findings)
	require.Equal(w.t, []int{followed, accounted}, []int{r.Followed, r.Accounted})
}

// adopted is the run that a sweep started for a batch of another.
func (r *run) adopted(batchID string) *run {
	r.w.t.Helper()
	at, err := batchkeeper.Attach(r.w.t.Context(), r.w.client, batch.AdoptID(batchID), "")
	require.NoError(r.w.t, err)
	return &run{Run: at, w: r.w, ids: r.ids}
}

func (r *run) terminate() {
	r.w.t.Helper()
	require.NoError(r.w.t, r.w.client.TerminateWorkflow(r.w.t.Context(), r.ID(), "", "test"))
}

// posts makes a batch at the gateway beside all runs.
func (w *world) posts(fileID, session string) string {
	w.t.Helper()
	api, err := gateway.New(gateway.Config{BaseURL: w.gateway.URL(), Key: func() (secret.Value, error) { return secret.New(canaryKey), nil }})
	require.NoError(w.t, err)
	b, err := api.Create(w.t.Context(), gateway.CreateRequest{
		InputFileID: fileID, Endpoint: "/v1/responses", CompletionWindow: "24h", SessionID: session,
	})
	require.NoError(w.t, err)
	return b.ID
}

func (w *world) cancels() int {
	return w.entries(request(gatewaytest.OpCancel))
}

func TestSweepFollowsTheBatchOfATerminatedRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.start()
	id := r.created().BatchID
	w.findsNothing(batch.SweepJob{}, 1, 0)
	r.terminate()

	f := w.finds(batch.SweepJob{}, batch.SweepOrphan, batch.SweepAdopted)
	require.Equal(t, id, f.BatchID)
	require.Equal(t, r.ID(), f.WorkflowID)
	require.Equal(t, batch.AdoptID(id), f.FollowedBy)
	w.findsNothing(batch.SweepJob{}, 1, 0)

	require.NoError(t, w.gateway.Finish(id, "completed", -1))
	result := r.adopted(id).wait()
	require.Equal(t, batch.OutcomeCompleted, result.Outcome)
	require.EqualValues(t, 10, result.Results.Succeeded)
	w.findsNothing(batch.SweepJob{Cancel: true}, 0, 1)
	require.Equal(t, 1, w.entries(request(gatewaytest.OpCreate)), "a sweep posts nothing")
	require.Zero(t, w.cancels())
}

// The answers are paid for, and nobody has fetched them.
func TestSweepCollectsWhatEndedUnseen(t *testing.T) {
	t.Parallel()
	w := newWorld(t, deaf)
	r := w.start(pollsRarely)
	id := r.created().BatchID
	r.terminate()
	require.NoError(t, w.gateway.Finish(id, "completed", -1))

	f := w.finds(batch.SweepJob{Cancel: true}, batch.SweepOrphan, batch.SweepAdopted)
	require.Equal(t, batch.StatusCompleted, f.Status)
	require.Equal(t, batch.CostBilled, f.Source)
	require.Positive(t, f.Nanos)
	require.Equal(t, batch.OutcomeCompleted, r.adopted(id).wait().Outcome)
	w.findsNothing(batch.SweepJob{}, 0, 1)
}

func TestSweepCancelsAnOrphan(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.start()
	id := r.created().BatchID
	r.terminate()
	w.finds(batch.SweepJob{Cancel: true}, batch.SweepOrphan, batch.SweepCancelRequested)
	result := r.adopted(id).wait()
	require.Equal(t, batch.OutcomeCancelled, result.Outcome, "the run has seen it end")
	require.Equal(t, batch.SweepCaller, result.Cancellation.RequestedBy)
	w.findsNothing(batch.SweepJob{Cancel: true}, 0, 1)
}

func TestSweepReportsADuplicateAndCancelsItWhenAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.start()
	first := r.created()
	second := w.posts(first.InputFileID, first.SessionID)

	f := w.finds(batch.SweepJob{}, batch.SweepDuplicate, batch.SweepReported)
	require.Equal(t, second, f.BatchID)
	require.Contains(t, f.Problem, first.BatchID)
	require.Zero(t, w.cancels())

	w.finds(batch.SweepJob{Cancel: true}, batch.SweepDuplicate, batch.SweepCancelRequested)
	end, err := r.adopted(second).Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, batch.OutcomeCancelled, end.Outcome)
	w.findsNothing(batch.SweepJob{Cancel: true}, 1, 1)

	require.NoError(t, w.gateway.Finish(first.BatchID, "completed", -1))
	end, err = r.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, batch.OutcomeCompleted, end.Outcome, "the run's own batch was left alone")
}

func TestSweepTellsTheRunOfABatchOverItsAge(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.start()
	r.created()
	aged := batch.SweepJob{MaxAge: batch.Duration(time.Millisecond)}
	w.eventually("the batch is old enough", func() bool { return len(w.sweep(aged).Findings) > 0 })
	f := w.finds(aged, batch.SweepOverAge, batch.SweepReported)
	require.Equal(t, r.ID(), f.FollowedBy)
	require.Zero(t, w.cancels())

	aged.Cancel = true
	w.finds(aged, batch.SweepOverAge, batch.SweepCancelRequested)
	result := r.wait()
	require.Equal(t, batch.OutcomeCancelled, result.Outcome)
	require.Equal(t, batch.SweepCaller, result.Cancellation.RequestedBy)
	w.findsNothing(aged, 0, 1)
}

// What no run of this namespace made is none of a sweep's business.
func TestSweepLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.start()
	mine := r.created()
	foreign := w.posts(mine.InputFileID, "somebody's own session")
	elsewhere := w.posts(mine.InputFileID, "elsewhere~0190a8f6-7a2c-7c5e-9d60-6b1f9be0a001")
	same := w.posts(mine.InputFileID, r.ID()+"~0190a8f6-7a2c-7c5e-9d60-6b1f9be0a001")
	odd := w.posts(mine.InputFileID, "elsewhere~no-run-is-called-so")
	job := batch.SweepJob{Cancel: true}
	for range 2 {
		report := w.sweep(job)
		require.Equal(t, 1, report.Foreign)
		require.Equal(t, 1, report.Followed)
		require.Len(t, report.Findings, 3)
		for _, f := range report.Findings {
			require.Equal(t, batch.SweepUnknown, f.Class)
			require.Equal(t, batch.SweepReported, f.Action)
			require.Contains(t, []string{elsewhere, same, odd}, f.BatchID)
		}
	}
	require.Zero(t, w.cancels())
	for _, id := range []string{foreign, elsewhere, same, odd} {
		_, err := batchkeeper.Attach(t.Context(), w.client, batch.AdoptID(id), "")
		require.ErrorIs(t, err, batchkeeper.ErrNotFound)
	}
	r.ends(batch.StatusCompleted, -1)
	r.wait()
}
