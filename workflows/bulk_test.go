package workflows_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"batchkeeper/activities"
	"batchkeeper/batch"
)

func TestBulkKeepsItsWindow(t *testing.T) {
	f := newFloor(t, 70) // more than are read of the plan at a time
	e := f.runBulk(bulkJob)
	require.Equal(t, batch.OutcomeCompleted, e.Outcome, "%v", e.err)
	require.Len(t, f.begun, 70)
	require.Equal(t, 3, f.most)
	require.EqualValues(t, 7000, e.Bulk.Counts.Answered)
	require.Equal(t, 100, e.Progress)
	require.Equal(t, 70, e.Bulk.Ended)
	require.Equal(t, 70, f.said(batch.SignalRelease), "each lease is returned")
	require.Len(t, f.asked, 70)
	require.Equal(t, 14, f.count("PublishShards"))
}

// More units are in the window than steps may be under way at a time.
func TestBulkWideWindow(t *testing.T) {
	f := newFloor(t, 60)
	e := f.runBulk(`{"input":"in.jsonl","max_in_flight":50}`)
	require.Equal(t, batch.OutcomeCompleted, e.Outcome)
	require.Equal(t, 50, f.most)
}

// leaves lets the units of the first rounds leave rows over.
func (f *floor) leaves(rounds int, rows int64) {
	happy := f.settle
	f.settle = func(in activities.SettleUnitInput) (activities.SettleUnitOutput, error) {
		out, err := happy(in)
		if in.Round <= rounds {
			out.Counts = batch.BulkCounts{Answered: in.Unit.Rows - rows, Open: rows}
		}
		return out, err
	}
}

func TestBulkRounds(t *testing.T) {
	f := newFloor(t, 2)
	f.planned = 1
	f.leaves(2, 7)
	e := f.runBulk(bulkJob)
	require.ElementsMatch(t, []string{child(1, 1), child(1, 2), child(2, 1), child(3, 1)}, f.begun)
	require.Equal(t, 3, e.Bulk.Round)
	require.Len(t, e.Bulk.Past, 3)
	require.EqualValues(t, 14, e.Bulk.Past[0].Again)
}

func TestBulkRoundsEnd(t *testing.T) {
	f := newFloor(t, 1)
	f.planned = 1
	f.leaves(9, 7)
	f.runBulk(`{"input":"in.jsonl","rounds":2}`)
	require.Equal(t, []string{child(1, 1), child(2, 1)}, f.begun)
}

// A batch for which there was no room goes back, under a name of its own, and
// costs no round.
func TestBulkRefusal(t *testing.T) {
	f := newFloor(t, 2)
	f.says = func(id string) batch.Finished {
		done := batch.Finished{WorkflowID: id, Outcome: batch.OutcomeCompleted}
		if id == child(1, 2) {
			done.Outcome = batch.OutcomeUpstreamFailed
			done.Failure = &batch.Failure{Message: "batch b failed: token_limit_exceeded: Enqueued token limit reached"}
		}
		return done
	}
	e := f.runBulk(bulkJob)
	require.Equal(t, batch.OutcomeCompleted, e.Outcome)
	again := batch.ChildID(workflowID, 1, 2, 2)
	require.ElementsMatch(t, []string{child(1, 1), child(1, 2), again}, f.begun)
	require.Contains(t, f.signals, batch.SignalRefused+" "+child(1, 2)+" token_limit_exceeded")
	require.Equal(t, 2, f.settled[len(f.settled)-1].Try)
	require.Equal(t, 1, e.Bulk.Round)
}

func TestBulkFindsALostNotice(t *testing.T) {
	f := newFloor(t, 2)
	f.lost[child(1, 1)] = true
	e := f.runBulk(bulkJob)
	require.Equal(t, batch.OutcomeCompleted, e.Outcome)
	require.Len(t, f.settled, 2)
	require.Positive(t, f.ends)
}

