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

// lost is a create whose answer never came back.
func lost(activities.CreateInput) (activities.CreateOutput, error) {
	return activities.CreateOutput{}, temporal.NewApplicationError("connection reset", "")
}

func answer(v batch.Verdict, message string) func(activities.CreateInput) (activities.CreateOutput, error) {
	return func(activities.CreateInput) (activities.CreateOutput, error) {
		return activities.CreateOutput{Verdict: v, Message: message}, nil
	}
}

func TestLostAnswerIsSettledByLookingUp(t *testing.T) {
	w := newWorld(t)
	w.create = lost
	looks := 0
	w.lookUp = func(in activities.LookUpInput) (activities.LookUpOutput, error) {
		looks++
		require.Equal(t, looks > 1, in.Wide, "pages by status are read only in doubt")
		if looks < 4 {
			return w.nothing(), nil
		}
		return w.ours("in_progress"), nil
	}
	w.at(2500*time.Millisecond, func() {
		s := w.state()
		require.True(t, s.Submission.Ambiguous)
		require.Contains(t, s.Submission.LastAnswer, "connection reset")
	})
	e := w.run(plainJob)
	require.Equal(t, batch.OutcomeCompleted, e.Outcome)
	require.Equal(t, 1, w.count("Create"), "never a second post")
	require.Equal(t, batchID, e.BatchID)
	require.False(t, e.Submission.Ambiguous)
}

func TestTheOldestIsTrackedAndTheOtherReported(t *testing.T) {
	w := newWorld(t)
	w.create = lost
	looks := 0
	w.lookUp = func(activities.LookUpInput) (activities.LookUpOutput, error) {
		if looks++; looks == 1 {
			return w.nothing(), nil
		}
		out := w.ours("in_progress")
		out.Look.Found = []batch.Found{
			{BatchID: "batch_later", CreatedAt: w.env.Now()}, {BatchID: batchID, CreatedAt: w.env.Now().Add(-time.Second)},
		}
		return out, nil
	}
	e := w.run(plainJob)
	require.Equal(t, batch.OutcomeCompleted, e.Outcome)
	require.Equal(t, []string{"batch_later"}, e.Submission.Duplicates)
	require.Equal(t, 1, w.count("Create"))
}

func TestAbsenceIsProvenBeforeASecondPost(t *testing.T) {
	w := newWorld(t)
	var posts []time.Time
	w.create = func(in activities.CreateInput) (activities.CreateOutput, error) {
		posts = append(posts, w.env.Now())
		if len(posts) == 1 {
			return lost(in)
		}
		return activities.CreateOutput{Verdict: batch.VerdictCreated, BatchID: batchID, Batch: snap("validating")}, nil
	}
	e := w.run(plainJob)
	require.Equal(t, batch.OutcomeCompleted, e.Outcome)
	require.Len(t, posts, 2)
	require.GreaterOrEqual(t, posts[1].Sub(posts[0]), 10*time.Minute+30*time.Second)
}

func TestAListThatProvesNothingNeverLeadsToAPost(t *testing.T) {
	w := newWorld(t)
	w.create = lost
	w.lookUp = func(activities.LookUpInput) (activities.LookUpOutput, error) {
		return activities.LookUpOutput{Look: batch.Look{ReadAt: w.env.Now(), Date: w.env.Now(), Items: 100, OldestAt: w.env.Now()}}, nil
	}
	e := w.run(`{"input":"in.jsonl","settle_timeout":"3h"}`)
	require.Equal(t, batch.OutcomeSubmissionUnknown, e.Outcome)
	require.Equal(t, string(batch.KindSubmissionUnknown), e.status)
	require.Equal(t, 1, w.count("Create"))
	for _, need := range []string{e.SessionID, "posts 1", "file-in", "connection reset"} {
		require.Contains(t, e.Failure.Message, need, "all an operator needs")
	}
}

func TestListDownWhileAmbiguous(t *testing.T) {
	w := newWorld(t)
	w.create = lost
	looks := 0
	w.lookUp = func(activities.LookUpInput) (activities.LookUpOutput, error) {
		if looks++; looks == 1 {
			return w.nothing(), nil
		}
		return activities.LookUpOutput{}, errors.New("list is down")
	}
	e := w.run(`{"input":"in.jsonl","settle_timeout":"1h"}`)
	require.Equal(t, batch.OutcomeSubmissionUnknown, e.Outcome)
	require.Equal(t, 1, w.count("Create"))
}

