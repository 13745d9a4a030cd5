package workflows

import (
	"errors"
	"fmt"

	"go.temporal.io/sdk/workflow"

	"batchkeeper/batch"
)

// listen registers every handler, first of all, so that a run that fails at
// once still answers. Handlers only leave word; the loop acts on it.
func (b *bulk) listen(ctx workflow.Context) error {
	detached := detach(ctx)
	validated := func(check func() error) workflow.UpdateHandlerOptions {
		return workflow.UpdateHandlerOptions{Validator: check}
	}
	err := errors.Join(
		workflow.SetQueryHandlerWithOptions(ctx, batch.QueryState, func() (batch.State, error) { return b.view(), nil },
			workflow.QueryHandlerOptions{Description: "The whole public state of the run."}),
		workflow.SetUpdateHandlerWithOptions(ctx, batch.UpdateCancel,
			func(ctx workflow.Context, req batch.CancelRequest) (batch.State, error) {
				return b.onCancel(detach(ctx), req)
			},
			workflow.UpdateHandlerOptions{
				Description: "Start nothing new and cancel every live batch; returns once all were told.",
				Validator:   func(batch.CancelRequest) error { return b.mayCancel() },
			}),
		workflow.SetUpdateHandlerWithOptions(ctx, batch.UpdatePause,
			func(ctx workflow.Context, req batch.PauseRequest) (batch.State, error) { return b.onPause(req), nil },
			workflow.UpdateHandlerOptions{
				Description: "Start no new batch until resume; live ones go on.",
				Validator:   func(batch.PauseRequest) error { return b.mayPause() },
			}),
		workflow.SetUpdateHandlerWithOptions(ctx, batch.UpdateResume,
			func(ctx workflow.Context) (batch.State, error) { return b.onResume(), nil }, validated(b.mayResume)),
		workflow.SetUpdateHandlerWithOptions(ctx, batch.UpdateSet,
			func(ctx workflow.Context, req batch.SetRequest) (batch.State, error) { return b.onSet(req), nil },
			workflow.UpdateHandlerOptions{
				Description: "Change max_in_flight, budget_usd, stale_after or rounds, for what is still to be started.",
				Validator:   b.maySet,
			}),
	)
	workflow.Go(detached, b.inbox().hear)
	workflow.Go(ctx, func(ctx workflow.Context) {
		ctx.Done().Receive(ctx, nil)
		b.requestCancel(ctx, cancelledFromOutside)
	})
	return err
}

// inbox is the signals of a bulk run.
func (b *bulk) inbox() inbox {
	return inbox{
		on(batch.SignalFinished, func(_ workflow.Context, f batch.Finished) { b.hear(f) }),
		on(batch.SignalLeaseGranted, b.granted),
		on(batch.SignalCancel, b.requestCancel),
	}
}

// drain takes what is already here, a cancellation from outside included.
func (b *bulk) drain(ctx workflow.Context) {
	if b.root.Err() != nil {
		b.requestCancel(ctx, cancelledFromOutside)
	}
	b.inbox().drain(ctx)
}

// granted takes a lease that is waited for. One of an ask that is over was given
// back with it; one for a unit that is gone is given back now.
func (b *bulk) granted(ctx workflow.Context, g batch.LeaseGranted) {
	u := b.byID(g.Holder)
	switch {
	case u == nil:
		b.working++ // it has nothing else to end with
		workflow.Go(detach(ctx), func(ctx workflow.Context) {
			b.returnLease(ctx, g.Holder, g.Ask)
			b.working--
			b.changed = true
		})
	case u.Stage == batch.UnitWaiting && u.Ask == g.Ask:
		u.Stage, u.Problem, b.changed = batch.UnitGranted, "", true
	}
}

func (b *bulk) mayCancel() error {
	if b.closing {
		return fmt.Errorf("cancel: the run is already %s", b.state.Outcome)
	}
	if b.state.Stage == batch.StageCollecting {
		return errors.New("cancel: every batch has ended, the results are being published")
	}
	return nil
}

