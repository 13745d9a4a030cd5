package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"batchkeeper"
	"batchkeeper/batch"
	"batchkeeper/internal/blobstore"
)

// silence is how long a run may give no sign before that is remarked on.
const silence = 15 * time.Second

// follow shows a run's progress to its end, copies the results and reports the
// outcome. The error carries the run's exit code.
func (a app) follow(ctx context.Context, r *batchkeeper.Run, store *blobstore.Store, output string, asJSON bool) error {
	result, err := a.toTheEnd(ctx, r)
	if ctx.Err() != nil {
		return interrupted(r.ID())
	}
	if err != nil {
		return err
	}
	var failed error
	if output != "" {
		failed = a.copyResults(ctx, r, store, result, output)
	}
	if asJSON {
		err = a.printJSON(result)
	} else {
		err = a.print("%s", outcomeTable(result, r.ID(), store, output))
	}
	if err := errors.Join(failed, err); err != nil {
		return exit{exitFailed, err}
	}
	if code := exitCode(result.Outcome); code != exitOK {
		return exit{code: code}
	}
	return nil
}

// interrupted says how to go on with a run that nobody follows any more.
func interrupted(id string) error {
	return exit{exitInterrupted, fmt.Errorf("interrupted; the run goes on. %s", hints(id))}
}

// toTheEnd follows a run, with one line of progress.
func (a app) toTheEnd(ctx context.Context, r *batchkeeper.Run) (batch.Result, error) {
	line := a.newLine()
	quiet := time.AfterFunc(silence, func() {
		line.notice("no worker has answered for " + silence.String() + ": is one running? Waiting.")
	})
	defer quiet.Stop()
	var last batch.State
	err := r.Watch(ctx, func(s batch.State) {
		quiet.Reset(silence)
		last = s
		line.show(s)
	})
	line.clear()
	return last, err
}

// exitCode is what a run's outcome is to a shell.
func exitCode(o batch.Outcome) int {
	switch o {
	case batch.OutcomeCompleted:
		return exitOK
	case batch.OutcomeCompletedWithFailures:
		return exitWithFailures
	case batch.OutcomeCancelled:
		return exitCancelled
	case batch.OutcomeUpstreamFailed, batch.OutcomeExpired, batch.OutcomeCancelUnconfirmed, batch.OutcomeRejected,
		batch.OutcomeSubmissionUnknown, batch.OutcomeResultsUnavailable:
		return exitFailed
	default:
		return exitFailed
	}
}