func TestNothingIsPostedBlind(t *testing.T) {
	w := newWorld(t)
	looks := 0
	w.lookUp = func(activities.LookUpInput) (activities.LookUpOutput, error) {
		if looks++; looks <= 6 {
			require.Zero(t, w.count("Create"))
			return activities.LookUpOutput{}, errors.New("list is down")
		}
		return w.nothing(), nil
	}
	e := w.run(plainJob)
	require.Equal(t, batch.OutcomeCompleted, e.Outcome)
}

func TestCreateThatMayPassLater(t *testing.T) {
	w := newWorld(t)
	var posts []time.Time
	w.create = func(activities.CreateInput) (activities.CreateOutput, error) {
		posts = append(posts, w.env.Now())
		if len(posts) < 3 {
			return activities.CreateOutput{Verdict: batch.VerdictLater, Message: "429 slow down", RetryAfter: 90 * time.Second}, nil
		}
		return activities.CreateOutput{Verdict: batch.VerdictCreated, BatchID: batchID, Batch: snap("validating")}, nil
	}
	w.at(time.Minute, func() { require.Contains(t, w.state().Problem, "slow down") })
	e := w.run(plainJob)
	require.Equal(t, batch.OutcomeCompleted, e.Outcome)
	require.Len(t, posts, 3)
	require.Equal(t, 3, w.count("LookUp"), "every post is preceded by a look")
	for i := range 2 {
		require.InDelta(t, 92, posts[i+1].Sub(posts[i]).Seconds(), 2.1, "no sooner than Retry-After, no later than 5 s after it")
	}
}

func TestCreateTimeout(t *testing.T) {
	w := newWorld(t)
	w.create = answer(batch.VerdictLater, "402 daily limit")
	e := w.run(`{"input":"in.jsonl","create_timeout":"1h"}`)
	require.Equal(t, batch.OutcomeRejected, e.Outcome)
	require.Contains(t, e.Failure.Message, "daily limit")

	w = newWorld(t)
	w.lookUp = func(activities.LookUpInput) (activities.LookUpOutput, error) {
		return activities.LookUpOutput{}, errors.New("list is down")
	}
	e = w.run(`{"input":"in.jsonl","create_timeout":"1h"}`)
	require.Equal(t, batch.OutcomeRejected, e.Outcome)
	require.Contains(t, e.Failure.Message, "list is down")
}

func TestCreateRefusedForGood(t *testing.T) {
	w := newWorld(t)
	w.create = answer(batch.VerdictRefused, "400 batch_request_limit_exceeded")
	e := w.run(plainJob)
	require.Equal(t, batch.OutcomeRejected, e.Outcome)
	require.Contains(t, e.Failure.Message, "batch_request_limit_exceeded")
	require.Equal(t, 1, w.count("Create"))
}

func TestBatchIDInsideAnErrorBody(t *testing.T) {
	t.Run("certain", func(t *testing.T) {
		w := newWorld(t)
		w.create = func(activities.CreateInput) (activities.CreateOutput, error) {
			return activities.CreateOutput{Verdict: batch.VerdictCreated, BatchID: batchID, Message: "502 async_job_persistence_failed"}, nil
		}
		e := w.run(plainJob)
		require.Equal(t, batch.OutcomeCompleted, e.Outcome)
	})
	t.Run("a hint", func(t *testing.T) {
		w := newWorld(t)
		w.create = func(activities.CreateInput) (activities.CreateOutput, error) {
			return activities.CreateOutput{Verdict: batch.VerdictUnknown, BatchID: batchID, Message: "502 upstream_outcome_unknown"}, nil
		}
		w.lookUp = func(in activities.LookUpInput) (activities.LookUpOutput, error) {
			if len(in.Hints) == 0 {
				return w.nothing(), nil
			}
			require.Equal(t, []string{batchID}, in.Hints)
			return w.ours("in_progress"), nil
		}
		e := w.run(plainJob)
		require.Equal(t, batch.OutcomeCompleted, e.Outcome)
		require.Equal(t, 1, w.count("Create"))
	})
}

