package batchkeeper

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/api/serviceerror"

	"batchkeeper/batch"
)

// patience is how long Wait bears a Temporal server that does not answer.
const patience = 5 * time.Minute

// retryPause spaces the tries out.
const retryPause = time.Second

// Wait blocks until the run ends and returns its result, whose Outcome says how:
// a failed or canceled run that carries a result is no error here. ErrNoResult:
// the run was terminated or timed out. A server that does not answer is borne
// for five minutes.
func (r *Run) Wait(ctx context.Context) (batch.Result, error) {
	var lost time.Time
	for {
		result, err := r.waitOnce(ctx)
		switch {
		case err == nil:
			return result, nil
		case ctx.Err() != nil:
			return batch.Result{}, fmt.Errorf("wait for %s: %w", r.id, context.Cause(ctx))
		case !passing(err):
			return batch.Result{}, fmt.Errorf("wait for %s: %w", r.id, err)
		case lost.IsZero() || time.Since(lost) > 2*patience: // an old outage says nothing about this one
			lost = time.Now()
		case time.Since(lost) > patience:
			return batch.Result{}, fmt.Errorf("wait for %s: Temporal has not answered for %s: %w", r.id, patience, err)
		}
		pause(ctx, retryPause)
	}
}

// waitOnce waits for the end of the chain. A reset ends a run from outside and
// leaves another in its place.
func (r *Run) waitOnce(ctx context.Context) (batch.Result, error) {
	at, err := r.current(ctx)
	for err == nil {
		var result batch.Result
		if result, err = r.end(ctx, at.runID); !errors.Is(err, ErrNoResult) {
			return result, err
		}
		now, failed := r.current(ctx)
		if failed != nil || now.runID == at.runID {
			return result, errors.Join(err, failed)
		}
		at, err = now, nil
	}
	return batch.Result{}, err
}

// passing tells whether an error is of the connection or the server, and may
// be gone in a moment.
func passing(err error) bool {
	_, unavailable := errors.AsType[*serviceerror.Unavailable](err)
	_, late := errors.AsType[*serviceerror.DeadlineExceeded](err)
	_, busy := errors.AsType[*serviceerror.ResourceExhausted](err)
	_, aborted := errors.AsType[*serviceerror.Aborted](err)
	_, internal := errors.AsType[*serviceerror.Internal](err)
	return unavailable || late || busy || aborted || internal || errors.Is(err, context.DeadlineExceeded)
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// The pace of Watch: a query is a billable action, and what is young changes fastest.
const (
	watchEvery   = time.Second
	watchSlowest = 5 * time.Second
)

// Watch calls seen with each state that it reads, about once a second and less
// often later, the last one being the result, and returns when the run has
// ended. Reads that fail are left out: the run goes on without a worker that
// answers. The error is that of Wait.
func (r *Run) Watch(ctx context.Context, seen func(batch.State)) error {
	var result batch.Result
	var err error
	watching, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer stop()
		result, err = r.Wait(ctx)
	}()
	for began := time.Now(); watching.Err() == nil; {
		if state, failed := r.State(watching); failed == nil && watching.Err() == nil {
			seen(state)
		}
		pause(watching, min(watchSlowest, watchEvery+time.Since(began)/60))
	}
	<-ended
	if err != nil {
		return err
	}
	seen(result)
	return nil
}
