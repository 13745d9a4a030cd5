package workflows

import (
	"errors"
	"fmt"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"batchkeeper/batch"
	"batchkeeper/internal/visibility"
)

// ended is how a step ends the run.
type ended struct {
	outcome  batch.Outcome
	message  string
	problems []batch.Problem
}

func (e *ended) Error() string { return fmt.Sprintf("%s: %s", e.outcome, e.message) }

func end(o batch.Outcome, message string) error { return &ended{outcome: o, message: message} }

// finish turns the end of the steps into the end of the run: its outcome, the
// notice to whoever asked for one, and the Temporal status that fits.
func (r *run) finish(ctx workflow.Context, cause error) (batch.Result, error) {
	if workflow.IsContinueAsNewError(cause) {
		return batch.Result{}, cause
	}
	r.drain(ctx)
	r.conclude(cause)
	r.state.Stage, r.state.NextPollAt, r.closing = batch.StageDone, nil, true
	r.show(ctx)
	notify(ctx, r.job.Notify, r.state)
	if err := workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) }); err != nil {
		r.log.Warn("handlers were still running at the end", "error", err)
	}
	return r.state, verdict(r.state)
}

// conclude sets the outcome and, where there is one, the failure.
func (r *run) conclude(cause error) {
	var e *ended
	switch {
	case errors.As(cause, &e):
		r.state.Outcome = e.outcome
	case errors.Is(cause, errStopped):
		r.state.Outcome = batch.OutcomeCancelled
		r.state.Cancellation.Result = batch.CancelAccepted
		r.answered = true
	case cause != nil: // no step returns a bare error; should one, the run says so rather than hang
		e = &ended{batch.OutcomeResultsUnavailable, reason(cause), nil}
		r.state.Outcome = e.outcome
	}
	if r.state.Outcome == batch.OutcomeCancelUnconfirmed {
		r.state.Cancellation.Result = batch.CancelUnconfirmed
	}
	kind := r.state.Outcome.Kind()
	if kind == "" {
		r.state.Failure = nil
		return
	}
	message := e.message
	if message == "" {
		message = r.endMessage()
	}
	r.state.Failure = &batch.Failure{Type: kind, Message: message, Problems: e.problems}
}

// endMessage is the message of a batch that ended badly but was collected.
func (r *run) endMessage() string {
	m := fmt.Sprintf("batch %s %s", r.state.BatchID, r.state.Status)
	if res := r.state.Results; res != nil {
		m += fmt.Sprintf(": %d of %d rows answered", res.Succeeded, res.Rows)
	}
	if r.state.UpstreamErrors != "" {
		m += ": " + r.state.UpstreamErrors
	}
	return m
}

// verdict is the Temporal status of a run that ended like this. Every failure is
// non-retryable: a workflow retry policy must not pay again.
func verdict(s batch.State) error {
	switch s.Outcome {
	case batch.OutcomeCompleted, batch.OutcomeCompletedWithFailures:
		return nil
	case batch.OutcomeCancelled:
		return temporal.NewCanceledError(s)
	case batch.OutcomeUpstreamFailed, batch.OutcomeExpired, batch.OutcomeCancelUnconfirmed, batch.OutcomeRejected,
		batch.OutcomeSubmissionUnknown, batch.OutcomeResultsUnavailable, batch.OutcomeBudgetExhausted:
	}
	return temporal.NewNonRetryableApplicationError(s.Failure.Message, string(s.Failure.Type), nil, s)
}

// notify tells the workflow that asked for it. The result stands whether or not
// anyone is there to hear.
func notify(ctx workflow.Context, n *batch.Notify, s batch.State) {
	if n == nil {
		return
	}
	self := workflow.GetInfo(ctx).WorkflowExecution
	err := workflow.SignalExternalWorkflow(ctx, n.WorkflowID, "", n.Signal, batch.Finished{
		WorkflowID: self.ID, RunID: self.RunID, BatchID: s.BatchID, Outcome: s.Outcome, Failure: s.Failure, Results: s.Results,
	}).Get(ctx, nil)
	if err != nil {
		workflow.GetLogger(ctx).Warn("notify", "workflow_id", n.WorkflowID, "signal", n.Signal, "error", err)
	}
}

// show makes the state visible: search attributes where they changed, and the
// current details, which cost no event.
func (r *run) show(ctx workflow.Context) {
	now := visibility.Of(r.state)
	if updates := now.Updates(r.shown); len(updates) > 0 {
		if err := workflow.UpsertTypedSearchAttributes(ctx, updates...); err != nil {
			r.log.Warn("search attributes", "error", err)
		}
		r.shown = now
	}
	workflow.SetCurrentDetails(ctx, details(r.state))
}