func TestFoundButNotYetReadable(t *testing.T) {
	w := newWorld(t)
	w.create = lost
	looks := 0
	w.lookUp = func(activities.LookUpInput) (activities.LookUpOutput, error) {
		out := w.nothing()
		if looks++; looks > 1 {
			out = w.ours("submission_unknown")
		}
		if looks < 40 { // far past the time of proof
			out.Batch = nil
		}
		return out, nil
	}
	w.at(time.Minute, func() { require.Equal(t, batchID, w.state().BatchID, "shown while it is ambiguous") })
	e := w.run(plainJob)
	require.Equal(t, batch.OutcomeCompleted, e.Outcome)
	require.Equal(t, 1, w.count("Create"))
}

func TestDeliverySettlesAnAmbiguousCreate(t *testing.T) {
	w := newWorld(t)
	w.create = lost
	w.lookUp = func(in activities.LookUpInput) (activities.LookUpOutput, error) {
		if len(in.Hints) > 0 {
			return w.ours("in_progress"), nil
		}
		return w.nothing(), nil
	}
	var hinted time.Time
	w.at(100*time.Second, func() { hinted = w.env.Now(); w.env.SignalWorkflow(batch.SignalWebhook, delivery("evt_1", "created")) })
	w.poll = func(activities.PollInput) (activities.PollOutput, error) {
		require.Less(t, w.env.Now().Sub(hinted), time.Second, "looked up at once")
		return activities.PollOutput{Batch: snap("completed")}, nil
	}
	e := w.run(plainJob)
	require.Equal(t, batch.OutcomeCompleted, e.Outcome)
	require.Equal(t, 1, e.Webhook.Deliveries)
}

