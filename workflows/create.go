package workflows

import (
	"errors"
	"fmt"
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
			if err := r.lookFailed(ctx, err); err != nil {
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
	for workflow.Now(ctx).Before(r.book.NextAskAt) && r.settle == nil {
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
	in := activities.LookUpInput{Dialect: r.dialect(), SessionID: r.session, Hints: s.Hints, Wide: s.Ambiguous}
	if s.FirstPostAfter != nil {
		in.Reach = s.FirstPostAfter.Add(-batch.ProofReach)
	}
	return call(ctx, quickRead("look for a batch of this run"), act.LookUp, in)
}

// lookFailed waits after a list that could not be read: nothing is posted blind.
func (r *run) lookFailed(ctx workflow.Context, cause error) error {
	now, s := workflow.Now(ctx), r.submission()
	r.state.Problem = "look for a batch of this run: " + reason(cause)
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
	} else {
		r.tryAgain(now, 0)
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
	switch batch.Next(batch.Crossroads{
		Now: now, Submission: *s, Look: out.Look, Confirmed: out.Batch != nil,
		CancelRequested: r.cancelRequested(), Resubmit: resubmit, SettleBy: r.settleBy(), CreateBy: r.createBy(),
	}) {
	case batch.StepAdopt:
		r.adopt(now, *out.Batch)
	case batch.StepWait:
		r.lookAgain(now)
	case batch.StepGiveUp:
		return r.unsettled()
	case batch.StepTimeout:
		return r.timedOut()
	case batch.StepStop:
		if r.doubtPast(ctx, out.Look) {
			return nil
		}
		return errStopped
	case batch.StepPost:
		if r.doubtPast(ctx, out.Look) {
			return nil
		}
		return r.post(ctx, out.Look, resubmit)
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

// doubt makes the create ambiguous from now on: a batch may exist. What is not
// known of the post is taken at its worst: made as early as this run began, and
// written as late as it could have been.
func (r *run) doubt(now time.Time, look batch.Look) {
	s := r.submission()
	if s.FirstPostAfter == nil {
		s.FirstPostAfter = timePtr(r.book.StartedAt.Add(look.Date.Sub(look.ReadAt)))
	}
	s.PostDeadline = timePtr(now.Add(postWindow))
	s.Ambiguous, s.AmbiguousSince = true, timePtr(now)
	r.book.Looks = 0
}

// post makes the one paid call. While it is under way, and if its answer is
// lost, a batch may exist.
func (r *run) post(ctx workflow.Context, look batch.Look, resubmit bool) error {
	now, s := workflow.Now(ctx), r.submission()
	s.Posts++
	if s.FirstPostAfter == nil || !resubmit {
		s.FirstPostAfter = timePtr(look.Date)
	}
	r.doubt(now, look)
	out, err := call(ctx, submitOnce(fmt.Sprintf("create the batch (post %d)", s.Posts), r.book.Mode), act.Create, activities.CreateInput{
		Dialect: r.dialect(), Mode: r.book.Mode, InputFileID: r.state.InputFileID, Input: r.job.Input, Range: r.job.InputRange,
		SessionID: r.session, Endpoint: r.state.Endpoint, Model: r.job.Model, CompletionWindow: r.job.CompletionWindow,
		Metadata: r.job.Metadata, Provider: r.job.Provider, WebhookEndpointID: r.job.WebhookEndpointID, NotAfter: *s.PostDeadline,
	})
	if err != nil {
		out = activities.CreateOutput{Verdict: batch.VerdictUnknown, Message: "the answer was lost: " + reason(err)}
	}
	return r.afterPost(workflow.Now(ctx), out)
}

func (r *run) afterPost(now time.Time, out activities.CreateOutput) error {
	s := r.submission()
	s.LastAnswer, r.state.Problem = out.Message, out.Message
	if out.Verdict != batch.VerdictUnknown {
		s.Ambiguous, s.AmbiguousSince = false, nil
	}
	switch out.Verdict {
	case batch.VerdictCreated:
		if out.Batch != nil {
			r.adopt(now, *out.Batch)
		} else {
			r.own(now, out.BatchID)
		}
	case batch.VerdictRefused:
		if r.cancelRequested() {
			return errStopped
		}
		return end(batch.OutcomeRejected, "create: "+out.Message)
	case batch.VerdictLater:
		r.tryAgain(now, out.RetryAfter)
	case batch.VerdictUnknown:
		s.Hint(out.BatchID)
		r.book.Looks = 0
		r.lookAgain(now)
	}
	return nil
}

// doubtPast tells whether this is the copy that a reset made, whose original
// may have posted after the point that was reset to. Which run we are is asked
// through history: the copy replays the original's answers up to that point.
func (r *run) doubtPast(ctx workflow.Context, look batch.Look) bool {
	var here string
	err := workflow.SideEffectWithOptions(ctx, workflow.SideEffectOptions{Summary: "which run is about to create"},
		func(ctx workflow.Context) any { return workflow.GetInfo(ctx).WorkflowExecution.RunID }).Get(&here)
	if original := r.info.OriginalRunID; err != nil || original == "" || here == original || here == r.book.ResetSeen {
		return false
	}
	r.book.ResetSeen = here
	r.doubt(workflow.Now(ctx), look)
	r.submission().LastAnswer = "the run was reset: what it posted before is not known here"
	return true
}

// applySettle follows an operator's word; resubmit allows a post without proof.
func (r *run) applySettle(ctx workflow.Context) (resubmit bool, err error) {
	req := r.settle
	if req == nil {
		return false, nil
	}
	defer func() { r.settle = nil }()
	if req.Resubmit {
		return true, nil
	}
	out, err := call(ctx, quickRead("read batch "+req.BatchID), act.Poll, activities.PollInput{Dialect: r.dialect(), BatchID: req.BatchID})
	switch {
	case err != nil:
		r.settled = errors.New("settle: " + reason(err))
	case out.Batch == nil:
		r.settled = fmt.Errorf("settle: batch %s: %s", req.BatchID, out.Problem)
	default:
		r.adopt(workflow.Now(ctx), *out.Batch)
	}
	return false, nil
}

// dropSettle answers an operator whose word came too late.
func (r *run) dropSettle() {
	if r.settle != nil {
		r.settle, r.settled = nil, errors.New("settle: the create has settled itself")
	}
}

// adopt makes a batch that was read this run's own.
func (r *run) adopt(now time.Time, b batch.Snapshot) {
	r.own(now, b.BatchID)
	r.state.Observe(b)
	r.book.CancelURL = b.CancelURL
	if !b.CreatedAt.IsZero() && b.CreatedAt.Before(now) {
		r.book.History.Since = b.CreatedAt
	}
}

// own begins the tracking of a batch known by its id alone.
func (r *run) own(now time.Time, batchID string) {
	s := r.submission()
	s.Ambiguous, s.AmbiguousSince = false, nil
	r.state.BatchID, r.state.Problem = batchID, ""
	r.book.Created, r.book.TrackedSince, r.book.History.Since = true, now, now
}

func (r *run) createBy() time.Time { return r.book.CreateSince.Add(r.job.CreateTimeout.Std()) }

// settleBy is when an ambiguous create is given up; while it is not ambiguous,
// a day that never comes.
func (r *run) settleBy() time.Time {
	since := r.book.CreateSince
	if at := r.submission().AmbiguousSince; at != nil {
		since = *at
	}
	return since.Add(r.job.SettleTimeout.Std())
}

func (r *run) timedOut() error {
	return end(batch.OutcomeRejected, fmt.Sprintf("create: not accepted within create_timeout (%s): %s", r.job.CreateTimeout, r.state.Problem))
}

func (r *run) unsettled() error {
	s := r.submission()
	return end(batch.OutcomeSubmissionUnknown, fmt.Sprintf(
		"whether a batch exists was not settled within settle_timeout (%s): session %s, posts %d, last answer %q, "+
			"batch ids seen %v, input file %q; look for the session at the provider before starting again",
		r.job.SettleTimeout, r.session, s.Posts, s.LastAnswer, s.Hints, r.state.InputFileID))
}
