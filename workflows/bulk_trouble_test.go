package workflows_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper/activities"
	"batchkeeper/batch"
)

// numbered is the number of a batch's unit.
func numbered(t *testing.T, id string) int {
	t.Helper()
	n, err := strconv.Atoi(id[len(id)-2:])
	require.NoError(t, err)
	return n
}

// grantInTurn lets the governor grant one unit after the other, two hours apart.
func (f *floor) grantInTurn(units int) {
	f.grants = false
	for i := 1; i <= units; i++ {
		f.at(time.Duration(i-1)*2*time.Hour+time.Minute, func() {
			f.env.SignalWorkflow(batch.SignalLeaseGranted, batch.LeaseGranted{Holder: child(1, i), Ask: 1})
		})
	}
}

// A plan that cannot be read any more keeps nothing of what is live from its end.
func TestBulkPlanIsLost(t *testing.T) {
	f := newFloor(t, 60)
	f.takes = func(id string) time.Duration { return time.Duration(1+numbered(t, id)) * time.Hour }
	f.readFails = func(in activities.ReadPlanInput) bool { return in.Offset > 0 }
	e := f.runBulk(`{"input":"in.jsonl","max_in_flight":20}`)
	require.Equal(t, batch.OutcomeResultsUnavailable, e.Outcome)
	require.Contains(t, e.Failure.Message, "read the plan of round 1: the store is away")
	require.Empty(t, e.Bulk.Live)
	require.Len(t, f.settled, len(f.begun))
	require.Len(t, f.begun, 50, "what was read is sent")
}

// While a renewal waits for a long page, batches go on and a cancel is passed on.
func TestBulkCancelWhileARenewalWaits(t *testing.T) {
	f := newFloor(t, 6)
	f.pages(1, 100*time.Hour)
	f.takes = func(id string) time.Duration {
		if id == child(1, 1) {
			return time.Minute
		}
		return 50 * time.Hour
	}
	f.at(30*time.Minute, func() { f.env.SetCurrentHistoryLength(3000) })
	f.at(40*time.Minute, func() { f.env.SignalWorkflow(batch.SignalCancel, bulkCancel) })
	began := f.env.Now()
	f.runBulk(pagedJob)
	require.Less(t, f.env.Now().Sub(began), time.Hour, "a batch that is told ends at once here")
	require.Len(t, f.ended, 4)
	next, job := f.renewed()
	e := next.runBulk(job)
	require.Equal(t, batch.OutcomeCancelled, e.Outcome)
	require.Equal(t, 1, e.Bulk.Pages.Cancelled)
}

// A history that a page keeps from being renewed does not grow for ever.
func TestBulkAPageHoldsTheRenewal(t *testing.T) {
	f := newFloor(t, 9)
	f.pages(1, 100*time.Hour)
	f.at(90*time.Minute, func() { f.env.SetCurrentHistoryLength(20_000) })
	f.runBulk(pagedJob)
	require.Len(t, f.begun, 6, "three and, once they had ended, three")
	next, job := f.renewed()
	next.pages(1, time.Minute)
	require.Equal(t, batch.OutcomeCompleted, next.runBulk(job).Outcome)
}

// The breaker trips while anything of the round is still to be sent.
func TestBulkBreakerWhileUnitsWait(t *testing.T) {
	f := newFloor(t, 6)
	f.grantInTurn(6)
	f.settle = func(activities.SettleUnitInput) (activities.SettleUnitOutput, error) {
		return activities.SettleUnitOutput{
			Outcome: batch.OutcomeCompletedWithFailures, Counts: batch.BulkCounts{RowErrors: 100},
			Causes: []batch.Cause{{Cause: "http_400 no_such_model", Rows: 100}},
		}, nil
	}
	f.at(11*time.Hour, func() {
		require.Contains(t, f.state().Bulk.Paused, "no_such_model")
		require.Len(t, f.begun, 1)
		f.update(batch.UpdateCancel, bulkCancel)
	})
	require.Equal(t, batch.OutcomeCancelled, f.runBulk(`{"input":"in.jsonl"}`).Outcome)
}