func TestSettle(t *testing.T) {
	blind := func(w *world) {
		w.create = lost
		w.lookUp = func(activities.LookUpInput) (activities.LookUpOutput, error) {
			return activities.LookUpOutput{Look: batch.Look{ReadAt: w.env.Now(), Date: w.env.Now(), Items: 100, OldestAt: w.env.Now()}}, nil
		}
	}
	t.Run("adopt", func(t *testing.T) {
		w := newWorld(t)
		blind(w)
		var r *reply
		w.at(time.Hour, func() { r = w.update(batch.UpdateSettle, batch.SettleRequest{BatchID: batchID}) })
		e := w.run(plainJob)
		require.NoError(t, r.rejected)
		require.NoError(t, r.err)
		require.Equal(t, batch.OutcomeCompleted, e.Outcome)
		require.Equal(t, 1, w.count("Create"))
	})
	t.Run("adopt what is not there", func(t *testing.T) {
		w := newWorld(t)
		blind(w)
		w.poll = func(activities.PollInput) (activities.PollOutput, error) {
			return activities.PollOutput{NotFound: true, Problem: "404"}, nil
		}
		var r *reply
		w.at(time.Hour, func() { r = w.update(batch.UpdateSettle, batch.SettleRequest{BatchID: "batch_x"}) })
		e := w.run(`{"input":"in.jsonl","settle_timeout":"2h"}`)
		require.ErrorContains(t, r.err, "404")
		require.Equal(t, batch.OutcomeSubmissionUnknown, e.Outcome, "a slip of the operator decides nothing")
	})
	t.Run("resubmit", func(t *testing.T) {
		w := newWorld(t)
		blind(w)
		var r *reply
		w.at(time.Hour, func() {
			w.create = func(activities.CreateInput) (activities.CreateOutput, error) {
				return activities.CreateOutput{Verdict: batch.VerdictCreated, BatchID: batchID, Batch: snap("validating")}, nil
			}
			r = w.update(batch.UpdateSettle, batch.SettleRequest{Resubmit: true})
		})
		e := w.run(plainJob)
		require.NoError(t, r.err)
		require.Equal(t, batch.OutcomeCompleted, e.Outcome)
		require.Equal(t, 2, w.count("Create"))
	})
	t.Run("resubmit while the list is down", func(t *testing.T) {
		w := newWorld(t)
		blind(w)
		var r *reply
		w.at(time.Hour, func() {
			w.lookUp = func(activities.LookUpInput) (activities.LookUpOutput, error) {
				return activities.LookUpOutput{Problem: "list: 503"}, nil
			}
			r = w.update(batch.UpdateSettle, batch.SettleRequest{Resubmit: true})
		})
		w.at(2*time.Hour, func() {
			require.False(t, r.done, "answered once it was followed, no sooner")
			require.Less(t, w.count("LookUp"), 200, "the list is not asked all the time")
			blind(w)
			w.create = answer(batch.VerdictRefused, "402")
		})
		e := w.run(plainJob)
		require.NoError(t, r.err)
		require.Equal(t, batch.OutcomeRejected, e.Outcome)
		require.Equal(t, 2, w.count("Create"))
	})
	t.Run("resubmit although a batch is listed", func(t *testing.T) {
		w := newWorld(t)
		blind(w)
		var r *reply
		w.at(time.Hour, func() {
			w.lookUp = func(activities.LookUpInput) (activities.LookUpOutput, error) {
				out := w.ours("submitting")
				out.Batch = nil
				return out, nil
			}
			r = w.update(batch.UpdateSettle, batch.SettleRequest{Resubmit: true})
		})
		e := w.run(`{"input":"in.jsonl","settle_timeout":"2h"}`)
		require.ErrorContains(t, r.err, "nothing is posted")
		require.Equal(t, batch.OutcomeSubmissionUnknown, e.Outcome)
		require.Equal(t, 1, w.count("Create"))
	})
	t.Run("resubmit that the end overtakes", func(t *testing.T) {
		w := newWorld(t)
		blind(w)
		var r *reply
		w.at(time.Hour, func() {
			w.lookUp = func(activities.LookUpInput) (activities.LookUpOutput, error) {
				return activities.LookUpOutput{Problem: "list: 503"}, nil
			}
			r = w.update(batch.UpdateSettle, batch.SettleRequest{Resubmit: true})
		})
		w.run(`{"input":"in.jsonl","settle_timeout":"2h"}`)
		require.True(t, r.done)
		require.Error(t, r.err)
	})
	t.Run("refused when nothing is ambiguous", func(t *testing.T) {
		w := newWorld(t)
		var replies []*reply
		w.at(5*time.Second, func() {
			replies = append(replies, w.update(batch.UpdateSettle, batch.SettleRequest{Resubmit: true}))
		})
		w.run(plainJob)
		require.ErrorContains(t, replies[0].rejected, "not ambiguous")
	})
	t.Run("refused when unclear", func(t *testing.T) {
		w := newWorld(t)
		blind(w)
		var r *reply
		w.at(time.Minute, func() { r = w.update(batch.UpdateSettle, batch.SettleRequest{}) })
		w.run(`{"input":"in.jsonl","settle_timeout":"1h"}`)
		require.ErrorContains(t, r.rejected, "either")
	})
}

// What the gateway asks for when it is searched is waited out by the run, which
// hears a cancel meanwhile.
func TestALookThatMustWaitHearsACancel(t *testing.T) {
	w := newWorld(t)
	w.lookUp = func(activities.LookUpInput) (activities.LookUpOutput, error) {
		return activities.LookUpOutput{Problem: "list: 429", RetryAfter: 20 * time.Hour}, nil
	}
	began := w.env.Now()
	w.at(5*time.Second, func() { w.env.SignalWorkflow(batch.SignalCancel, batch.CancelRequest{Reason: "no more"}) })
	e := w.run(plainJob)
	require.Equal(t, batch.OutcomeCancelled, e.Outcome)
	require.Less(t, w.env.Now().Sub(began), time.Minute)
}

func TestTheFirstLookReachesNoFurtherThanTheRun(t *testing.T) {
	w := newWorld(t)
	began := w.env.Now()
	w.lookUp = func(in activities.LookUpInput) (activities.LookUpOutput, error) {
		require.WithinDuration(t, began.Add(-batch.ProofReach), in.Reach, time.Second)
		return w.nothing(), nil
	}
	require.Equal(t, batch.OutcomeCompleted, w.run(plainJob).Outcome)
}
