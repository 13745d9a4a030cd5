package batchkeeper

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/temporal"

	"batchkeeper/batch"
)

// answerTime is how long a worker has to answer a query: far more than one
// that lives needs.
const answerTime = 10 * time.Second

// State reads the public state of the run: from a worker while it is open, from
// its end once it is closed, which needs no worker. ErrNoWorker: no worker
// answered within 10 s; ErrNoResult: the run was closed from outside.
func (r *Run) State(ctx context.Context) (batch.State, error) {
	at, err := r.current(ctx)
	if err != nil {
		return batch.State{}, fmt.Errorf("state of %s: %w", r.id, err)
	}
	var state batch.State
	if at.open() {
		state, err = r.query(ctx, at)
	} else if state, err = r.end(ctx, at.runID); errors.Is(err, ErrNoResult) {
		if last, failed := r.query(ctx, at); failed == nil {
			return last, nil
		}
	}
	if err != nil {
		return batch.State{}, fmt.Errorf("state of %s: %w", r.id, err)
	}
	return state, nil
}

func (r *Run) query(ctx context.Context, at place) (batch.State, error) {
	asked, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	value, err := r.client.QueryWorkflow(asked, r.id, at.runID, batch.QueryState)
	if err != nil {
		if ctx.Err() == nil && unanswered(err) {
			return batch.State{}, fmt.Errorf("%w on task queue %s: is one running?", ErrNoWorker, at.taskQueue)
		}
		return batch.State{}, translate(err)
	}
	var state batch.State
	if err := value.Get(&state); err != nil {
		return batch.State{}, fmt.Errorf("decode: %w", err)
	}
	return state, nil
}

func unanswered(err error) bool {
	_, late := errors.AsType[*serviceerror.DeadlineExceeded](err)
	_, alone := errors.AsType[*serviceerror.FailedPrecondition](err)
	return late || alone || errors.Is(err, context.DeadlineExceeded)
}

// end waits for the end of a run, and of what it continues as, and reads the
// result that a completed, a failed and a canceled run all carry.
func (r *Run) end(ctx context.Context, runID string) (batch.Result, error) {
	var result batch.Result
	err := r.client.GetWorkflow(ctx, r.id, runID).Get(ctx, &result)
	if err == nil {
		return result, nil
	}
	if _, closed := errors.AsType[*temporal.WorkflowExecutionError](err); !closed {
		return batch.Result{}, translate(err)
	}
	if failed, ok := errors.AsType[*temporal.ApplicationError](err); ok && failed.HasDetails() && failed.Details(&result) == nil {
		return result, nil
	}
	if canceled, ok := errors.AsType[*temporal.CanceledError](err); ok && canceled.HasDetails() && canceled.Details(&result) == nil {
		return result, nil
	}
	return batch.Result{}, fmt.Errorf("%w: %w", ErrNoResult, err)
}
