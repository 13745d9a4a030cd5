// Package batchkeeper is what application code imports to run LLM batch jobs
// durably on Temporal: it starts a run, or attaches to the one that exists, and
// follows, cancels and lists runs. It exists so that callers need neither the
// workflow's code nor its message names; the worker hosts the workflow itself.
//
//	run, err := batchkeeper.Start(ctx, temporalClient, batch.Job{Input: "file:///data/requests.jsonl"},
//		batchkeeper.WithID("nightly-1"))
//	result, err := run.Wait(ctx)
//
// Starting is idempotent by workflow id: a program that crashes and starts
// again gets the run that it started before, and pays once.
package batchkeeper

import (
	"context"
	"errors"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"batchkeeper/batch"
)

// Errors that callers tell apart with errors.Is.
var (
	// ErrInvalidJob: the job, the workflow id or an option cannot be run; nothing was sent.
	ErrInvalidJob = errors.New("not a job that can run")
	// ErrOtherJob: the workflow id belongs to a run of another job.
	ErrOtherJob = errors.New("the workflow id belongs to another job")
	// ErrStillOpen: a rerun was asked for while the run before it is open.
	ErrStillOpen = errors.New("the run is still open")
	// ErrNotFound: the namespace has no such run, or has it no more.
	ErrNotFound = errors.New("no such run")
	// ErrAlreadyFinished: the run, or its batch, ended before the request came.
	ErrAlreadyFinished = errors.New("already finished")
	// ErrRefused: the run does not accept the request in its present state.
	ErrRefused = errors.New("the run refused")
	// ErrOtherType: the request is for another type of run, as a pause is for bulk runs.
	ErrOtherType = errors.New("not a request for this type of run")
	// ErrNoWorker: no worker answered for the run in time.
	ErrNoWorker = errors.New("no worker answers")
	// ErrNoResult: the run is closed without a result: terminated or timed out.
	ErrNoResult = errors.New("the run left no result")
)

// Start starts a run of job, or attaches to the one that the workflow id names
// already, open or closed, when that is a run of the same job; Run.Attached
// tells which. Another job under the same id is ErrOtherJob, a job that cannot
// run ErrInvalidJob; in both cases nothing is started. An id is protected for as
// long as the namespace retains its run. Without WithID each call starts a run
// of its own, under an id made from the input's name.
func Start(ctx context.Context, c client.Client, job batch.Job, opts ...Option) (*Run, error) {
	o := newOptions(job, opts)
	if err := o.check(job); err != nil {
		return nil, fmt.Errorf("start: %w: %w", ErrInvalidJob, err)
	}
	started, err := c.ExecuteWorkflow(ctx, o.startOptions(job), o.workflow, job)
	if err == nil {
		return &Run{client: c, id: o.id, first: started.GetRunID(), workflow: o.workflow}, nil
	}
	if _, exists := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](err); !exists {
		return nil, fmt.Errorf("start %s: %w", o.id, err)
	}
	return attachToSame(ctx, c, job, o)
}

// attachToSame attaches to the run that holds the id, if its job is this one.
func attachToSame(ctx context.Context, c client.Client, job batch.Job, o options) (*Run, error) {
	r, err := Attach(ctx, c, o.id, "")
	if err != nil {
		return nil, fmt.Errorf("start %s: the id is taken: %w", o.id, err)
	}
	if o.rerun {
		return nil, fmt.Errorf("start %s: %w: cancel it first, or take another id", o.id, ErrStillOpen)
	}
	same, err := r.asksFor(ctx, job)
	if err != nil {
		return nil, fmt.Errorf("start %s: compare with the run that exists: %w", o.id, err)
	}
	if !same {
		return nil, fmt.Errorf("start %s: %w: take another id, or rerun on purpose once the run has ended", o.id, ErrOtherJob)
	}
	r.attached = true
	return r, nil
}

// startOptions makes a race of equal starts end in one run: the server decides,
// and the loser attaches.
func (o options) startOptions(job batch.Job) client.StartWorkflowOptions {
	reuse := enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE
	if o.rerun {
		reuse = enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE
	}
	return client.StartWorkflowOptions{
		ID: o.id, TaskQueue: o.taskQueue,
		WorkflowIDReusePolicy:                    reuse,
		WorkflowIDConflictPolicy:                 enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		Memo:                                     map[string]any{batch.MemoJob: job.Fingerprint()},
		StaticSummary:                            summary(job), StaticDetails: details(job),
	}
}
