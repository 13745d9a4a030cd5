package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"batchkeeper/activities"
	"batchkeeper/batch"
)

// askCancel asks the gateway to cancel. A refusal only means that the batch is
// to be read again: it may be terminal by now. It returns how long the gateway
// asked to be left alone.
func (r *run) askCancel(ctx workflow.Context, why string) time.Duration {
	now := workflow.Now(ctx)
	if r.state.Cancellation == nil {
		r.state.Cancellation = &batch.Cancellation{RequestedBy: "stale_after", Reason: why, RequestedAt: now}
	}
	c := r.state.Cancellation
	offered := r.book.CancelURL
	c.CancelURLAvailable = &offered
	if c.AskedAt == nil {
		c.AskedAt = timePtr(now)
	}
	r.book.CancelTries++
	r.enter(ctx, batch.StageTracking)
	out, err := call(ctx, quickRead("ask to cancel batch "+r.state.BatchID), act.Cancel,
		activities.CancelInput{Dialect: r.dialect(), BatchID: r.state.BatchID})
	if err != nil {
		out = activities.CancelOutput{Message: reason(err)}
	}
	c.LastAnswer = out.Message
	switch {
	case out.Accepted:
		c.Result = batch.CancelAccepted
	case out.NotSupported:
		c.Result = batch.CancelNotSupported
	}
	r.answered = r.answered || out.Accepted || out.NotSupported || out.Refused
	if b := out.Batch; b != nil && b.BatchID == r.state.BatchID {
		if b.Status.IsTerminal() {
			r.urgent = true // believed once it is read
		} else {
			r.observe(workflow.Now(ctx), *b)
		}
	}
	return out.RetryAfter
}

// endCancellation says what became of the request once the batch is terminal.
func (r *run) endCancellation() {
	c := r.state.Cancellation
	switch {
	case c == nil:
	case r.state.LifecycleStatus == batch.Cancelled:
		c.Result = batch.CancelAccepted
	default:
		c.Result = batch.CancelTooLate
	}
	r.answered = true
}
