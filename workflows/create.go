package workflows

import (
	"errors"
	"time"

	"go.temporal.io/sdk/workflow"

	"batchkeeper/activities"
	"batchkeeper/batch"
)

// create makes at most one batch: every way to a post leads through a look that
// found none, and once a post may have been heard, only proof of absence or an
// operator's word leads to another.
func (r *run) create(ctx workflow.Context) error {
	defer r.dropSettle()
	now := workflow.Now(ctx)
	if r.job.BatchID != "" {
		r.own(now, r.job.BatchID)
		return nil
	}
	if r.book.CreateSince.IsZero() {
		r.book.CreateSince = now
	}
	for !r.book.Created {
		if err := r.waitToCreate(ctx); err != nil {
			return err
		}
		resubmit, err := r.applySettle(ctx)
		if err != nil || r.book.Created {
			return err
		}
		look, err := r.lookUp(ctx)
		if err != nil {
			look.Problem = reason(err)
		}
		if look.Problem != "" {
			if err := r.lookFailed(ctx, look); err != nil {
				return err
			}
			continue
		}
		if err := r.afterLook(ctx, look, resubmit); err != nil {
			return err
		}
	}
	return nil
}

// waitToCreate waits until the gateway may be asked again.
func (r *run) waitToCreate(ctx workflow.Context) error {
	for workflow.Now(ctx).Before(r.book.NextAskAt) && !r.settleNew {
		if r.cancelRequested() && !r.submission().Ambiguous {
			return errStopped
		}
		r.show(ctx)
		what := "create again"
		if r.submission().Ambiguous {
			what = "look for the batch again"
		}
		if err := r.rest(ctx, r.book.NextAskAt, what, func() bool { return r.urgent }); err != nil {
			return err
		}
		if r.urgent && r.submission().Ambiguous {
			r.urgent = false
			return nil // a delivery, a cancel or an operator: look now
		}
		r.urgent = false
	}
	return nil
}

func (r *run) lookUp(ctx workflow.Context) (activities.LookUpOutput, error) {
	s := r.submission()
	s.Lookups++
	in := activities.LookUpInput{
		Dialect: r.dialect(), SessionID: r.session, Hints: s.Hints, Wide: s.Ambiguous,
		Reach: r.book.StartedAt.Add(-batch.ProofReach), // no batch of the session is older than the run
	}
	if s.FirstPostAfter != nil {
		in.Reach = s.FirstPostAfter.Add(-batch.ProofReach)
	}
	return call(ctx, quickRead("look for a batch of this run"), act.LookUp, in)
}

// lookFailed waits after a list that could not be read: nothing is posted blind.
func (r *run) lookFailed(ctx workflow.Context, out activities.LookUpOutput) error {
	now, s := workflow.Now(ctx), r.submission()
	r.state.Problem = "look for a batch of this run: " + out.Problem
	switch {
	case s.Ambiguous && !now.Before(r.settleBy()):
		return r.unsettled()
	case !s.Ambiguous && r.cancelRequested():
		return errStopped
	case !s.Ambiguous && !now.Before(r.createBy()):
		return r.timedOut()
	}
	if s.Ambiguous {
		r.lookAgain(now)
		r.book.NextAskAt = earliest(latest(r.book.NextAskAt, now.Add(out.RetryAfter)), r.settleBy())
	} else {
		r.tryAgain(now, out.RetryAfter)
	}
	return nil
}

func (r *run) lookAgain(now time.Time) {
	r.book.NextAskAt = now.Add(batch.NextLook(r.book.Looks))
	r.book.Looks++
}

func (r *run) tryAgain(now time.Time, retryAfter time.Duration) {
	r.book.NextAskAt = earliest(batch.RetryAt(now, r.book.PostTries, retryAfter), r.createBy())
	r.book.PostTries++
}

// afterLook takes the step that the look allows.
func (r *run) afterLook(ctx workflow.Context, out activities.LookUpOutput, resubmit bool) error {
	now, s := workflow.Now(ctx), r.submission()
	r.noteFound(now, out.Look)
	if resubmit && len(out.Look.Found) > 0 {
		r.settle, r.settled = nil, errors.New("settle: a batch of this session was found: it is adopted once a fetch confirms it, and nothing is posted")
	}
	switch batch.Next(batch.Crossroads{
		Now: now, Submission: *s, Look: out.Look, Confirmed: out.Batch != nil,
		CancelRequested: r.cancelRequested(), Resubmit: resubmit, SettleBy: r.settleBy(), CreateBy: r.createBy(),
	}) {
	case batch.StepAdopt:
		r.adopt(now, *out.Batch)
		r.book.Fetched = true
	case batch.StepWait:
		r.lookAgain(now)
	case batch.StepGiveUp:
		return r.unsettled()
	case batch.StepTimeout:
		return r.timedOut()
	case batch.StepStop:
		if _, doubted := r.doubtPast(ctx, out.Look); doubted {
			return nil
		}
		return errStopped
	case batch.StepPost:
		here, doubted := r.doubtPast(ctx, out.Look)
		if doubted {
			return nil
		}
		if resubmit {
			r.settle = nil // followed
		}
		return r.post(ctx, out.Look, resubmit, here)
	}
	return nil
}

// noteFound makes visible what was found, duplicates included. What no fetch
// confirmed can no longer be assumed away, whoever made it.
func (r *run) noteFound(now time.Time, look batch.Look) {
	first, duplicates := batch.Oldest(look.Found)
	r.state.BatchID, r.state.Status = first.BatchID, first.Status
	r.submission().Duplicates = duplicates
	if len(look.Found) > 0 && !r.submission().Ambiguous {
		r.doubt(now, look)
	}
}
