package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"batchkeeper/activities"
	"batchkeeper/batch"
)

// reads notes when each read happened and answers with what status says.
func (w *world) reads(at *[]time.Time, status func(n int) batch.Status) {
	w.poll = func(activities.PollInput) (activities.PollOutput, error) {
		*at = append(*at, w.env.Now())
		return activities.PollOutput{Batch: snap(status(len(*at)))}, nil
	}
}

func TestTheIntervalGrowsWithAge(t *testing.T) {
	w := newWorld(t)
	var at []time.Time
	w.reads(&at, func(n int) batch.Status {
		if n < 120 {
			return "in_progress"
		}
		return "completed"
	})
	e := w.run(plainJob)
	require.Equal(t, batch.OutcomeCompleted, e.Outcome)
	require.Equal(t, 15*time.Second, at[1].Sub(at[0]))
	longest := time.Duration(0)
	for i := 1; i < len(at); i++ {
		gap := at[i].Sub(at[i-1])
		require.GreaterOrEqual(t, gap+time.Second, longest, "read %d", i)
		longest = max(longest, gap)
	}
	require.Equal(t, 15*time.Minute, longest)
}

func TestTerminalDeliveryIsReadAtOnce(t *testing.T) {
	w := newWorld(t)
	var at []time.Time
	var rang time.Time
	w.reads(&at, func(int) batch.Status {
		if rang.IsZero() {
			return "in_progress"
		}
		return "completed"
	})
	w.at(2*time.Hour, func() {
		rang = w.env.Now()
		w.env.SignalWorkflow(batch.SignalWebhook, delivery("evt_1", "completed"))
	})
	e := w.run(plainJob)
	require.Equal(t, batch.OutcomeCompleted, e.Outcome)
	require.Less(t, at[len(at)-1].Sub(rang), time.Second)
	require.Equal(t, "batch.completed", e.Webhook.LastEventType)
}

func TestADeliveryIsNeverBelieved(t *testing.T) {
	w := newWorld(t)
	var at []time.Time
	var rang time.Time
	w.reads(&at, func(int) batch.Status {
		if rang.IsZero() || w.env.Now().Before(rang.Add(30*time.Second)) {
			return "in_progress"
		}
		return "completed"
	})
	w.at(2*time.Hour, func() {
		rang = w.env.Now()
		w.env.SignalWorkflow(batch.SignalWebhook, delivery("evt_1", "completed"))
	})
	e := w.run(plainJob)
	require.Equal(t, batch.OutcomeCompleted, e.Outcome)
	var after []time.Duration
	for _, a := range at {
		if !a.Before(rang) {
			after = append(after, a.Sub(rang).Round(time.Second))
		}
	}
	require.Equal(t, []time.Duration{0, 1 * time.Second, 3 * time.Second, 8 * time.Second, 18 * time.Second, 38 * time.Second}, after)
}

func TestDeliveriesCollapse(t *testing.T) {
	w := newWorld(t)
	var at []time.Time
	w.reads(&at, func(int) batch.Status { return "in_progress" })
	from := time.Hour
	for i := range 300 { // ten a second, half of them repeats
		w.at(from+time.Duration(i)*100*time.Millisecond, func() {
			w.env.SignalWorkflow(batch.SignalWebhook, delivery("evt_"+string(rune('a'+i/2)), "running"))
		})
	}
	w.at(2*time.Hour, func() { w.reads(&at, func(int) batch.Status { return "completed" }) })
	var start time.Time
	w.at(from, func() { start = w.env.Now() })
	e := w.run(plainJob)
	require.Equal(t, 150, e.Webhook.Deliveries, "a repeat has no effect")
	burst := 0
	for _, a := range at {
		if !a.Before(start) && a.Before(start.Add(30*time.Second)) {
			burst++
		}
	}
	require.LessOrEqual(t, burst, 7, "at most one read per 5 s")
	require.GreaterOrEqual(t, burst, 5, "but they are heard")
}