// What waits for capacity is not sent once the money is gone.
func TestBulkBudgetOfUnitsThatWait(t *testing.T) {
	f := newFloor(t, 10)
	f.grantInTurn(10)
	f.settle = func(in activities.SettleUnitInput) (activities.SettleUnitOutput, error) {
		cost := int64(5e9)
		if in.Unit.Number == 1 {
			cost = 1e8
		}
		return activities.SettleUnitOutput{
			Outcome: batch.OutcomeCompleted, Counts: batch.BulkCounts{Answered: in.Unit.Rows}, Money: batch.Money{TotalTokens: 1, CostNanos: cost},
		}, nil
	}
	e := f.runBulk(`{"input":"in.jsonl","budget_usd":3}`)
	require.Equal(t, batch.OutcomeBudgetExhausted, e.Outcome)
	require.Len(t, f.begun, 2, "the second cost fifty times what was to be expected")
}

func TestBulkBudgetIsLoweredWhileUnitsWait(t *testing.T) {
	f := newFloor(t, 6)
	f.grantInTurn(6)
	low := 0.05
	f.at(30*time.Second, func() { f.update(batch.UpdateSet, batch.SetRequest{BudgetUSD: &low}) })
	e := f.runBulk(`{"input":"in.jsonl"}`)
	require.Equal(t, batch.OutcomeBudgetExhausted, e.Outcome)
	require.Len(t, f.begun, 1, "what the first costs is not known")
}

// A batch whose end is not known may have been paid for.
func TestBulkBudgetCountsWhatMayBePaid(t *testing.T) {
	f := newFloor(t, 9)
	happy := f.settle
	f.settle = func(in activities.SettleUnitInput) (activities.SettleUnitOutput, error) {
		if in.Unit.Number == 2 {
			return activities.SettleUnitOutput{Outcome: batch.OutcomeSubmissionUnknown, Counts: batch.BulkCounts{Missing: in.Unit.Rows}}, nil
		}
		return happy(in)
	}
	e := f.runBulk(`{"input":"in.jsonl","max_in_flight":1,"budget_usd":0.35}`)
	require.Equal(t, batch.OutcomeBudgetExhausted, e.Outcome)
	require.Len(t, f.begun, 3)
	require.EqualValues(t, 100_000_000, e.Bulk.AtRiskNanos)
}

// Settles that wait for the store do not keep a cancel from the live batches.
func TestBulkCancelBehindSettles(t *testing.T) {
	f := newFloor(t, 12)
	f.takes = func(id string) time.Duration {
		if numbered(t, id) > 10 {
			return 100 * time.Hour
		}
		return time.Hour
	}
	f.slow = func(step string) time.Duration {
		if step == "SettleUnit" {
			return 20 * time.Hour
		}
		return 0
	}
	happy := f.settle
	f.settle = func(in activities.SettleUnitInput) (activities.SettleUnitOutput, error) {
		if in.Finished.Outcome == batch.OutcomeCancelled {
			return activities.SettleUnitOutput{Outcome: batch.OutcomeCancelled, Counts: batch.BulkCounts{Cancelled: in.Unit.Rows}}, nil
		}
		return happy(in)
	}
	f.at(2*time.Hour, func() { f.env.SignalWorkflow(batch.SignalCancel, bulkCancel) })
	f.at(3*time.Hour, func() {
		for _, l := range f.state().Bulk.Live {
			require.NotEqual(t, batch.UnitRunning, l.Stage, l.WorkflowID)
		}
	})
	require.Equal(t, batch.OutcomeCancelled, f.runBulk(`{"input":"in.jsonl","max_in_flight":12}`).Outcome)
}