// requestCancel notes the first request.
func (b *bulk) requestCancel(ctx workflow.Context, req batch.CancelRequest) {
	if b.state.Cancellation != nil || b.mayCancel() != nil {
		return
	}
	if req.RequestedBy == "" {
		req.RequestedBy = "unknown"
	}
	b.state.Cancellation = &batch.Cancellation{RequestedBy: req.RequestedBy, Reason: req.Reason, RequestedAt: workflow.Now(ctx)}
	b.at.Cancelled, b.at.Paused = &batch.CancelSummary{}, ""
	if b.state.Stage == batch.StageTracking {
		b.state.Stage = batch.StageCancelling
	}
	b.changed = true
}

func (b *bulk) onCancel(ctx workflow.Context, req batch.CancelRequest) (batch.State, error) {
	b.requestCancel(ctx, req)
	err := workflow.Await(ctx, func() bool { return b.allTold() || b.closing })
	b.changed = true // a run that is to continue as new waits for its handlers
	return b.view(), err
}

// allTold tells that every live batch knows of the request to cancel. What is not
// live yet is not sent any more.
func (b *bulk) allTold() bool {
	for _, u := range b.book.Units {
		if u.Stage == batch.UnitRunning && !u.Told {
			return false
		}
	}
	return b.state.Stage != batch.StageInspecting
}

func (b *bulk) mayPause() error {
	switch {
	case b.closing || b.cancelRequested() || b.book.RoundsRun:
		return errors.New("pause: the run starts no batch any more")
	case b.at.Paused != "":
		return fmt.Errorf("pause: it is paused already: %s", b.at.Paused)
	}
	return nil
}

func (b *bulk) onPause(req batch.PauseRequest) batch.State {
	b.at.Paused, b.changed = "paused", true
	if req.Reason != "" {
		b.at.Paused += ": " + req.Reason
	}
	return b.view()
}

func (b *bulk) mayResume() error {
	if b.at.Paused == "" || b.closing {
		return errors.New("resume: the run is not paused")
	}
	return nil
}

// onResume goes on; the cause that tripped the breaker is let pass from now on.
func (b *bulk) onResume() batch.State {
	if b.book.PauseCause != "" {
		b.book.Passed = append(b.book.Passed, b.book.PauseCause)
	}
	b.at.Paused, b.book.PauseCause, b.changed = "", "", true
	return b.view()
}

func (b *bulk) maySet(req batch.SetRequest) error {
	if err := req.Validate(); err != nil {
		return err
	}
	if b.closing || b.cancelRequested() || b.book.RoundsRun || !b.book.Surveyed {
		return errors.New("set: the run starts no batch now")
	}
	if req.Rounds != nil && *req.Rounds < b.at.Round {
		return fmt.Errorf("set: rounds %d: round %d is under way", *req.Rounds, b.at.Round)
	}
	if req.BudgetUSD != nil && b.book.Profile.Dialect == batch.DialectOpenAI && !b.book.Profile.Known() {
		return fmt.Errorf("set: budget_usd: profile %s has no prices to hold it to", b.book.Profile.Name)
	}
	return nil
}

func (b *bulk) onSet(req batch.SetRequest) batch.State {
	if req.MaxInFlight != nil {
		b.at.MaxFlight = *req.MaxInFlight
	}
	if req.BudgetUSD != nil {
		b.at.Budget, b.book.BudgetReached, b.state.Problem = *req.BudgetUSD, false, ""
	}
	if req.StaleAfter != nil {
		b.book.StaleAfter = req.StaleAfter
	}
	if req.Rounds != nil {
		b.at.Rounds = *req.Rounds
	}
	b.changed = true
	return b.view()
}

// view is the public state with the live batches as they are now.
func (b *bulk) view() batch.State {
	s, at := b.state, *b.at
	at.Live = nil
	for _, u := range b.book.Units {
		at.Live = append(at.Live, batch.LiveBatch{
			WorkflowID: u.WorkflowID, Stage: u.Stage, Rows: u.Rows, Try: u.Try, Since: u.Since, Problem: u.Problem,
		})
	}
	s.Bulk = &at
	return s
}
