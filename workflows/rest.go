package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"batchkeeper/batch"
)

// rest waits until a time, or until calls says that something has come up. It
// is the quiet point of a run: here, and only here, it continues as new.
func (r *run) rest(ctx workflow.Context, until time.Time, what string, calls func() bool) error {
	if workflow.GetInfo(ctx).GetContinueAsNewSuggested() && workflow.AllHandlersFinished(ctx) {
		return r.continueAsNew(ctx)
	}
	wait := until.Sub(workflow.Now(ctx))
	if wait <= 0 {
		return nil
	}
	ctx, cancel := workflow.WithCancel(ctx)
	defer cancel() // a wait cut short leaves no timer behind
	_, err := workflow.AwaitWithOptions(ctx, workflow.AwaitOptions{
		Timeout: wait, TimerOptions: workflow.TimerOptions{Summary: what},
	}, calls)
	return err
}

// continueAsNew hands the whole memory to a fresh history, signals that are
// already here included.
func (r *run) continueAsNew(ctx workflow.Context) error {
	r.drain(ctx)
	if r.urgent {
		r.book.NextAskAt = workflow.Now(ctx) // what calls now must not wait for the next run's schedule
	}
	next := r.job
	next.Carried = &batch.Carried{Token: r.token, State: r.state, Book: r.book}
	return workflow.NewContinueAsNewError(ctx, batch.WorkflowBatch, next)
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