// A governor that is gone cannot be given anything back: who waits asks again at once.
func TestBulkGovernorIsGone(t *testing.T) {
	f := newFloor(t, 2)
	f.grants = false
	f.at(time.Minute, func() {
		f.note(func() { f.noGovernor = true })
		f.env.SignalWorkflow(batch.SignalLeaseGranted, batch.LeaseGranted{Holder: child(1, 1), Ask: 1})
	})
	f.takes = func(string) time.Duration { return 5 * time.Minute }
	f.at(5*time.Minute, func() { f.note(func() { f.noGovernor, f.grants = false, true }) })
	f.at(6*time.Minute, func() { f.note(func() { f.noGovernor = true }) })
	e := f.runBulk(bulkJob)
	require.Equal(t, batch.OutcomeCompleted, e.Outcome)
	require.Len(t, f.asked, 3)
	require.Less(t, f.env.Now().Sub(e.Bulk.StartedAt), 14*time.Minute, "long before it would ask again anyway")
}

// However often the gateway has no room, no row is lost for it.
func TestBulkNoRoomForDays(t *testing.T) {
	f := newFloor(t, 1)
	f.says = func(id string) batch.Finished {
		if strings.HasSuffix(id, ".41") {
			return batch.Finished{WorkflowID: id, Outcome: batch.OutcomeCompleted}
		}
		return batch.Finished{WorkflowID: id, Outcome: batch.OutcomeUpstreamFailed, Failure: &batch.Failure{Message: "token_limit_exceeded"}}
	}
	e := f.runBulk(bulkJob)
	require.Equal(t, batch.OutcomeCompleted, e.Outcome)
	require.Len(t, f.begun, 41)
	require.Len(t, f.settled, 1)
}

// A provider that could answer nothing is left alone for a while, and what was
// its trouble is told once no row gets another try.
func TestBulkRoundsWaitForAProviderInTrouble(t *testing.T) {
	f := newFloor(t, 3)
	f.planned = 3
	f.settle = func(in activities.SettleUnitInput) (activities.SettleUnitOutput, error) {
		return activities.SettleUnitOutput{
			Outcome: batch.OutcomeCompletedWithFailures, Counts: batch.BulkCounts{Open: in.Unit.Rows},
			AgainCauses: []batch.Cause{{Cause: "http_429 rate_limit_exceeded", Rows: in.Unit.Rows}},
		}, nil
	}
	f.at(batchTakes+time.Minute, func() {
		require.Len(t, f.begun, 3)
		require.Contains(t, f.state().Problem, "http_429 rate_limit_exceeded. Round 2 begins at")
	})
	f.at(batchTakes+6*time.Minute, func() {
		require.Len(t, f.begun, 6)
		require.Empty(t, f.state().Problem)
	})
	f.at(2*batchTakes+6*time.Minute, func() {
		require.Len(t, f.begun, 6, "half an hour the second time")
		f.update(batch.UpdateCancel, bulkCancel)
	})
	e := f.runBulk(bulkJob)
	require.Equal(t, batch.OutcomeCancelled, e.Outcome)
	require.Len(t, f.begun, 6)
	require.Empty(t, e.Problem)
	require.Len(t, e.Bulk.Past, 2, "the third round never began")
	require.Equal(t, []batch.Cause{{Cause: "http_429 rate_limit_exceeded", Rows: 3 * shardRows}}, e.Bulk.Causes)
}

func TestBulkTellsWhyTheLastRoundFailed(t *testing.T) {
	f := newFloor(t, 1)
	f.settle = func(in activities.SettleUnitInput) (activities.SettleUnitOutput, error) {
		return activities.SettleUnitOutput{
			Outcome: batch.OutcomeCompletedWithFailures, Counts: batch.BulkCounts{Open: in.Unit.Rows},
			AgainCauses: []batch.Cause{{Cause: "http_500", Rows: in.Unit.Rows}},
		}, nil
	}
	e := f.runBulk(`{"input":"in.jsonl","rounds":1}`)
	require.Equal(t, []batch.Cause{{Cause: "http_500", Rows: shardRows}}, e.Bulk.Causes)
}

