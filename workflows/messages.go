package workflows

import (
	"errors"
	"fmt"

	"go.temporal.io/sdk/workflow"

	"batchkeeper/batch"
)

// listen registers every handler, first of all, so that a run that fails at
// once still answers. Handlers only leave word; the steps act on it.
func (r *run) listen(ctx workflow.Context) error {
	detached, _ := workflow.NewDisconnectedContext(ctx)
	err := errors.Join(
		workflow.SetQueryHandlerWithOptions(ctx, batch.QueryState, func() (batch.State, error) { return r.state, nil },
			workflow.QueryHandlerOptions{Description: "The whole public state of the run."}),
		workflow.SetUpdateHandlerWithOptions(ctx, batch.UpdateCancel,
			func(ctx workflow.Context, req batch.CancelRequest) (batch.State, error) {
				return r.onCancel(detach(ctx), req)
			},
			workflow.UpdateHandlerOptions{
				Description: "Cancel the batch; returns once the gateway accepted or refused.",
				Validator:   func(batch.CancelRequest) error { return r.mayCancel() },
			}),
		workflow.SetUpdateHandlerWithOptions(ctx, batch.UpdateSettle,
			func(ctx workflow.Context, req batch.SettleRequest) (batch.State, error) {
				return r.onSettle(detach(ctx), req)
			},
			workflow.UpdateHandlerOptions{
				Description: "Settle an ambiguous create: adopt a batch, or post again.",
				Validator:   r.maySettle,
			}),
		workflow.SetUpdateHandlerWithOptions(ctx, batch.UpdateRefresh,
			func(ctx workflow.Context) (batch.State, error) { return r.onRefresh(detach(ctx)) },
			workflow.UpdateHandlerOptions{Description: "Read the batch now; returns the fresh state."}),
	)
	workflow.Go(detached, r.inbox().hear)
	workflow.Go(ctx, func(ctx workflow.Context) {
		ctx.Done().Receive(ctx, nil)
		r.requestCancel(ctx, cancelledFromOutside)
	})
	return err
}

// inbox is the signals of a run.
func (r *run) inbox() inbox {
	return inbox{
		on(batch.SignalWebhook, func(_ workflow.Context, d batch.Delivery) { r.hear(d) }),
		on(batch.SignalCancel, r.requestCancel),
	}
}

// drain takes what is already here, a cancellation from outside included.
func (r *run) drain(ctx workflow.Context) {
	if r.root.Err() != nil {
		r.requestCancel(ctx, cancelledFromOutside)
	}
	r.inbox().drain(ctx)
}

// hear takes a delivery as what it is: a hint that something may have changed.
func (r *run) hear(d batch.Delivery) {
	foreign := d.SessionID != "" && d.SessionID != r.session || r.book.Created && d.BatchID != r.state.BatchID
	if foreign || d.EventID == "" || !r.book.Remember(d.EventID) {
		return
	}
	w := &r.state.Webhook
	w.Deliveries++
	w.LastEventType, w.LastReceivedAt = d.EventType, timePtr(d.ReceivedAt)
	r.book.History.Webhooks = true
	switch {
	case !r.book.Created:
		r.submission().Hint(d.BatchID)
		r.urgent = r.urgent || r.submission().Ambiguous
	case d.LifecycleStatus.IsTerminal() && !r.book.TerminalHint:
		r.book.TerminalHint, r.book.HintTries, r.urgent = true, 0, true
	default:
		r.nudged = true
	}
}

// requestCancel notes the first request; a batch that is terminal is past it.
func (r *run) requestCancel(ctx workflow.Context, req batch.CancelRequest) {
	if r.state.Cancellation != nil || r.mayCancel() != nil {
		return
	}
	if req.RequestedBy == "" {
		req.RequestedBy = "unknown"
	}
	r.state.Cancellation = &batch.Cancellation{
		RequestedBy: req.RequestedBy, Reason: req.Reason, RequestedAt: workflow.Now(ctx),
	}
	r.urgent = true
	if r.abort != nil {
		r.abort()
	}
}

func (r *run) mayCancel() error {
	if r.closing || r.state.LifecycleStatus.IsTerminal() {
		return fmt.Errorf("cancel: the batch is already %s", r.state.LifecycleStatus)
	}
	return nil
}

func (r *run) onCancel(ctx workflow.Context, req batch.CancelRequest) (batch.State, error) {
	r.requestCancel(ctx, req)
	err := workflow.Await(ctx, func() bool { return r.answered || r.closing })
	return r.state, err
}

func (r *run) maySettle(req batch.SettleRequest) error {
	switch {
	case r.closing || r.book.Created || !r.submission().Ambiguous:
		return errors.New("settle: this run's create is not ambiguous")
	case (req.BatchID != "") == req.Resubmit:
		return errors.New("settle: give either batch_id or resubmit")
	case r.settle != nil:
		return errors.New("settle: another settle is being applied")
	}
	return nil
}

func (r *run) onSettle(ctx workflow.Context, req batch.SettleRequest) (batch.State, error) {
	r.settle, r.settleNew, r.settled, r.urgent = &req, true, nil, true
	err := workflow.Await(ctx, func() bool { return r.settle == nil || r.closing })
	if r.settle != nil {
		r.settled = errors.New("settle: the run ended before it could be followed")
	}
	return r.state, errors.Join(err, r.settled)
}

// onRefresh waits for a read that began after the request; before there is a
// batch there is nothing to read.
func (r *run) onRefresh(ctx workflow.Context) (batch.State, error) {
	if !r.book.Created || r.book.Tracked || r.closing {
		return r.state, nil
	}
	before := r.state.Polls
	r.urgent = true
	err := workflow.Await(ctx, func() bool { return r.state.Polls > before || r.closing || r.book.Tracked })
	return r.state, err
}
