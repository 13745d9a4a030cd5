package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper/activities"
	"batchkeeper/batch"
)

// A batch costs 0.1 USD on this floor. Before that is known, one is tried alone.
func TestBulkBudget(t *testing.T) {
	f := newFloor(t, 9)
	e := f.runBulk(`{"input":"in.jsonl","max_in_flight":3,"budget_usd":0.45}`)
	require.Equal(t, batch.OutcomeBudgetExhausted, e.Outcome)
	require.Equal(t, string(batch.KindBudgetExhausted), e.status)
	require.Len(t, f.begun, 4)
	require.InDelta(t, 0.4, e.Bulk.Money.USD(), 1e-6)
	require.Contains(t, e.Failure.Message, "0.45 USD: 0.40 USD spent")
	require.NotNil(t, e.Results, "what was answered is published")
}

// With a price in the profile nothing needs to be tried.
func TestBulkBudgetByPrice(t *testing.T) {
	f := newFloor(t, 9)
	f.profile.InputUSDPerMillion, f.tokens = 1, 2_000_000
	e := f.runBulk(`{"input":"in.jsonl","max_in_flight":3,"budget_usd":4.5}`)
	require.Equal(t, 2, f.most, "two of 2 USD each may be live at a time")
	require.Equal(t, batch.OutcomeCompleted, e.Outcome, "they cost 0.1 USD in the end, and make room for the next")
}

func TestBulkBudgetIsRaised(t *testing.T) {
	f := newFloor(t, 4)
	budget := 9.0
	f.at(90*time.Minute, func() { f.update(batch.UpdateSet, batch.SetRequest{BudgetUSD: &budget}) })
	e := f.runBulk(`{"input":"in.jsonl","budget_usd":0.25}`)
	require.Equal(t, batch.OutcomeCompleted, e.Outcome)
}

func TestBulkPause(t *testing.T) {
	f := newFloor(t, 6)
	var early, again, resumed *reply
	f.at(0, func() { early = f.update(batch.UpdateResume) })
	f.at(10*time.Minute, func() {
		f.update(batch.UpdatePause, batch.PauseRequest{Reason: "lunch"})
		again = f.update(batch.UpdatePause, batch.PauseRequest{})
	})
	f.at(20*time.Hour, func() {
		require.Len(t, f.begun, 3, "live batches go on, none is started")
		require.Len(t, f.settled, 3)
		require.Equal(t, "paused: lunch", f.state().Bulk.Paused)
		resumed = f.update(batch.UpdateResume)
	})
	e := f.runBulk(bulkJob)
	require.Equal(t, batch.OutcomeCompleted, e.Outcome)
	require.ErrorContains(t, early.rejected, "not paused")
	require.ErrorContains(t, again.rejected, "paused already")
	require.NoError(t, resumed.err)
}

// What waits for capacity, or has it and is not sent yet, gives it back in a pause.
func TestBulkPauseYieldsCapacity(t *testing.T) {
	f := newFloor(t, 3)
	f.grants = false
	f.at(time.Minute, func() {
		f.update(batch.UpdatePause, batch.PauseRequest{})
		f.env.SignalWorkflow(batch.SignalLeaseGranted, batch.LeaseGranted{Holder: child(1, 1)})
	})
	f.at(time.Hour, func() {
		require.Empty(t, f.begun)
		require.GreaterOrEqual(t, f.said(batch.SignalRelease), 3)
		f.note(func() { f.grants = true })
		f.update(batch.UpdateResume)
	})
	require.Equal(t, batch.OutcomeCompleted, f.runBulk(bulkJob).Outcome)
	require.Len(t, f.begun, 3)
}

func TestBulkSet(t *testing.T) {
	f := newFloor(t, 12)
	stale, wide, one := batch.Duration(5*time.Hour), 6, 1
	nothing, zero, many := batch.SetRequest{}, 0, 99
	var refused []*reply
	f.at(10*time.Minute, func() {
		refused = append(refused, f.update(batch.UpdateSet, nothing), f.update(batch.UpdateSet, batch.SetRequest{MaxInFlight: &zero}),
			f.update(batch.UpdateSet, batch.SetRequest{Rounds: &many}))
		f.update(batch.UpdateSet, batch.SetRequest{MaxInFlight: &wide, StaleAfter: &stale, Rounds: &one})
	})
	e := f.runBulk(bulkJob)
	for _, r := range refused {
		require.Error(t, r.rejected)
	}
	require.Equal(t, 6, f.most)
	require.Equal(t, 1, e.Bulk.Rounds)
}

// A permanent cause takes more than its share: the run pauses, and a resume lets it pass.
func TestBulkBreaker(t *testing.T) {
	f := newFloor(t, 6)
	f.settle = func(in activities.SettleUnitInput) (activities.SettleUnitOutput, error) {
		return activities.SettleUnitOutput{
			Outcome: batch.OutcomeCompletedWithFailures, Counts: batch.BulkCounts{Answered: 50, RowErrors: 50},
			Causes: []batch.Cause{{Cause: "http_400 no_such_model", Rows: 50}},
		}, nil
	}
	f.at(20*time.Hour, func() {
		require.LessOrEqual(t, len(f.begun), 4)
		require.Contains(t, f.state().Bulk.Paused, "no_such_model")
		f.update(batch.UpdateResume)
	})
	e := f.runBulk(bulkJob)
	require.Equal(t, batch.OutcomeCompletedWithFailures, e.Outcome)
	require.Len(t, f.begun, 6)
	require.Empty(t, e.Bulk.Paused)
}

var bulkCancel = batch.CancelRequest{Reason: "changed my mind", RequestedBy: "somebody"}