func TestForeignDeliveriesAreIgnored(t *testing.T) {
	w := newWorld(t)
	w.poll = statuses("in_progress", "in_progress", "completed")
	for i, d := range []batch.Delivery{
		{EventID: "evt_1", BatchID: "batch_other", LifecycleStatus: batch.Completed},
		{EventID: "evt_2", BatchID: batchID, SessionID: "other~run", LifecycleStatus: batch.Completed},
		{EventID: "", BatchID: batchID, LifecycleStatus: batch.Completed},
	} {
		w.at(time.Duration(i+1)*time.Second, func() { w.env.SignalWorkflow(batch.SignalWebhook, d) })
	}
	w.at(4*time.Second, func() { w.env.SignalWorkflow(batch.SignalWebhook, "not a delivery") })
	e := w.run(plainJob)
	require.Equal(t, batch.OutcomeCompleted, e.Outcome)
	require.Zero(t, e.Webhook.Deliveries)
	require.Equal(t, 3, e.Polls)
}

func TestRefresh(t *testing.T) {
	w := newWorld(t)
	var at []time.Time
	w.reads(&at, func(n int) batch.Status {
		if n < 200 {
			return "in_progress"
		}
		return "completed"
	})
	var r *reply
	var asked time.Time
	w.at(3*time.Hour, func() { asked = w.env.Now(); r = w.update(batch.UpdateRefresh) })
	w.run(plainJob)
	require.NoError(t, r.err)
	require.Equal(t, batch.StatusInProgress, r.state.Status)
	require.Contains(t, at, asked)
}

func TestRefreshBeforeThereIsABatch(t *testing.T) {
	w := newWorld(t)
	w.create = answer(batch.VerdictLater, "later")
	var r *reply
	w.at(time.Second, func() { r = w.update(batch.UpdateRefresh) })
	w.run(`{"input":"in.jsonl","create_timeout":"10m"}`)
	require.NoError(t, r.err)
	require.True(t, r.done)
}

func TestTroubleWithReadsIsWaitedOut(t *testing.T) {
	w := newWorld(t)
	var at []time.Time
	w.poll = func(activities.PollInput) (activities.PollOutput, error) {
		at = append(at, w.env.Now())
		switch len(at) {
		case 1:
			return activities.PollOutput{Batch: snap("in_progress")}, nil
		case 2:
			return activities.PollOutput{Problem: "429", RetryAfter: 10 * time.Minute}, nil
		case 3:
			return activities.PollOutput{NotFound: true, Problem: "404 for a moment"}, nil
		case 4:
			return activities.PollOutput{Batch: snap("resting")}, nil
		case 5:
			return activities.PollOutput{Batch: snap("finalizing")}, nil
		}
		return activities.PollOutput{Batch: snap("completed")}, nil
	}
	w.at(5*time.Minute, func() { require.Equal(t, "429", w.state().Problem) })
	e := w.run(plainJob)
	require.Equal(t, batch.OutcomeCompleted, e.Outcome)
	require.Equal(t, 10*time.Minute, at[2].Sub(at[1]), "Retry-After is honored")
	require.Empty(t, e.Problem)
}

func TestAVanishedBatch(t *testing.T) {
	w := newWorld(t)
	n := 0
	w.poll = func(activities.PollInput) (activities.PollOutput, error) {
		if n++; n == 1 {
			return activities.PollOutput{Batch: snap("in_progress")}, nil
		}
		return activities.PollOutput{NotFound: true, Problem: "404"}, nil
	}
	e := w.run(plainJob)
	require.Equal(t, batch.OutcomeResultsUnavailable, e.Outcome)
	require.Contains(t, e.Failure.Message, "10m")

	w = newWorld(t)
	w.poll = func(activities.PollInput) (activities.PollOutput, error) {
		return activities.PollOutput{NotFound: true, Problem: "404"}, nil
	}
	e = w.run(`{"input":"in.jsonl","settle_timeout":"2h"}`)
	require.Equal(t, batch.OutcomeSubmissionUnknown, e.Outcome, "before a first read it is ambiguous, not lost")
	require.Equal(t, 1, w.count("Create"))
}