// A governor that was terminated has forgotten who waits.
func TestBulkAsksAgain(t *testing.T) {
	f := newFloor(t, 1)
	f.grants = false
	f.at(10*time.Minute, func() { f.note(func() { f.grants = true }) })
	e := f.runBulk(bulkJob)
	require.Equal(t, batch.OutcomeCompleted, e.Outcome)
	require.Equal(t, []string{child(1, 1), child(1, 1)}, f.asked)
}

// A lease that nobody wants any more is given back.
func TestBulkReturnsAStrayLease(t *testing.T) {
	f := newFloor(t, 1)
	f.at(time.Minute, func() { f.env.SignalWorkflow(batch.SignalLeaseGranted, batch.LeaseGranted{Holder: "nobody"}) })
	f.runBulk(bulkJob)
	require.Contains(t, f.signals, batch.SignalRelease+" nobody")
}

func TestBulkEmptyShards(t *testing.T) {
	f := newFloor(t, 3)
	f.empty = map[int]bool{1: true, 3: true}
	e := f.runBulk(bulkJob)
	require.Equal(t, []string{child(1, 2)}, f.begun)
	require.Equal(t, 3, e.Bulk.Ended)
}

// A run that was reset finds what it has sent before.
func TestBulkSendsNothingTwice(t *testing.T) {
	for name, known := range map[string]activities.PrepareOutput{
		"collected": {Collected: true},
		"ended":     {Ended: &batch.Finished{WorkflowID: child(1, 1), Outcome: batch.OutcomeSubmissionUnknown}},
		"open":      {Open: true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFloor(t, 1)
			f.prepare = func(activities.PrepareInput) (activities.PrepareOutput, error) { return known, nil }
			if known.Open {
				f.at(time.Hour, func() { f.env.SignalWorkflow(batch.SignalFinished, f.says(child(1, 1))) })
			}
			e := f.runBulk(bulkJob)
			require.Equal(t, batch.OutcomeCompleted, e.Outcome)
			require.Empty(t, f.begun)
			require.Len(t, f.settled, 1)
		})
	}
}

// Another run's batch holds the name: the unit waits, under another.
func TestBulkForeignBatch(t *testing.T) {
	f := newFloor(t, 1)
	f.prepare = func(in activities.PrepareInput) (activities.PrepareOutput, error) {
		if in.Try == 1 {
			return activities.PrepareOutput{Foreign: "it is taken"}, nil
		}
		return activities.PrepareOutput{}, nil
	}
	e := f.runBulk(bulkJob)
	require.Equal(t, batch.OutcomeCompleted, e.Outcome)
	require.Equal(t, []string{batch.ChildID(workflowID, 1, 1, 2)}, f.begun)
}

// A unit whose rows cannot be gathered fails alone.
func TestBulkCannotPrepare(t *testing.T) {
	f := newFloor(t, 2)
	f.prepare = func(in activities.PrepareInput) (activities.PrepareOutput, error) {
		if in.Unit.Number == 1 {
			return activities.PrepareOutput{}, temporal.NewNonRetryableApplicationError("changed", "InputInvalid", nil)
		}
		return activities.PrepareOutput{}, nil
	}
	f.runBulk(bulkJob)
	require.Equal(t, []string{child(1, 2)}, f.begun)
	for _, in := range f.settled {
		require.Equal(t, in.Unit.Number == 1, in.Finished.Outcome == batch.OutcomeRejected)
	}
}

// A step that cannot succeed stops what is new, lets the live batches end, and
// ends the run without a result.
func TestBulkSettleFails(t *testing.T) {
	f := newFloor(t, 9)
	happy := f.settle
	f.settle = func(in activities.SettleUnitInput) (activities.SettleUnitOutput, error) {
		if in.Unit.Number == 2 {
			return activities.SettleUnitOutput{}, temporal.NewNonRetryableApplicationError("no such row", "InputInvalid", nil)
		}
		return happy(in)
	}
	e := f.runBulk(bulkJob)
	require.Equal(t, string(batch.KindResultsUnavailable), e.status)
	require.Contains(t, e.Failure.Message, "no such row")
	require.Nil(t, e.Results)
	require.LessOrEqual(t, len(f.begun), 6)
	require.Len(t, f.ended, len(f.begun), "no batch is left behind")
	require.Zero(t, f.count("PublishManifest"))
}

