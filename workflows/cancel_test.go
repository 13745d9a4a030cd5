package workflows_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"batchkeeper/activities"
	"batchkeeper/batch"
)

var please = batch.CancelRequest{Reason: "no longer wanted", RequestedBy: "ana"}

// sources are the ways in which a cancel reaches a run from outside.
func sources(w *world) map[string]func() {
	return map[string]func(){
		"update":   func() { w.update(batch.UpdateCancel, please) },
		"signal":   func() { w.env.SignalWorkflow(batch.SignalCancel, please) },
		"temporal": func() { w.env.CancelWorkflow() },
	}
}

func TestCancelFromEverySource(t *testing.T) {
	for source := range sources(nil) {
		t.Run(source, func(t *testing.T) {
			w := newWorld(t)
			asked := false
			w.cancel = func(activities.CancelInput) (activities.CancelOutput, error) {
				asked = true
				return activities.CancelOutput{Accepted: true, Batch: snap("cancelling")}, nil
			}
			n := 0
			w.poll = func(activities.PollInput) (activities.PollOutput, error) {
				if !asked {
					return activities.PollOutput{Batch: snap("in_progress")}, nil
				}
				if n++; n < 3 {
					return activities.PollOutput{Batch: snap("cancelling")}, nil
				}
				return activities.PollOutput{Batch: snap("cancelled")}, nil
			}
			w.at(20*time.Minute, sources(w)[source])
			e := w.run(plainJob)
			require.Equal(t, "canceled", e.status)
			require.Equal(t, batch.OutcomeCancelled, e.Outcome)
			require.Equal(t, 1, w.count("Cancel"))
			require.Equal(t, 1, w.count("Reconcile"), "what was answered is collected")
			require.Equal(t, batch.CancelAccepted, e.Cancellation.Result)
			require.True(t, *e.Cancellation.CancelURLAvailable)
			want := "ana"
			if source == "temporal" {
				want = "temporal"
			}
			require.Equal(t, want, e.Cancellation.RequestedBy)
		})
	}
}

func TestStaleBatchIsCancelled(t *testing.T) {
	w := newWorld(t)
	var at time.Time
	start := w.env.Now()
	w.poll = func(activities.PollInput) (activities.PollOutput, error) {
		if at.IsZero() {
			return activities.PollOutput{Batch: snap("in_progress")}, nil
		}
		return activities.PollOutput{Batch: snap("cancelled")}, nil
	}
	w.cancel = func(activities.CancelInput) (activities.CancelOutput, error) {
		at = w.env.Now()
		return activities.CancelOutput{Accepted: true}, nil
	}
	e := w.run(`{"input":"in.jsonl","stale_after":"3h1m"}`)
	require.Equal(t, batch.OutcomeCancelled, e.Outcome)
	require.Equal(t, "stale_after", e.Cancellation.RequestedBy)
	require.InDelta(t, (3*time.Hour + time.Minute).Seconds(), at.Sub(start).Seconds(), 2, "on the deadline, not at the next poll")
}

func TestCancelBeforeThereIsABatch(t *testing.T) {
	for source := range sources(nil) {
		for _, stage := range []string{"Inspect", "Upload", "LookUp"} {
			t.Run(source+" in "+stage, func(t *testing.T) {
				w := newWorld(t)
				now := func() { sources(w)[source]() }
				switch stage {
				case "Inspect":
					inspect := w.inspect
					w.inspect = func(in activities.InspectInput) (activities.InspectOutput, error) { now(); return inspect(in) }
				case "Upload":
					upload := w.upload
					w.upload = func(in activities.UploadInput) (activities.UploadOutput, error) { now(); return upload(in) }
				case "LookUp":
					w.lookUp = func(activities.LookUpInput) (activities.LookUpOutput, error) { now(); return w.nothing(), nil }
				}
				e := w.run(plainJob)
				require.Equal(t, batch.OutcomeCancelled, e.Outcome)
				require.Equal(t, "canceled", e.status)
				require.Zero(t, w.count("Create"))
				require.Zero(t, w.count("Cancel"))
			})
		}
	}
}

func TestCancelWhileTheCreateWaits(t *testing.T) {
	w := newWorld(t)
	w.create = answer(batch.VerdictLater, "quota")
	var r *reply
	w.at(time.Hour, func() { r = w.update(batch.UpdateCancel, please) })
	e := w.run(plainJob)
	require.Equal(t, batch.OutcomeCancelled, e.Outcome)
	require.NoError(t, r.err)
	require.Equal(t, batch.OutcomeCancelled, r.state.Outcome)
}