// A notice of a batch that an earlier run has left behind ends no unit that has
// not been sent.
func TestBulkNoticeOfAnotherRunsBatch(t *testing.T) {
	f := newFloor(t, 1)
	f.grants = false
	f.at(time.Minute, func() {
		f.env.SignalWorkflow(batch.SignalFinished, batch.Finished{WorkflowID: child(1, 1), Outcome: batch.OutcomeUpstreamFailed})
	})
	f.at(10*time.Minute, func() { f.note(func() { f.grants = true }) })
	require.Equal(t, batch.OutcomeCompleted, f.runBulk(bulkJob).Outcome)
	require.Equal(t, []string{child(1, 1)}, f.begun)
}

// A window that is made smaller holds for those that wait for capacity, too.
func TestBulkWindowIsMadeSmaller(t *testing.T) {
	f := newFloor(t, 6)
	f.grantInTurn(2)
	one := 1
	f.at(10*time.Minute, func() { f.update(batch.UpdateSet, batch.SetRequest{MaxInFlight: &one}) })
	f.at(30*time.Minute, func() {
		waiting := 0
		for _, l := range f.state().Bulk.Live {
			if l.Stage == batch.UnitWaiting || l.Stage == batch.UnitGranted {
				waiting++
			}
		}
		require.Zero(t, waiting, "the first runs, the others have given their wish back")
		require.Len(t, f.begun, 1)
		f.note(func() { f.grants = true })
	})
	e := f.runBulk(`{"input":"in.jsonl","max_in_flight":6}`)
	require.Equal(t, batch.OutcomeCompleted, e.Outcome)
	require.Equal(t, 1, f.most)
}

// A budget cannot be held where nobody tells what a batch has cost.
func TestBulkBudgetWithoutACost(t *testing.T) {
	f := newFloor(t, 4)
	f.settle = func(in activities.SettleUnitInput) (activities.SettleUnitOutput, error) {
		return activities.SettleUnitOutput{
			Outcome: batch.OutcomeCompleted, Counts: batch.BulkCounts{Answered: in.Unit.Rows}, Money: batch.Money{TotalTokens: 7, Unpriced: 1},
		}, nil
	}
	f.at(20*time.Hour, func() {
		require.Len(t, f.begun, 1)
		require.Contains(t, f.state().Bulk.Paused, "budget_usd cannot be held")
		f.update(batch.UpdateResume)
	})
	e := f.runBulk(`{"input":"in.jsonl","budget_usd":1}`)
	require.Equal(t, batch.OutcomeCompleted, e.Outcome)
	require.Len(t, f.begun, 4)
}

// A run that was reset and is cancelled between two rounds looks at once for what
// the later round has sent before the reset.
func TestBulkLooksBackAtOnce(t *testing.T) {
	f := newFloor(t, 3)
	f.planned = 1
	f.settle = func(in activities.SettleUnitInput) (activities.SettleUnitOutput, error) {
		return activities.SettleUnitOutput{
			Outcome: batch.OutcomeCompletedWithFailures, Counts: batch.BulkCounts{Open: in.Unit.Rows},
			AgainCauses: []batch.Cause{{Cause: "http_503", Rows: in.Unit.Rows}},
		}, nil
	}
	f.at(batchTakes+time.Minute, func() {
		f.env.SetContinueAsNewSuggested(true)
		f.env.SignalWorkflow("nothing", nil)
	})
	f.runBulk(bulkJob)
	next, raw := f.renewed()
	job, err := batch.ParseJob([]byte(raw))
	require.NoError(t, err)
	require.True(t, job.Carried.Bulk.BeginAt.After(next.env.Now()), "the second round waits")
	job.Carried.Bulk.Reset = true
	reset, err := json.Marshal(job)
	require.NoError(t, err)

	looked := time.Duration(-1)
	began := next.env.Now()
	next.prepare = func(in activities.PrepareInput) (activities.PrepareOutput, error) {
		require.True(t, in.LookOnly, "nothing is sent")
		looked = next.env.Now().Sub(began)
		return activities.PrepareOutput{}, nil
	}
	next.at(time.Second, func() { next.update(batch.UpdateCancel, bulkCancel) })
	require.Equal(t, batch.OutcomeCancelled, next.runBulk(string(reset)).Outcome)
	require.Equal(t, time.Second, looked.Round(time.Second))
}