func TestBulkPublishFails(t *testing.T) {
	f := newFloor(t, 1)
	f.publish = func(activities.PublishShardsInput) (activities.PublishShardsOutput, error) {
		return activities.PublishShardsOutput{}, temporal.NewNonRetryableApplicationError("no", "InputInvalid", errors.New("no"))
	}
	require.Equal(t, batch.OutcomeResultsUnavailable, f.runBulk(bulkJob).Outcome)
}

func TestBulkRefusesAJob(t *testing.T) {
	for job, want := range map[string]string{
		`{"batch_id":"b"}`:                           "input",
		`{"input":"x","rounds":99}`:                  "rounds",
		`{"input":"x","max_rows_per_btch":1}`:        "max_rows_per_btch",
		`{"input":"x","carried":{"token":"t"}}`:      "carried",
		`{"input":"x","downstream":{"workflow":""}}`: "downstream",
	} {
		f := newFloor(t, 1)
		e := f.runBulk(job)
		require.Equal(t, batch.OutcomeRejected, e.Outcome, job)
		require.Contains(t, e.Failure.Message, want)
		require.Empty(t, f.calls)
	}
}

// What several executions know together is what one would: the whole run, with
// a renewal at every shard or two, makes each batch once.
func TestBulkContinuesAsNew(t *testing.T) {
	f := newFloor(t, 6)
	f.planned = 1
	f.leaves(1, 7)
	job := bulkJob
	for executions := 1; ; executions++ {
		f.at(90*time.Minute, func() { f.env.SetContinueAsNewSuggested(true) })
		f.runBulk(job)
		if f.env.GetWorkflowError() == nil {
			require.Greater(t, executions, 2)
			break
		}
		require.Less(t, executions, 10)
		live := f.begun[len(f.ended):]
		f, job = f.renewed()
		f.leaves(1, 7)
		for i, id := range live { // they outlive the execution that started them
			f.at(time.Duration(i+1)*time.Minute, func() {
				f.note(func() { f.ended = append(f.ended, id) })
				f.env.SignalWorkflow(batch.SignalFinished, f.says(id))
			})
		}
	}
	e := f.ending()
	var want []string
	for n := 1; n <= 6; n++ {
		want = append(want, child(1, n))
	}
	require.ElementsMatch(t, append(want, child(2, 1)), f.begun, "each batch once")
	require.EqualValues(t, 600-42+100, e.Bulk.Counts.Answered, "%+v", e.Bulk)
	require.Len(t, e.Bulk.Past, 2)
}

// Signals that are here at a renewal go with it.
func TestBulkRenewalTakesSignalsAlong(t *testing.T) {
	f := newFloor(t, 3)
	f.at(30*time.Minute, func() {
		f.env.SetContinueAsNewSuggested(true)
		f.env.SignalWorkflow(batch.SignalFinished, f.says(child(1, 1)))
		f.env.SignalWorkflow(batch.SignalFinished, f.says(child(1, 2)))
		f.env.SignalWorkflow(batch.SignalCancel, batch.CancelRequest{RequestedBy: "somebody"})
	})
	f.runBulk(bulkJob)
	_, job := f.renewed()
	next, err := batch.ParseJob([]byte(job))
	require.NoError(t, err)
	require.NotNil(t, next.Carried.State.Cancellation)
	for _, u := range next.Carried.Bulk.Units {
		require.Equal(t, u.Number < 3, u.Stage == batch.UnitEnded, "unit %d is %s", u.Number, u.Stage)
	}
	require.Len(t, next.Carried.Bulk.Units, 3)
	require.False(t, next.Carried.Bulk.CheckAt.IsZero())
}
