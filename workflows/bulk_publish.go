package workflows

import (
	"errors"
	"fmt"
	"path"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"batchkeeper/activities"
	"batchkeeper/batch"
	"batchkeeper/internal/visibility"
)

// publishAtATime is how many shards one activity publishes, one after another.
const publishAtATime = 5

// publish writes the final files, shard by shard, and the manifest last.
func (b *bulk) publish(ctx workflow.Context) error {
	k := &b.book
	if !k.FinalsPlanned {
		_, err := call(ctx, longTransfer("plan the final files", patience), act.PlanFinal,
			activities.PlanFinalInput{Prefix: b.prefix, Rounds: b.at.Round})
		if err != nil {
			return b.unpublished("plan the final files", err)
		}
		k.FinalsPlanned, k.Cursor = true, 0
	}
	for b.at.Published < b.at.Shards {
		out, err := call(ctx, longTransfer(fmt.Sprintf("publish shards %d to %d", b.at.Published+1, min(b.at.Shards, b.at.Published+publishAtATime)), patience),
			act.PublishShards, activities.PublishShardsInput{
				Prefix: b.prefix, Input: b.job.Input, Offset: k.Cursor, Count: publishAtATime, Unsent: b.unsent(),
			})
		if err != nil {
			return b.unpublished("publish the final files", err)
		}
		if out.Shards == 0 {
			return b.unpublished("publish the final files", errors.New("their plan is too short"))
		}
		k.Cursor, k.Final = out.Next, k.Final.Plus(out.Counts)
		b.at.Published += out.Shards
		b.show(ctx)
		if workflow.GetInfo(ctx).GetContinueAsNewSuggested() && workflow.AllHandlersFinished(ctx) {
			return b.continueAsNew(ctx)
		}
	}
	return b.manifest(ctx)
}

// unsent is what is said of rows that were never sent.
func (b *bulk) unsent() batch.Absence {
	cause := "not_sent"
	switch {
	case b.cancelRequested():
		cause = "not_sent: the run was cancelled"
	case b.book.BudgetReached:
		cause = "not_sent: budget_usd was reached"
	}
	return batch.Absence{Class: batch.ClassCancelled, Cause: cause}
}

func (b *bulk) unpublished(doing string, err error) error {
	return end(batch.OutcomeResultsUnavailable, doing+": "+reason(err))
}

func (b *bulk) manifest(ctx workflow.Context) error {
	rows := b.state.Input.Rows
	outcome := batch.BulkOutcome(b.book.Final, b.at.Cancelled, b.cancelRequested(), b.book.BudgetReached)
	out, err := call(ctx, longTransfer("check that every row is accounted for, and publish the manifest", patience), act.PublishManifest,
		activities.PublishManifestInput{
			Prefix: b.prefix, Shards: b.at.Shards, Rows: rows,
			Manifest: batch.Manifest{
				WorkflowID: b.info.WorkflowExecution.ID, RunID: b.token, SessionID: b.state.SessionID, Outcome: outcome,
				Input: batch.ManifestInput{Source: b.job.Input, SHA256: b.state.Input.SHA256},
				Bulk:  &batch.ManifestBulk{Shards: b.at.Shards, Rounds: b.at.Past, Money: b.at.Money, Causes: b.at.Causes},
			},
		})
	if err != nil {
		return b.unpublished("publish the manifest", err)
	}
	c := out.Counts
	b.at.Counts = c
	ref := out.Manifest
	b.state.Results = &batch.Results{
		Prefix: b.prefix, Rows: rows, Succeeded: c.Answered, Failed: c.RowErrors + c.Expired + c.Cancelled + c.Invalid, Missing: c.Missing,
		Manifest: &ref,
	}
	b.state.Progress = 100
	return end(outcome, "")
}

// finish turns the end of the steps into the end of the run.
func (b *bulk) finish(ctx workflow.Context, cause error) (batch.Result, error) {
	if workflow.IsContinueAsNewError(cause) {
		return batch.Result{}, cause
	}
	b.drain(ctx)
	b.conclude(cause)
	b.state.Stage, b.closing = batch.StageDone, true
	b.show(ctx)
	b.notify(ctx)
	if err := workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) && b.working == 0 }); err != nil {
		b.log.Warn("handlers were still running at the end", "error", err)
	}
	return b.view(), b.verdict()
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

func (b *bulk) verdict() error {
	switch b.state.Outcome {
	case batch.OutcomeCompleted, batch.OutcomeCompletedWithFailures:
		return nil
	case batch.OutcomeCancelled:
		return temporal.NewCanceledError(b.view())
	case batch.OutcomeUpstreamFailed, batch.OutcomeExpired, batch.OutcomeCancelUnconfirmed, batch.OutcomeRejected,
		batch.OutcomeSubmissionUnknown, batch.OutcomeResultsUnavailable, batch.OutcomeBudgetExhausted:
	}
	f := b.state.Failure
	return temporal.NewNonRetryableApplicationError(f.Message, string(f.Type), nil, b.view())
}

func (b *bulk) notify(ctx workflow.Context) {
	n := b.job.Notify
	if n == nil {
		return
	}
	err := workflow.SignalExternalWorkflow(ctx, n.WorkflowID, "", n.Signal, batch.Finished{
		WorkflowID: b.info.WorkflowExecution.ID, RunID: b.info.WorkflowExecution.RunID,
		Outcome: b.state.Outcome, Failure: b.state.Failure, Results: b.state.Results,
	}).Get(ctx, nil)
	if err != nil {
		b.log.Warn("notify", "workflow_id", n.WorkflowID, "signal", n.Signal, "error", err)
	}
}

// show makes the state visible: search attributes where they changed, and the
// current details, which cost no event.
func (b *bulk) show(ctx workflow.Context) {
	now := visibility.Of(b.state)
	if updates := now.Updates(b.shown); len(updates) > 0 {
		if err := workflow.UpsertTypedSearchAttributes(ctx, updates...); err != nil {
			b.log.Warn("search attributes", "error", err)
		}
		b.shown = now
	}
	workflow.SetCurrentDetails(ctx, bulkDetails(b.view()))
}

// resultsKey is the key of a unit's answered rows.
func (b *bulk) resultsKey(u batch.OpenUnit) string {
	return path.Join(batch.UnitPrefix(b.prefix, b.at.Round, u.Number, u.Try), batch.FileResults)
}
