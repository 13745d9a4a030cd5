package workflows

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"batchkeeper/activities"
	"batchkeeper/batch"
)

// inspect refuses what cannot run, then has every row checked offline.
func (r *run) inspect(ctx workflow.Context) error {
	if err := r.admit(); err != nil {
		return end(batch.OutcomeRejected, err.Error())
	}
	out, err := callUntilCancelled(r, ctx, longTransfer("inspect "+r.source(), r.job.CreateTimeout.Std()),
		act.Inspect, activities.InspectInput{Job: r.job, Prefix: r.prefix()})
	if r.mayExist() && r.cancelRequested() && (err != nil || out.Rejected != "") {
		// Whatever its rows are, the batch is there: only the limits are needed to ask for its cancel.
		limits := r.job
		limits.Input, limits.InputRange = "", nil
		out, err = call(ctx, longTransfer("find the limits", r.job.CreateTimeout.Std()), act.Inspect,
			activities.InspectInput{Job: limits, Prefix: r.prefix()})
	}
	if err != nil {
		return r.refused("inspect the input", err)
	}
	r.book.Profile, r.book.Mode, r.book.Inspected = out.Profile, out.Mode, true
	r.state.Endpoint, r.state.Model, r.state.Provider = out.Endpoint, out.Model, r.job.Provider
	if r.job.Input != "" && out.Facts.Rows > 0 {
		facts := out.Facts
		r.state.Input = &facts
	}
	r.state.InputFileID = r.job.InputFileID
	if out.Rejected != "" {
		return &ended{batch.OutcomeRejected, out.Rejected, out.Problems}
	}
	return nil
}

// admit checks what only the run knows, and the job itself.
func (r *run) admit() error {
	if r.info.CronSchedule != "" {
		return errors.New("cron: its runs share one workflow id; use a Temporal Schedule")
	}
	return errors.Join(batch.CheckWorkflowID(r.info.WorkflowExecution.ID), r.parseErr, validated(r.job, r.parseErr))
}

func validated(job batch.Job, parseErr error) error {
	if parseErr != nil {
		return nil // the rest of an unreadable job says nothing
	}
	return errors.Join(job.Validate(), job.ValidateSingle())
}

// upload brings the rows to the gateway; a lost worker does not upload twice
// once the file's id is known.
func (r *run) upload(ctx workflow.Context) error {
	out, err := callUntilCancelled(r, ctx, longTransfer(fmt.Sprintf("upload %d rows", r.rows()), r.job.CreateTimeout.Std()),
		act.Upload, activities.UploadInput{
			Dialect: r.dialect(), Input: r.job.Input, Range: r.job.InputRange, SHA256: r.sha256(), Filename: r.filename(),
			Provider: r.job.Provider, Model: r.job.Model, Metered: r.job.Notify != nil,
		})
	if err != nil {
		return r.refused("upload", err)
	}
	r.state.InputFileID = out.FileID
	return nil
}

// filename is a readable name that says whose file it is.
func (r *run) filename() string { return "batchkeeper-" + r.token + ".jsonl" }

// prefix is where the results go.
func (r *run) prefix() string {
	return batch.ResultsPrefix(r.job, r.info.WorkflowExecution.ID, r.token)
}

func (r *run) sha256() string {
	if r.state.Input == nil {
		return ""
	}
	return r.state.Input.SHA256
}

func (r *run) rows() int64 {
	if r.state.Input == nil {
		return 0
	}
	return r.state.Input.Rows
}

func (r *run) source() string {
	for _, s := range []string{r.job.Input, r.job.InputFileID, r.job.BatchID} {
		if s != "" {
			return s
		}
	}
	return "nothing"
}

// callUntilCancelled runs an activity that a request to cancel ends: for the
// steps before there is a batch.
func callUntilCancelled[In, Out any](r *run, ctx workflow.Context, opts workflow.ActivityOptions, step activityOf[In, Out], in In) (Out, error) {
	ctx, cancel := workflow.WithCancel(ctx)
	defer cancel()
	r.abort = cancel
	if r.cancelRequested() { // only a batch that is there already comes here then
		cancel()
	}
	defer func() { r.abort = nil }()
	return call(ctx, opts, step, in)
}

// refused ends the run after a step before the create: for good where the step
// says so, else because its time was up.
func (r *run) refused(doing string, err error) error {
	if temporal.IsCanceledError(err) && r.cancelRequested() && !r.mayExist() {
		return errStopped
	}
	var timeout *temporal.TimeoutError
	if errors.As(err, &timeout) {
		return end(batch.OutcomeRejected, fmt.Sprintf("%s: not done within create_timeout (%s): %s", doing, r.job.CreateTimeout, reason(err)))
	}
	return end(batch.OutcomeRejected, fmt.Sprintf("%s: %s", doing, reason(err)))
}

// reason is the innermost cause that says something to people.
func reason(err error) string {
	var app *temporal.ApplicationError
	var timeout *temporal.TimeoutError
	switch {
	case errors.As(err, &app):
		return app.Message()
	case errors.As(err, &timeout) && timeout.Unwrap() != nil:
		return reason(timeout.Unwrap())
	case errors.As(err, &timeout):
		return "no worker finished it in time (" + timeout.TimeoutType().String() + ")"
	default:
		return err.Error()
	}
}

// patience is how long the provider's files, and the store, are tried.
const patience = 24 * time.Hour