func TestCancelWhileAmbiguousIsSettledFirst(t *testing.T) {
	t.Run("found", func(t *testing.T) {
		w := newWorld(t)
		w.create = lost
		found := false
		w.lookUp = func(activities.LookUpInput) (activities.LookUpOutput, error) {
			if found {
				return w.ours("in_progress"), nil
			}
			return w.nothing(), nil
		}
		w.poll = statuses("in_progress", "cancelled")
		w.at(20*time.Second, func() { w.env.SignalWorkflow(batch.SignalCancel, please) })
		w.at(2*time.Minute, func() { require.Zero(t, w.count("Cancel")); found = true })
		e := w.run(plainJob)
		require.Equal(t, batch.OutcomeCancelled, e.Outcome)
		require.Equal(t, 1, w.count("Cancel"))
		require.Equal(t, batchID, e.BatchID)
	})
	t.Run("proven absent", func(t *testing.T) {
		w := newWorld(t)
		w.create = lost
		w.at(20*time.Second, func() { w.env.SignalWorkflow(batch.SignalCancel, please) })
		e := w.run(plainJob)
		require.Equal(t, batch.OutcomeCancelled, e.Outcome)
		require.Equal(t, 1, w.count("Create"))
		require.Zero(t, w.count("Cancel"))
	})
	t.Run("refused meanwhile", func(t *testing.T) {
		w := newWorld(t)
		w.create = func(activities.CreateInput) (activities.CreateOutput, error) {
			w.env.SignalWorkflow(batch.SignalCancel, please)
			return activities.CreateOutput{Verdict: batch.VerdictRefused, Message: "no"}, nil
		}
		e := w.run(plainJob)
		require.Equal(t, batch.OutcomeCancelled, e.Outcome)
	})
}

func TestCancelTooLate(t *testing.T) {
	w := newWorld(t)
	w.cancel = func(activities.CancelInput) (activities.CancelOutput, error) {
		w.poll = statuses("completed")
		return activities.CancelOutput{Accepted: true, Batch: snap("cancelling")}, nil
	}
	w.poll = statuses("in_progress")
	w.at(20*time.Minute, func() { w.env.SignalWorkflow(batch.SignalCancel, please) })
	e := w.run(plainJob)
	require.NoError(t, e.err)
	require.Equal(t, batch.OutcomeCompleted, e.Outcome)
	require.Equal(t, batch.CancelTooLate, e.Cancellation.Result)
}

func TestCancelRefusedMeansReadAgain(t *testing.T) {
	w := newWorld(t)
	var asked time.Time
	w.cancel = func(activities.CancelInput) (activities.CancelOutput, error) {
		asked = w.env.Now()
		w.poll = func(activities.PollInput) (activities.PollOutput, error) {
			require.LessOrEqual(t, w.env.Now().Sub(asked), time.Second)
			return activities.PollOutput{Batch: snap("completed")}, nil
		}
		return activities.CancelOutput{Refused: true, Message: "409 already completed"}, nil
	}
	w.poll = statuses("in_progress")
	var r *reply
	w.at(20*time.Minute, func() { r = w.update(batch.UpdateCancel, please) })
	e := w.run(plainJob)
	require.Equal(t, batch.OutcomeCompleted, e.Outcome)
	require.Equal(t, batch.CancelTooLate, e.Cancellation.Result)
	require.NoError(t, r.err)
	require.Contains(t, r.state.Cancellation.LastAnswer, "409")
}

func TestCancelThatIsNeverConfirmed(t *testing.T) {
	for name, answer := range map[string]activities.CancelOutput{
		"stuck cancelling":    {Accepted: true, Batch: snap("cancelling")},
		"not supported":       {NotSupported: true, Message: "501"},
		"refused again":       {Refused: true, Message: "409"},
		"gateway unreachable": {Message: "no route"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.poll = statuses("in_progress")
			w.cancel = func(activities.CancelInput) (activities.CancelOutput, error) { return answer, nil }
			var asked time.Time
			w.at(20*time.Minute, func() { asked = w.env.Now(); w.env.SignalWorkflow(batch.SignalCancel, please) })
			e := w.run(`{"input":"in.jsonl","cancel_grace":"40m"}`)
			require.Equal(t, batch.OutcomeCancelUnconfirmed, e.Outcome)
			require.Equal(t, string(batch.KindCancelUnconfirmed), e.status)
			require.Equal(t, batch.CancelUnconfirmed, e.Cancellation.Result)
			require.InDelta(t, 40*time.Minute.Minutes(), w.env.Now().Sub(asked).Minutes(), 0.2)
			require.Less(t, w.count("Cancel"), 200)
		})
	}
}