func TestCompletedWithoutAnOutputFile(t *testing.T) {
	bare := func(counts *batch.RequestCounts) func(activities.PollInput) (activities.PollOutput, error) {
		return func(activities.PollInput) (activities.PollOutput, error) {
			s := snap("completed")
			s.OutputFileID, s.ErrorFileID, s.RequestCounts = "", "file-err", counts
			return activities.PollOutput{Batch: s}, nil
		}
	}
	w := newWorld(t)
	w.poll = bare(&batch.RequestCounts{Total: 3, Failed: 3})
	w.reconcile = func(in activities.ReconcileInput) (activities.ReconcileOutput, error) {
		require.Len(t, in.Answers, 1)
		require.Equal(t, "errors", in.Answers[0].Name)
		r := batch.Results{Rows: 3, Failed: 3}
		return activities.ReconcileOutput{Results: r, Outcome: batch.OutcomeOf(in.Status, r)}, nil
	}
	e := w.run(plainJob)
	require.Equal(t, batch.OutcomeCompletedWithFailures, e.Outcome)
	require.Equal(t, 6, e.Polls, "read again five times")

	w = newWorld(t)
	w.poll = bare(&batch.RequestCounts{Total: 3, Completed: 3})
	e = w.run(plainJob)
	require.Equal(t, batch.OutcomeResultsUnavailable, e.Outcome)
	require.Zero(t, w.count("Reconcile"))
}

func TestContinueAsNewCarriesEverything(t *testing.T) {
	w := newWorld(t)
	var at []time.Time
	w.reads(&at, func(int) batch.Status { return "in_progress" })
	w.at(time.Hour, func() { w.env.SignalWorkflow(batch.SignalWebhook, delivery("evt_1", "running")) })
	w.at(2*time.Hour, func() { w.env.SetContinueAsNewSuggested(true) })
	w.env.ExecuteWorkflow(batch.WorkflowBatch, []byte(plainJob))
	var next *workflow.ContinueAsNewError
	require.ErrorAs(t, w.env.GetWorkflowError(), &next)
	raw := next.Input.GetPayloads()[0].GetData()
	job, err := batch.ParseJob(raw)
	require.NoError(t, err)
	require.Equal(t, batchID, job.Carried.State.BatchID)
	require.Equal(t, len(at), job.Carried.State.Polls)
	require.Equal(t, []string{"evt_1"}, job.Carried.Book.Seen)

	w = newWorld(t)
	w.poll = statuses("in_progress", "completed")
	w.env.SetContinuedExecutionRunID("the-run-before")
	w.at(time.Second, func() { w.env.SignalWorkflow(batch.SignalWebhook, delivery("evt_1", "running")) })
	e := w.run(string(raw))
	require.Equal(t, batch.OutcomeCompleted, e.Outcome)
	require.Equal(t, []string{"Poll", "Poll", "Download", "Reconcile"}, w.calls, "no step is taken twice")
	require.Equal(t, len(at)+2, e.Polls)
	require.Equal(t, job.Carried.State.SessionID, e.SessionID)
	require.Equal(t, 1, e.Webhook.Deliveries, "a repeat is known from before")
}

// Reads that fail say nothing about the files of a terminal batch, and neither
// do reads that somebody asked for: only the schedule's count.
func TestABareBatchIsReadAgainBySchedule(t *testing.T) {
	w := newWorld(t)
	reads := 0
	w.poll = func(activities.PollInput) (activities.PollOutput, error) {
		reads++
		bare := snap("completed")
		bare.OutputFileID = ""
		switch {
		case reads == 1 || reads > 8 && reads < 12:
			return activities.PollOutput{Batch: bare}, nil
		case reads <= 8:
			return activities.PollOutput{Problem: "503"}, nil
		default:
			return activities.PollOutput{Batch: snap("completed")}, nil
		}
	}
	var replies []*reply
	w.at(3*time.Second, func() {
		for range 2 * batch.MinBareReads {
			replies = append(replies, w.update(batch.UpdateRefresh))
		}
	})
	e := w.run(plainJob)
	require.Equal(t, batch.OutcomeCompleted, e.Outcome)
	require.Equal(t, 12, reads)
}

// A batch id that the gateway never knew is a slip, not a batch to wait for.
func TestAnAdoptedBatchThatNeverWas(t *testing.T) {
	w := newWorld(t)
	w.poll = func(activities.PollInput) (activities.PollOutput, error) {
		return activities.PollOutput{NotFound: true, Problem: "404"}, nil
	}
	began := w.env.Now()
	e := w.run(`{"batch_id":"batch_typo"}`)
	require.Equal(t, batch.OutcomeRejected, e.Outcome)
	require.Contains(t, e.Failure.Message, "check its id")
	require.WithinDuration(t, began.Add(batch.MissingGrace), w.env.Now(), time.Minute)
}
