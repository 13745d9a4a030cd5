package batchkeeper

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"batchkeeper/batch"
)

// Cancel asks the run to cancel its batch and returns the state once the gateway
// has accepted or refused; what was answered is collected after that.
// ErrAlreadyFinished: the run has ended, or its batch has. It needs a worker:
// see CancelAsync.
func (r *Run) Cancel(ctx context.Context, req batch.CancelRequest) (batch.State, error) {
	state, err := r.update(ctx, batch.UpdateCancel, req)
	if errors.Is(err, ErrRefused) {
		if now, failed := r.State(ctx); failed == nil && now.LifecycleStatus.IsTerminal() {
			return now, fmt.Errorf("cancel %s: %w: the batch is %s", r.id, ErrAlreadyFinished, now.LifecycleStatus)
		}
	}
	return state, err
}

// CancelAsync leaves the request to cancel with the run and returns: it takes
// effect when a worker has it. ErrAlreadyFinished: the run has ended.
func (r *Run) CancelAsync(ctx context.Context, req batch.CancelRequest) error {
	for {
		at, err := r.current(ctx)
		if err != nil {
			return fmt.Errorf("cancel %s: %w", r.id, err)
		}
		if !at.open() {
			return fmt.Errorf("cancel %s: %w", r.id, ErrAlreadyFinished)
		}
		err = translate(r.client.SignalWorkflow(ctx, r.id, at.runID, batch.SignalCancel, req))
		if errors.Is(err, ErrNotFound) {
			continue // it has ended, or continued as new, in between
		}
		if err != nil {
			return fmt.Errorf("cancel %s: %w", r.id, err)
		}
		return nil
	}
}

// Refresh makes the run read its batch now and returns the fresh state.
// ErrOtherType: it is a bulk run, as for Settle.
func (r *Run) Refresh(ctx context.Context) (batch.State, error) {
	return r.update(ctx, batch.UpdateRefresh)
}

// Settle is an operator's word on an ambiguous create. ErrRefused: the create is
// not ambiguous, or the named batch is not this run's.
func (r *Run) Settle(ctx context.Context, req batch.SettleRequest) (batch.State, error) {
	return r.update(ctx, batch.UpdateSettle, req)
}

// lostUpdate is the server's type for an update whose workflow ended under it.
const lostUpdate = "AcceptedUpdateCompletedWorkflow"

// takenBy is the type of run that alone takes an update.
var takenBy = map[string]string{
	batch.UpdateSettle: batch.WorkflowBatch, batch.UpdateRefresh: batch.WorkflowBatch,
	batch.UpdatePause: batch.WorkflowBulk, batch.UpdateResume: batch.WorkflowBulk, batch.UpdateSet: batch.WorkflowBulk,
}

func (r *Run) update(ctx context.Context, name string, args ...any) (batch.State, error) {
	var state batch.State
	if only := takenBy[name]; only != "" && only != r.workflow {
		return state, fmt.Errorf("%s %s: %w: it is a %s, %s is for a %s", name, r.id, ErrOtherType, r.workflow, name, only)
	}
	handle, err := r.client.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: r.id, FirstExecutionRunID: r.first, UpdateName: name, Args: args,
		WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err == nil {
		err = handle.Get(ctx, &state)
	}
	if err != nil {
		return batch.State{}, fmt.Errorf("%s %s: %w", name, r.id, r.updateError(ctx, err))
	}
	return state, nil
}

// unheard tells that the server gave up waiting for a worker's answer; its own
// deadline may pass before ours does.
func unheard(err error) bool {
	_, late := errors.AsType[*client.WorkflowUpdateServiceTimeoutOrCanceledError](err)
	_, canceled := errors.AsType[*serviceerror.Canceled](err)
	return late || canceled || unanswered(err)
}

func (r *Run) updateError(ctx context.Context, err error) error {
	if refused, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		if refused.Type() == lostUpdate {
			return ErrAlreadyFinished
		}
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if unheard(err) {
		return fmt.Errorf("%w: it may take the request yet", ErrNoWorker)
	}
	if err = translate(err); !errors.Is(err, ErrNotFound) {
		return err
	}
	if at, failed := r.current(ctx); failed == nil && !at.open() {
		return ErrAlreadyFinished
	}
	return err
}

// Pause keeps a bulk run from starting new batches until Resume; live ones go
// on. ErrRefused: it is paused already, or starts no batch any more.
func (r *Run) Pause(ctx context.Context, req batch.PauseRequest) (batch.State, error) {
	return r.update(ctx, batch.UpdatePause, req)
}

// Resume lets a paused bulk run go on. ErrRefused: it is not paused.
func (r *Run) Resume(ctx context.Context) (batch.State, error) {
	return r.update(ctx, batch.UpdateResume)
}

// Set changes a bulk run for what is still to be started. ErrRefused: a value is
// out of bounds, or the run starts no batch now. ErrOtherType: it is no bulk run,
// as for Pause and Resume.
func (r *Run) Set(ctx context.Context, req batch.SetRequest) (batch.State, error) {
	return r.update(ctx, batch.UpdateSet, req)
}