func TestCancelOfATerminalBatchIsRejected(t *testing.T) {
	w := newWorld(t)
	var r *reply
	w.download = func(in activities.DownloadInput) (activities.DownloadOutput, error) {
		r = w.update(batch.UpdateCancel, please)
		return activities.DownloadOutput{Ref: batch.Ref{Key: in.Key}}, nil
	}
	e := w.run(plainJob)
	require.Equal(t, batch.OutcomeCompleted, e.Outcome)
	require.ErrorContains(t, r.rejected, "already completed")
	require.Nil(t, e.Cancellation)
}

func TestASecondCancelChangesNothing(t *testing.T) {
	w := newWorld(t)
	w.poll = statuses("in_progress", "in_progress", "cancelling", "cancelling", "cancelled")
	w.at(20*time.Second, func() { w.env.SignalWorkflow(batch.SignalCancel, please) })
	var r *reply
	w.at(25*time.Second, func() { r = w.update(batch.UpdateCancel, batch.CancelRequest{RequestedBy: "bo"}) })
	e := w.run(plainJob)
	require.Equal(t, "ana", e.Cancellation.RequestedBy)
	require.Equal(t, 1, w.count("Cancel"))
	require.NoError(t, r.err)
}

func TestCancelIsAnsweredAfterContinueAsNew(t *testing.T) {
	w := newWorld(t)
	w.poll = statuses("cancelling")
	w.at(20*time.Second, func() { w.env.SignalWorkflow(batch.SignalCancel, please) })
	w.at(2*time.Minute, func() { w.env.SetContinueAsNewSuggested(true) })
	w.env.ExecuteWorkflow(batch.WorkflowBatch, []byte(plainJob))
	var next *workflow.ContinueAsNewError
	require.ErrorAs(t, w.env.GetWorkflowError(), &next)

	w = newWorld(t)
	w.poll = statuses("cancelling", "cancelling", "cancelled")
	w.env.SetContinuedExecutionRunID("the-run-before")
	var r *reply
	w.at(time.Second, func() { r = w.update(batch.UpdateCancel, please) })
	w.at(2*time.Second, func() { require.True(t, r.done, "already answered in the run before") })
	e := w.run(string(next.Input.GetPayloads()[0].GetData()))
	require.Equal(t, batch.OutcomeCancelled, e.Outcome)
	require.Zero(t, w.count("Cancel"), "asked in the run before")
}

// An adopted batch exists before its rows are looked at: whatever becomes of the
// inspection, a cancel reaches the gateway.
func TestCancelOfAnAdoptedBatchDuringItsInspection(t *testing.T) {
	for name, inspect := range map[string]func() (activities.InspectOutput, error){
		"failing":  func() (activities.InspectOutput, error) { return activities.InspectOutput{}, errors.New("store down") },
		"rejected": func() (activities.InspectOutput, error) { return activities.InspectOutput{Rejected: "bad rows"}, nil },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			happy := w.inspect
			w.inspect = func(in activities.InspectInput) (activities.InspectOutput, error) {
				if in.Job.Input == "" {
					return happy(in)
				}
				w.env.SignalWorkflow(batch.SignalCancel, batch.CancelRequest{Reason: "stop"})
				return inspect()
			}
			w.poll = statuses("in_progress", "cancelled")
			e := w.run(`{"batch_id":"` + batchID + `","input":"in.jsonl"}`)
			require.Equal(t, 1, w.count("Cancel"), "the gateway was asked")
			require.Equal(t, batch.OutcomeCancelled, e.Outcome)
		})
	}
}

// What the answer to a cancel says of the end is believed once it is read.
func TestTheAnswerToACancelIsNoRead(t *testing.T) {
	w := newWorld(t)
	w.poll = statuses("in_progress", "cancelling", "completed")
	w.cancel = func(activities.CancelInput) (activities.CancelOutput, error) {
		return activities.CancelOutput{Accepted: true, Batch: snap("cancelled")}, nil
	}
	w.at(time.Second, func() { w.env.SignalWorkflow(batch.SignalCancel, batch.CancelRequest{}) })
	e := w.run(plainJob)
	require.Equal(t, batch.OutcomeCompleted, e.Outcome)
	require.Equal(t, batch.CancelTooLate, e.Cancellation.Result)
}
