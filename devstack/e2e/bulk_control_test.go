package e2e_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"

	"batchkeeper/batch"
	"batchkeeper/internal/gateway/gatewaytest"
)

// Nothing is known of the cost before the first batch has ended: one is tried
// alone, and what it cost tells how many more the budget allows.
func TestBulkBudget(t *testing.T) {
	t.Parallel()
	w := newWorld(t, endsAfter(time.Second))
	const budget = 0.008
	r := w.startBulk(w.writeInput(prompts(1000)...), inShards(200, 3), func(j *batch.Job) { j.BudgetUSD = budget })
	result := r.waitBulk()
	require.Equal(t, batch.OutcomeBudgetExhausted, result.Outcome)
	require.Equal(t, enumspb.WORKFLOW_EXECUTION_STATUS_FAILED, r.temporalStatus())
	require.LessOrEqual(t, result.Bulk.Money.USD(), budget)
	require.Positive(t, result.Bulk.Counts.Answered)
	require.Positive(t, result.Bulk.Counts.Cancelled)
	require.Contains(t, r.part(result, batch.FolderFailures, 5), "budget_usd")
}

func TestBulkPauseAndResume(t *testing.T) {
	t.Parallel()
	w := newWorld(t, endsAfter(3*time.Second))
	r := w.startBulk(w.writeInput(prompts(600)...), inShards(100, 2))
	w.awaitEntry("a batch is created", effect(gatewaytest.EffectBatchCreated))
	state, err := r.Pause(t.Context(), batch.PauseRequest{Reason: "lunch"})
	require.NoError(t, err)
	require.Contains(t, state.Bulk.Paused, "lunch")
	_, err = r.Pause(t.Context(), batch.PauseRequest{})
	require.ErrorContains(t, err, "paused already")
	r.await("what was live has ended", func(s batch.State) bool { return s.Bulk.Ended >= 1 && noneRuns(s) })
	created := w.entries(effect(gatewaytest.EffectBatchCreated))
	require.LessOrEqual(t, created, 2)
	rounds := 2
	state, err = r.Set(t.Context(), batch.SetRequest{Rounds: &rounds, MaxInFlight: &created})
	require.NoError(t, err)
	require.Equal(t, 2, state.Bulk.Rounds)
	require.Equal(t, created, w.entries(effect(gatewaytest.EffectBatchCreated)), "nothing was started in the pause")
	_, err = r.Resume(t.Context())
	require.NoError(t, err)
	require.Equal(t, batch.OutcomeCompleted, r.waitBulk().Outcome)
}

func noneRuns(s batch.State) bool {
	for _, l := range s.Bulk.Live {
		if l.Stage == batch.UnitRunning || l.Stage == batch.UnitEnded {
			return false
		}
	}
	return true
}

// Twenty batches are live and more wait: each is told, and waited for.
func TestBulkCancel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.startBulk(w.writeInput(prompts(300)...), inShards(10, 20))
	r.await("twenty batches are live", func(batch.State) bool { return w.entries(effect(gatewaytest.EffectBatchCreated)) >= 20 })
	_, err := r.Cancel(t.Context(), batch.CancelRequest{Reason: "changed my mind", RequestedBy: "somebody"})
	require.NoError(t, err)
	result := r.waitBulk()
	require.Equal(t, batch.OutcomeCancelled, result.Outcome)
	require.Equal(t, enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED, r.temporalStatus())
	require.Equal(t, &batch.CancelSummary{Told: 20, Cancelled: 20, NotSent: 10}, result.Bulk.Cancelled)
	require.EqualValues(t, 300, result.Bulk.Counts.Cancelled+result.Bulk.Counts.Answered)
	require.Equal(t, batch.CancelAccepted, result.Cancellation.Result)
	require.Len(t, w.gateway.BatchesOf(""), 20)
}

// A run that was reset has forgotten what it has sent. Cancelled at once, it still
// finds every live batch, has it cancelled and waits for it.
func TestBulkResetThenCancel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.startBulk(w.writeInput(prompts(800)...), inShards(100, 4))
	w.eventually("four batches are live", func() bool { return w.entries(effect(gatewaytest.EffectBatchCreated)) == 4 })
	r.reset(r.firstTask())
	require.NoError(t, r.CancelAsync(t.Context(), batch.CancelRequest{Reason: "changed my mind", RequestedBy: "the test"}))
	result := r.waitBulk()
	require.Equal(t, batch.OutcomeCancelled, result.Outcome)
	require.Equal(t, 4, result.Bulk.Cancelled.Cancelled)
	require.Len(t, w.gateway.BatchesOf(""), 4)
	for _, b := range w.gateway.BatchesOf("") {
		require.Equal(t, string(batch.StatusCancelled), b.Status)
	}
}

// A reset of a cancelled run hears the cancel again, sends nothing, and publishes
// what the run had collected.
func TestBulkResetOfACancelledRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.startBulk(w.writeInput(prompts(400)...), inShards(100, 2))
	w.eventually("two batches are live", func() bool { return w.entries(effect(gatewaytest.EffectBatchCreated)) == 2 })
	require.NoError(t, w.gateway.Finish(w.gateway.BatchesOf("")[0].ID, string(batch.StatusCompleted), -1))
	r.await("one is collected, a third is live", func(s batch.State) bool { return s.Bulk.Ended == 1 && len(s.Bulk.Live) == 2 })
	_, err := r.Cancel(t.Context(), batch.CancelRequest{Reason: "changed my mind", RequestedBy: "the test"})
	require.NoError(t, err)
	first := r.waitBulk()
	require.EqualValues(t, 100, first.Bulk.Counts.Answered)
	created := w.entries(effect(gatewaytest.EffectBatchCreated))
	r.reset(r.firstTask())
	again := r.waitBulk()
	require.Equal(t, batch.OutcomeCancelled, again.Outcome)
	require.Equal(t, first.Bulk.Counts, again.Bulk.Counts)
	require.Equal(t, created, w.entries(effect(gatewaytest.EffectBatchCreated)), "nothing is sent")
}
