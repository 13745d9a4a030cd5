package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"batchkeeper/activities"
	"batchkeeper/batch"
)

// post makes the one paid call. While it is under way, and if its answer is
// lost, a batch may exist.
func (r *run) post(ctx workflow.Context, look batch.Look, resubmit bool, here string) error {
	now, s := workflow.Now(ctx), r.submission()
	s.Posts++
	if s.FirstPostAfter == nil || !resubmit {
		s.FirstPostAfter = timePtr(look.Date)
	}
	r.doubt(now, look)
	out, err := call(ctx, submitOnce(fmt.Sprintf("create the batch (post %d)", s.Posts), r.book.Mode), act.Create, activities.CreateInput{
		Dialect: r.dialect(), Mode: r.book.Mode, InputFileID: r.state.InputFileID, Input: r.job.Input, Range: r.job.InputRange, SHA256: r.sha256(),
		SessionID: r.session, Endpoint: r.state.Endpoint, Model: r.job.Model, CompletionWindow: r.job.CompletionWindow,
		Metadata: r.job.Metadata, Provider: r.job.Provider, WebhookEndpointID: r.job.WebhookEndpointID, NotAfter: *s.PostDeadline, RunID: here,
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
			r.adopt(now, *out.Batch) // an answer to a create is no fetch: the gateway's reads may not show it yet
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

// doubtPast tells whether this is the copy that a reset made, whose original
// may have posted after the point that was reset to, and which run this is. That
// is asked through history: the copy replays the original's answers up to that point.
func (r *run) doubtPast(ctx workflow.Context, look batch.Look) (here string, doubted bool) {
	err := workflow.SideEffectWithOptions(ctx, workflow.SideEffectOptions{Summary: "which run is about to create"},
		func(ctx workflow.Context) any { return workflow.GetInfo(ctx).WorkflowExecution.RunID }).Get(&here)
	if original := r.info.OriginalRunID; err != nil || original == "" || here == original || here == r.book.ResetSeen {
		return here, false
	}
	r.book.ResetSeen = here
	r.doubt(workflow.Now(ctx), look)
	r.submission().LastAnswer = "the run was reset: what it posted before is not known here"
	return here, true
}