func TestBulkCancelTellsEveryBatch(t *testing.T) {
	f := newFloor(t, 9)
	f.settle = func(in activities.SettleUnitInput) (activities.SettleUnitOutput, error) {
		require.True(t, in.CancelRequested)
		return activities.SettleUnitOutput{Outcome: in.Finished.Outcome, Counts: batch.BulkCounts{Cancelled: in.Unit.Rows}}, nil
	}
	var told, late *reply
	f.at(time.Minute, func() { told = f.update(batch.UpdateCancel, bulkCancel) })
	f.at(2*time.Minute, func() { late = f.update(batch.UpdatePause, batch.PauseRequest{}) })
	e := f.runBulk(bulkJob)
	require.Equal(t, "canceled", e.status)
	require.Equal(t, batch.OutcomeCancelled, e.Outcome)
	require.True(t, told.done)
	require.NoError(t, told.err)
	if late != nil && late.rejected == nil {
		require.Error(t, late.err)
	}
	require.Len(t, f.begun, 3)
	require.Equal(t, &batch.CancelSummary{Told: 3, Cancelled: 3, NotSent: 6}, e.Bulk.Cancelled)
	require.Equal(t, "somebody", e.Cancellation.RequestedBy)
}

func TestBulkCancelBySignalAndByTemporal(t *testing.T) {
	for name, cancel := range map[string]func(*floor){
		"signal":   func(f *floor) { f.env.SignalWorkflow(batch.SignalCancel, bulkCancel) },
		"temporal": func(f *floor) { f.env.CancelWorkflow() },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFloor(t, 9)
			f.at(time.Minute, func() { cancel(f) })
			e := f.runBulk(bulkJob)
			require.Equal(t, batch.OutcomeCancelled, e.Outcome)
			require.Len(t, f.begun, 3)
		})
	}
}

func TestBulkCancelDuringTheSurvey(t *testing.T) {
	f := newFloor(t, 9)
	var told *reply
	f.at(0, func() { told = f.update(batch.UpdateCancel, bulkCancel) })
	e := f.runBulk(bulkJob)
	require.Equal(t, batch.OutcomeCancelled, e.Outcome)
	require.Equal(t, batch.CancelAccepted, e.Cancellation.Result)
	require.NoError(t, told.err)
	require.Empty(t, f.begun)
	require.Nil(t, e.Results)
}

// Batches that wait for capacity are never made.
func TestBulkCancelWhileWaiting(t *testing.T) {
	f := newFloor(t, 9)
	f.grants = false
	f.at(time.Minute, func() { f.update(batch.UpdateCancel, bulkCancel) })
	e := f.runBulk(bulkJob)
	require.Equal(t, batch.OutcomeCancelled, e.Outcome)
	require.Empty(t, f.begun)
	require.Equal(t, 3, f.said(batch.SignalRelease))
	require.Equal(t, 9, e.Bulk.Cancelled.NotSent)
}

// A cancel in a later round keeps what the rounds before have answered.
func TestBulkCancelInALaterRound(t *testing.T) {
	f := newFloor(t, 1)
	f.planned = 1
	f.leaves(1, 7)
	f.at(90*time.Minute, func() { f.update(batch.UpdateCancel, bulkCancel) })
	e := f.runBulk(bulkJob)
	require.Equal(t, 2, e.Bulk.Round)
	require.Equal(t, 1, e.Bulk.Cancelled.Cancelled)
}

// Every batch has ended: the results are published, whatever is asked for now.
func TestBulkCancelTooLate(t *testing.T) {
	f := newFloor(t, 1)
	var late *reply
	happy := f.publish
	f.publish = func(in activities.PublishShardsInput) (activities.PublishShardsOutput, error) {
		late = f.update(batch.UpdateCancel, bulkCancel)
		return happy(in)
	}
	e := f.runBulk(bulkJob)
	require.Equal(t, batch.OutcomeCompleted, e.Outcome)
	require.Nil(t, e.Cancellation)
	require.Error(t, late.rejected)
}

func TestBulkCancelCannotBeConfirmed(t *testing.T) {
	f := newFloor(t, 1)
	f.settle = func(in activities.SettleUnitInput) (activities.SettleUnitOutput, error) {
		return activities.SettleUnitOutput{Outcome: batch.OutcomeCancelUnconfirmed, Counts: batch.BulkCounts{Cancelled: in.Unit.Rows}}, nil
	}
	f.at(time.Minute, func() { f.update(batch.UpdateCancel, bulkCancel) })
	e := f.runBulk(bulkJob)
	require.Equal(t, batch.OutcomeCancelUnconfirmed, e.Outcome)
	require.Equal(t, batch.CancelUnconfirmed, e.Cancellation.Result)
	require.Equal(t, 1, e.Bulk.Cancelled.Unconfirmed)
}

// A cancel that comes when the run is about to continue as new is acted on before.
func TestBulkCancelAtARenewal(t *testing.T) {
	f := newFloor(t, 9)
	var told *reply
	f.at(time.Minute, func() {
		f.env.SetContinueAsNewSuggested(true)
		told = f.update(batch.UpdateCancel, bulkCancel)
	})
	f.runBulk(bulkJob)
	require.True(t, told.done)
	require.NoError(t, told.err)
	next, job := f.renewed()
	carried, err := batch.ParseJob([]byte(job))
	require.NoError(t, err)
	require.NotNil(t, carried.Carried.State.Cancellation)
	for _, u := range carried.Carried.Bulk.Units {
		require.True(t, u.Told || u.Stage == batch.UnitEnded)
		next.at(time.Minute, func() {
			next.env.SignalWorkflow(batch.SignalFinished, batch.Finished{WorkflowID: u.WorkflowID, Outcome: batch.OutcomeCancelled})
		})
	}
	require.Equal(t, batch.OutcomeCancelled, next.runBulk(job).Outcome)
}
