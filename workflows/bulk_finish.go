package workflows

import (
	"errors"
	"fmt"

	"go.temporal.io/sdk/workflow"

	"batchkeeper/batch"
	"batchkeeper/internal/visibility"
)

// finish turns the end of the steps into the end of the run.
func (b *bulk) finish(ctx workflow.Context, cause error) (batch.Result, error) {
	if workflow.IsContinueAsNewError(cause) {
		return batch.Result{}, cause
	}
	b.drain(ctx)
	b.dropPages()
	b.conclude(cause)
	b.state.Stage, b.closing = batch.StageDone, true
	b.show(ctx)
	notify(ctx, b.job.Notify, b.state)
	if err := workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) && b.working == 0 }); err != nil {
		b.log.Warn("handlers were still running at the end", "error", err)
	}
	return b.view(), verdict(b.view())
}

func (b *bulk) conclude(cause error) {
	var e *ended
	switch {
	case errors.As(cause, &e):
	case errors.Is(cause, errStopped):
		e = &ended{outcome: batch.OutcomeCancelled}
	default: // no step returns a bare error; should one, the run says so rather than hang
		e = &ended{outcome: batch.OutcomeResultsUnavailable, message: reason(cause)}
	}
	b.state.Outcome = e.outcome
	if c := b.state.Cancellation; c != nil {
		c.Result = b.cancelResult()
	}
	kind := e.outcome.Kind()
	if kind == "" {
		return
	}
	message := e.message
	if message == "" {
		message = b.endMessage()
	}
	b.state.Failure = &batch.Failure{Type: kind, Message: message, Problems: e.problems}
}

func (b *bulk) cancelResult() batch.CancelResult {
	switch b.state.Outcome {
	case batch.OutcomeCancelled:
		return batch.CancelAccepted
	case batch.OutcomeCancelUnconfirmed:
		return batch.CancelUnconfirmed
	default:
		return batch.CancelTooLate
	}
}

func (b *bulk) endMessage() string {
	c := b.at.Counts
	m := fmt.Sprintf("%d of %d rows answered", c.Answered, c.Sum())
	switch s := b.at.Cancelled; {
	case b.state.Outcome == batch.OutcomeCancelUnconfirmed && s != nil:
		m += fmt.Sprintf("; %d batches could not be confirmed to be cancelled", s.Unconfirmed)
	case b.state.Outcome == batch.OutcomeBudgetExhausted:
		m += "; " + b.state.Problem
	}
	return m
}

// show makes the state visible: search attributes where they changed, and the
// current details, which cost no event.
func (b *bulk) show(ctx workflow.Context) {
	b.state.LifecycleStatus = batch.BulkLifecycle(b.state.Stage, b.state.Outcome)
	now := visibility.Of(b.state)
	if updates := now.Updates(b.shown); len(updates) > 0 {
		if err := workflow.UpsertTypedSearchAttributes(ctx, updates...); err != nil {
			b.log.Warn("search attributes", "error", err)
		}
		b.shown = now
	}
	workflow.SetCurrentDetails(ctx, bulkDetails(b.view()))
}
