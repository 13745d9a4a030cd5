package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"batchkeeper"
	"batchkeeper/batch"
	"batchkeeper/internal/env"
)

// runs is what the activities may ask of the Temporal server.
type runs struct{ client client.Client }

// Describe implements activities.Runs.
func (r runs) Describe(ctx context.Context, workflowID string) (batch.RunStatus, error) {
	d, err := r.client.DescribeWorkflowExecution(ctx, workflowID, "")
	if _, missing := errors.AsType[*serviceerror.NotFound](err); missing {
		return batch.RunMissing, nil
	}
	if err != nil {
		return "", err
	}
	if d.GetWorkflowExecutionInfo().GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		return batch.RunOpen, nil
	}
	return batch.RunClosed, nil
}

// Job implements activities.Runs.
func (r runs) Job(ctx context.Context, workflowID string) (batch.Job, error) {
	run, err := batchkeeper.Attach(ctx, r.client, workflowID, "")
	if err != nil {
		return batch.Job{}, err
	}
	return run.Job(ctx)
}

// Finished implements activities.Runs. A run that was terminated, or timed out,
// left no result; its batch may be live.
func (r runs) Finished(ctx context.Context, workflowID string) (batch.Finished, error) {
	run, err := batchkeeper.Attach(ctx, r.client, workflowID, "")
	if err != nil {
		return batch.Finished{}, err
	}
	f := batch.Finished{WorkflowID: workflowID, RunID: run.RunID()}
	result, err := run.Wait(ctx)
	switch {
	case errors.Is(err, batchkeeper.ErrNoResult):
		f.Outcome = batch.OutcomeSubmissionUnknown
		f.Failure = &batch.Failure{
			Type: batch.KindSubmissionUnknown, Message: "the batch's workflow was terminated or timed out: whether its batch runs is not known",
		}
	case err != nil:
		return batch.Finished{}, err
	default:
		f.BatchID, f.Outcome, f.Failure, f.Results = result.BatchID, result.Outcome, result.Failure, result.Results
	}
	return f, nil
}

// Governor implements activities.Runs.
func (r runs) Governor(ctx context.Context, workflowID string) (batch.GovernorState, error) {
	var state batch.GovernorState
	value, err := r.client.QueryWorkflow(ctx, workflowID, "", batch.QueryState)
	if err != nil {
		return state, err
	}
	return state, value.Get(&state)
}

// SignalWithStart implements activities.Runs.
func (r runs) SignalWithStart(ctx context.Context, workflowID, workflowName, taskQueue, signal string, signalArg, input any) error {
	_, err := r.client.SignalWithStartWorkflow(ctx, workflowID, signal, signalArg,
		client.StartWorkflowOptions{ID: workflowID, TaskQueue: taskQueue}, workflowName, input)
	return err
}

// account names whose capacity a gateway's key uses: the host, and enough of a
// digest to tell two keys apart, which gives neither away.
func account(g env.Gateway) string {
	name := "unknown"
	if u, err := url.Parse(g.BaseURL); err == nil && u.Host != "" {
		name = u.Host
	}
	key, err := g.Key()
	if err != nil {
		return name
	}
	sum := sha256.Sum256([]byte("account of " + key.Reveal()))
	return fmt.Sprintf("%s-%s", name, hex.EncodeToString(sum[:4]))
}
