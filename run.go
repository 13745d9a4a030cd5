package batchkeeper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"batchkeeper/batch"
)

// Run is one run of a batch workflow, whatever it continues as and wherever an
// operator resets it to. It holds no state and is safe for concurrent use.
type Run struct {
	client              client.Client
	id, first, workflow string
	attached            bool
}

// Attach finds a run by its workflow id; an empty runID means the latest. A
// missing run, and a workflow that is none of ours, are ErrNotFound.
func Attach(ctx context.Context, c client.Client, id, runID string) (*Run, error) {
	at, err := describe(ctx, c, id, runID)
	if err != nil {
		return nil, fmt.Errorf("attach to %s: %w", id, err)
	}
	if at.workflow != batch.WorkflowBatch && at.workflow != batch.WorkflowBulk {
		return nil, fmt.Errorf("attach to %s: %w: it is a %s, not a %s", id, ErrNotFound, at.workflow, batch.WorkflowBatch)
	}
	return &Run{client: c, id: id, first: at.first, workflow: at.workflow, attached: true}, nil
}

// ID is the workflow id.
func (r *Run) ID() string { return r.id }

// Type is the name of its workflow: batch.WorkflowBatch or batch.WorkflowBulk.
func (r *Run) Type() string { return r.workflow }

// RunID is the Temporal run id of the first run in the chain.
func (r *Run) RunID() string { return r.first }

// Attached tells whether the run existed before the call that returned it.
func (r *Run) Attached() bool { return r.attached }

// Open tells whether the run goes on.
func (r *Run) Open(ctx context.Context) (bool, error) {
	at, err := r.current(ctx)
	if err != nil {
		return false, fmt.Errorf("look at %s: %w", r.id, err)
	}
	return at.open(), nil
}

// Job is what the run was started with.
func (r *Run) Job(ctx context.Context) (batch.Job, error) {
	job, err := r.startedWith(ctx, r.first)
	if errors.Is(err, ErrNotFound) { // the chain outlived its first run, which it repeats
		var at place
		if at, err = r.current(ctx); err == nil {
			job, err = r.startedWith(ctx, at.runID)
		}
	}
	if err != nil {
		return batch.Job{}, fmt.Errorf("job of %s: %w", r.id, err)
	}
	job.Carried = nil
	return job, nil
}

func (r *Run) startedWith(ctx context.Context, runID string) (batch.Job, error) {
	events := r.client.GetWorkflowHistory(ctx, r.id, runID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	if !events.HasNext() {
		return batch.Job{}, errors.New("its history is empty")
	}
	event, err := events.Next()
	if err != nil {
		return batch.Job{}, translate(err)
	}
	payloads := event.GetWorkflowExecutionStartedEventAttributes().GetInput().GetPayloads()
	if len(payloads) == 0 {
		return batch.ParseJob(nil)
	}
	if !json.Valid(payloads[0].GetData()) {
		return batch.Job{}, fmt.Errorf("its input has the encoding %q: want plain JSON", payloads[0].GetMetadata()["encoding"])
	}
	return batch.ParseJob(payloads[0].GetData())
}

// asksFor tells whether the run's job is this one: by the fingerprint that Start
// left in the memo, else, for a run that was started by other means, by its input.
func (r *Run) asksFor(ctx context.Context, job batch.Job) (bool, error) {
	d, err := r.client.DescribeWorkflow(ctx, r.id, "")
	if err != nil {
		return false, translate(err)
	}
	var fingerprint string
	if err := d.GetMemoValue(batch.MemoJob, &fingerprint); err == nil {
		return fingerprint == job.Fingerprint(), nil
	}
	theirs, err := r.Job(ctx)
	if err != nil {
		return false, err
	}
	return theirs.Fingerprint() == job.Fingerprint(), nil
}

// place is one run of a chain, as the server describes it.
type place struct {
	runID, first, workflow, taskQueue string
	status                            enumspb.WorkflowExecutionStatus
}

func (p place) open() bool { return p.status == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING }

func describe(ctx context.Context, c client.Client, id, runID string) (place, error) {
	d, err := c.DescribeWorkflowExecution(ctx, id, runID)
	if err != nil {
		return place{}, translate(err)
	}
	info := d.GetWorkflowExecutionInfo()
	at := place{
		runID: info.GetExecution().GetRunId(), first: info.GetFirstRunId(), workflow: info.GetType().GetName(),
		taskQueue: info.GetTaskQueue(), status: info.GetStatus(),
	}
	at.first = firstOf(at.first, at.runID)
	return at, nil
}

// current is the run in which the chain is now: the latest under the id, unless
// the id was used again since.
func (r *Run) current(ctx context.Context) (place, error) {
	at, err := describe(ctx, r.client, r.id, "")
	if err != nil || at.first == r.first {
		return at, err
	}
	for runID := r.first; ; {
		if at, err = describe(ctx, r.client, r.id, runID); err != nil || at.open() {
			return at, err
		}
		next, err := r.successor(ctx, runID)
		if err != nil || next == "" {
			return at, err
		}
		runID = next
	}
}

// successor is the run that a closed run continued as; empty: none.
func (r *Run) successor(ctx context.Context, runID string) (string, error) {
	events := r.client.GetWorkflowHistory(ctx, r.id, runID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT)
	if !events.HasNext() {
		return "", nil
	}
	event, err := events.Next()
	if err != nil {
		return "", translate(err)
	}
	return event.GetWorkflowExecutionContinuedAsNewEventAttributes().GetNewExecutionRunId(), nil
}

// translate adds ErrNotFound to the server's own error.
func translate(err error) error {
	if _, ok := errors.AsType[*serviceerror.NotFound](err); ok {
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	return err
}
