package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"batchkeeper/activities"
	"batchkeeper/batch"
)

// track follows the batch to a terminal status. Truth comes from reads alone;
// deliveries, cancels and operators only shorten the wait between them.
func (r *run) track(ctx workflow.Context) error {
	for {
		wait := r.read(ctx)
		r.show(ctx)
		switch d := batch.Decide(r.sightAt(workflow.Now(ctx))); d.Action {
		case batch.Collect:
			r.endCancellation()
			r.book.Tracked, r.state.NextPollAt, r.state.Problem = true, nil, ""
			return nil
		case batch.GiveUp:
			return end(d.Outcome, d.Reason)
		case batch.AskCancel:
			wait = max(wait, r.askCancel(ctx, d.Reason))
		case batch.ReadAgain:
			if r.due {
				r.book.BareReads++
			}
			r.state.Problem = d.Reason
		case batch.KeepTracking:
		}
		if err := r.sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// read fetches the batch and takes what it shows into the state. It returns how
// long the gateway asked to be left alone.
func (r *run) read(ctx workflow.Context) time.Duration {
	r.due = !r.urgent && !r.nudged
	r.urgent, r.nudged, r.unread = false, false, true
	r.book.LastFetchAt = workflow.Now(ctx)
	out, err := call(ctx, quickRead("read batch "+r.state.BatchID), act.Poll,
		activities.PollInput{Dialect: r.dialect(), BatchID: r.state.BatchID})
	now := workflow.Now(ctx)
	r.state.Polls++
	switch {
	case err != nil:
		r.state.Problem = "read the batch: " + reason(err)
	case out.Batch != nil:
		r.observe(now, *out.Batch)
	default:
		r.state.Problem = out.Problem
		if out.NotFound && r.book.MissingSince.IsZero() {
			r.book.MissingSince = now
		}
	}
	if r.book.TerminalHint && !r.state.Status.IsTerminal() {
		r.hintUnconfirmed()
	}
	return out.RetryAfter
}

func (r *run) observe(now time.Time, b batch.Snapshot) {
	r.unread = false
	r.state.Observe(b)
	r.state.Problem = ""
	r.book.Fetched, r.book.MissingSince, r.book.CancelURL = true, time.Time{}, b.CancelURL
	r.book.History.Note(now, r.state.RequestCounts)
}

// hintUnconfirmed counts a read that disagrees with a terminal delivery; after
// the last quick one the normal schedule takes over, open to the next delivery.
func (r *run) hintUnconfirmed() {
	r.book.HintTries++
	if _, ok := batch.SoonAgain(r.book.HintTries - 1); !ok {
		r.book.TerminalHint, r.book.HintTries = false, 0
	}
}

func (r *run) sightAt(now time.Time) batch.Sight {
	s := batch.Sight{
		Now: now, Status: r.state.Status, HasOutput: r.state.OutputFileID != "", Counts: r.state.RequestCounts,
		Unread: r.unread, BareReads: r.book.BareReads, Given: r.job.BatchID != "", CancelGrace: r.job.CancelGrace.Std(), MissingSince: r.book.MissingSince,
		Fetched: r.book.Fetched, SettleBy: r.book.TrackedSince.Add(r.job.SettleTimeout.Std()),
	}
	if r.job.StaleAfter > 0 {
		s.StaleAt = r.book.History.Since.Add(r.job.StaleAfter.Std())
	}
	if c := r.state.Cancellation; c != nil {
		s.CancelRequested = true
		s.CancelSettled = c.Result == batch.CancelAccepted || c.Result == batch.CancelNotSupported
		if c.AskedAt != nil {
			s.CancelAskedAt = *c.AskedAt
		}
	}
	return s
}

// sleep waits for the next read: until the schedule, a deadline or a quick
// retry says so, or something calls. Deliveries that are not urgent collapse
// into one read per HintGap.
func (r *run) sleep(ctx workflow.Context, retryAfter time.Duration) error {
	until, what := r.nextRead(workflow.Now(ctx), retryAfter)
	r.state.NextPollAt = timePtr(until)
	r.show(ctx)
	gap := r.book.LastFetchAt.Add(batch.HintGap)
	calls := func() bool { return r.urgent || r.nudged && gap.Before(until) }
	if err := r.rest(ctx, until, what, calls); err != nil {
		return err
	}
	if r.nudged && !r.urgent {
		return r.rest(ctx, earliest(gap, until), "gather deliveries", func() bool { return r.urgent })
	}
	return nil
}

// nextRead is when to read next, and why then.
func (r *run) nextRead(now time.Time, retryAfter time.Duration) (time.Time, string) {
	history := r.book.History
	s, c := r.sightAt(now), r.state.Cancellation
	if c != nil && c.AskedAt != nil { // a cancelling batch is young again: it has little time left
		history = batch.PollHistory{Since: *c.AskedAt, Webhooks: history.Webhooks}
	}
	until, what := now.Add(batch.NextPoll(r.job.Poll, history, now, retryAfter)), "next read of the batch"
	sooner := func(at time.Time, why string) {
		if !at.IsZero() && at.After(now) && at.Before(until) {
			until, what = at, why
		}
	}
	if retryAfter == 0 {
		if n := r.book.HintTries; r.book.TerminalHint && n > 0 {
			wait, _ := batch.SoonAgain(n - 1)
			sooner(now.Add(wait), "a delivery says terminal: read again soon")
		}
		if wait, ok := batch.SoonAgain(r.book.CancelTries - 1); ok && c != nil && !s.CancelSettled {
			sooner(now.Add(wait), "ask again to cancel")
		}
		if r.state.Status.IsTerminal() {
			sooner(now.Add(batch.NextPoll(r.job.Poll, batch.PollHistory{Since: now}, now, 0)), "terminal without an output file: read again")
		}
	}
	if c == nil {
		sooner(s.StaleAt, "stale_after")
	} else if c.AskedAt != nil {
		sooner(s.CancelAskedAt.Add(s.CancelGrace), "cancel_grace")
	}
	if !s.MissingSince.IsZero() && (s.Fetched || s.Given) {
		sooner(s.MissingSince.Add(batch.MissingGrace), "the batch is missing: last read")
	} else if !s.Fetched {
		sooner(s.SettleBy, "settle_timeout")
	}
	return until, what
}
