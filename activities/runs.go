package activities

import (
	"context"
	"errors"

	"batchkeeper/batch"
)

// Runs is what activities need to know of other workflows, and the one thing
// they do to them. The worker brings its implementation: this package does not
// talk to Temporal.
type Runs interface {
	// Describe says whether the newest run of a workflow id is open or closed. A
	// workflow that the server does not know is an answer, not an error.
	Describe(ctx context.Context, workflowID string) (batch.RunStatus, error)
	// Job is what the newest run of a workflow id was started with.
	Job(ctx context.Context, workflowID string) (batch.Job, error)
	// Finished is how the newest run of a workflow id, which is closed, ended.
	Finished(ctx context.Context, workflowID string) (batch.Finished, error)
	// Track finds the runs that follow a batch, or have seen its end: the one whose
	// session it carries, the one that adopted it, or any other that names it.
	Track(ctx context.Context, batchID, sessionID string) (batch.Tracking, error)
	// Governor is what a governor says of who holds and who waits for capacity.
	Governor(ctx context.Context, workflowID string) (batch.GovernorState, error)
	// SignalWithStart signals a workflow, which is started with the input where
	// none is open.
	SignalWithStart(ctx context.Context, workflowID, workflowName, taskQueue, signal string, signalArg, input any) error
}

func (a *Activities) server() (Runs, error) {
	if a.runs == nil {
		return nil, fault(batch.KindMisconfigured, errors.New("this worker was not given the Temporal server to ask about other workflows"))
	}
	return a.runs, nil
}
