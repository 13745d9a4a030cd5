package batchkeeper_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"batchkeeper"
	"batchkeeper/batch"
)

func TestEveryEndHasItsResult(t *testing.T) {
	for _, outcome := range batch.Outcomes() {
		if outcome == batch.OutcomeCompletedWithFailures {
			continue // to Temporal the same as completed
		}
		t.Run(string(outcome), func(t *testing.T) {
			r := start(t, job, batchkeeper.WithID("end-"+string(outcome)))
			tell(t, r, string(outcome))
			result, err := r.Wait(t.Context())
			require.NoError(t, err)
			require.Equal(t, outcome, result.Outcome)
			require.Equal(t, "batch_1", result.BatchID)
			state, err := r.State(t.Context())
			require.NoError(t, err)
			require.Equal(t, result, state)
			open, err := r.Open(t.Context())
			require.NoError(t, err)
			require.False(t, open)
		})
	}
}

func TestAHandleFollowsItsRun(t *testing.T) {
	r := start(t, job, batchkeeper.WithID("chain"))
	_, err := r.Refresh(t.Context())
	require.NoError(t, err)
	tell(t, r, "continue")
	require.Eventually(t, func() bool {
		d, err := server.DescribeWorkflowExecution(t.Context(), "chain", "")
		return err == nil && d.GetWorkflowExecutionInfo().GetExecution().GetRunId() != r.RunID()
	}, 10*time.Second, 20*time.Millisecond)

	state, err := r.Refresh(t.Context())
	require.NoError(t, err)
	require.Equal(t, 2, state.Polls, "updates reach what the run continued as")
	theirs, err := r.Job(t.Context())
	require.NoError(t, err)
	require.Equal(t, job, theirs)
	attached, err := batchkeeper.Attach(t.Context(), server, "chain", "")
	require.NoError(t, err)
	require.Equal(t, r.RunID(), attached.RunID(), "a run is known by the first of its chain")

	require.NoError(t, r.CancelAsync(t.Context(), batch.CancelRequest{Reason: "enough"}))
	tell(t, r, "completed")
	result, err := r.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, 2, result.Polls)
	require.Equal(t, "enough", result.Cancellation.Reason)

	again := start(t, job, batchkeeper.WithID("chain"), batchkeeper.WithRerun())
	result, err = r.Wait(t.Context())
	require.NoError(t, err, "the id is another run's now; the handle still finds its own")
	require.Equal(t, 2, result.Polls)
	_, err = r.Cancel(t.Context(), batch.CancelRequest{})
	require.ErrorIs(t, err, batchkeeper.ErrAlreadyFinished)
	require.ErrorIs(t, r.CancelAsync(t.Context(), batch.CancelRequest{}), batchkeeper.ErrAlreadyFinished)
	state, err = again.State(t.Context())
	require.NoError(t, err)
	require.Nil(t, state.Cancellation, "a request to the old run does not reach the new one")
	tell(t, again, "completed")
}

func TestCancel(t *testing.T) {
	r := start(t, job, batchkeeper.WithID("cancel"))
	state, err := r.Cancel(t.Context(), batch.CancelRequest{Reason: "wrong file", RequestedBy: "me"})
	require.NoError(t, err)
	require.Equal(t, "wrong file", state.Cancellation.Reason)

	tell(t, r, "terminal")
	require.Eventually(t, func() bool {
		state, err := r.Cancel(t.Context(), batch.CancelRequest{})
		return err != nil && state.Status == batch.StatusCompleted
	}, 10*time.Second, 20*time.Millisecond)
	_, err = r.Cancel(t.Context(), batch.CancelRequest{})
	require.ErrorIs(t, err, batchkeeper.ErrAlreadyFinished)

	tell(t, r, "completed")
	await(t, "cancel", enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED)
	_, err = r.Cancel(t.Context(), batch.CancelRequest{})
	require.ErrorIs(t, err, batchkeeper.ErrAlreadyFinished)
	_, err = r.Refresh(t.Context())
	require.ErrorIs(t, err, batchkeeper.ErrAlreadyFinished)
}

func TestSettle(t *testing.T) {
	r := start(t, job, batchkeeper.WithID("settle"))
	state, err := r.Settle(t.Context(), batch.SettleRequest{BatchID: "batch_9"})
	require.NoError(t, err)
	require.Equal(t, "batch_9", state.BatchID)
	_, err = r.Settle(t.Context(), batch.SettleRequest{Resubmit: true})
	require.ErrorIs(t, err, batchkeeper.ErrRefused)
	require.ErrorContains(t, err, "not ambiguous")
	tell(t, r, "completed")
}

func TestARunThatIsTerminatedLeavesNoResult(t *testing.T) {
	r := start(t, job, batchkeeper.WithID("terminated"))
	_, err := r.Refresh(t.Context())
	require.NoError(t, err)
	require.NoError(t, server.TerminateWorkflow(t.Context(), r.ID(), "", "for the test"))
	_, err = r.Wait(t.Context())
	require.ErrorIs(t, err, batchkeeper.ErrNoResult)
	state, err := r.State(t.Context())
	require.NoError(t, err)
	require.Equal(t, "batch_1", state.BatchID, "the last state, from a worker's replay")
}

func TestWaitFollowsAReset(t *testing.T) {
	r := start(t, job, batchkeeper.WithID("reset"))
	_, err := r.Refresh(t.Context())
	require.NoError(t, err)
	waited := make(chan batch.Result, 1)
	go func() {
		result, err := r.Wait(t.Context())
		if err == nil {
			waited <- result
		}
	}()
	resetToStart(t, r)
	tell(t, r, "completed")
	select {
	case result := <-waited:
		require.Equal(t, batch.OutcomeCompleted, result.Outcome)
	case <-time.After(20 * time.Second):
		t.Fatal("the wait did not end")
	}
}

func TestWatch(t *testing.T) {
	r := start(t, job, batchkeeper.WithID("watch"))
	var seen []batch.State
	err := r.Watch(t.Context(), func(s batch.State) {
		if seen = append(seen, s); len(seen) == 1 {
			tell(t, r, "cancelled")
		}
	})
	require.NoError(t, err)
	require.Equal(t, batch.StageTracking, seen[0].Stage)
	require.Equal(t, batch.OutcomeCancelled, seen[len(seen)-1].Outcome)

	open := start(t, job, batchkeeper.WithID("watch-open"))
	ctx, stop := context.WithCancel(t.Context())
	err = open.Watch(ctx, func(batch.State) { stop() })
	require.ErrorIs(t, err, context.Canceled)
	tell(t, open, "completed")
}

func TestARunWithoutAWorkerSaysSo(t *testing.T) {
	r, err := batchkeeper.Start(t.Context(), server, job, batchkeeper.WithTaskQueue("deserted"), batchkeeper.WithID("deserted"))
	require.NoError(t, err)
	_, err = r.State(t.Context())
	require.ErrorIs(t, err, batchkeeper.ErrNoWorker)
	require.ErrorContains(t, err, "deserted")
	require.NoError(t, r.CancelAsync(t.Context(), batch.CancelRequest{}), "word can be left all the same")
}

// flaky is a client whose server does not answer for a while.
type flaky struct {
	client.Client
	failures int
}

func (f *flaky) DescribeWorkflowExecution(ctx context.Context, id, runID string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	if f.failures--; f.failures >= 0 {
		return nil, serviceerror.NewUnavailable("restarting")
	}
	return f.Client.DescribeWorkflowExecution(ctx, id, runID)
}

func TestWaitBearsARestartOfTheServer(t *testing.T) {
	tell(t, start(t, job, batchkeeper.WithID("restart")), "completed")
	c := &flaky{Client: server}
	r, err := batchkeeper.Attach(t.Context(), c, "restart", "")
	require.NoError(t, err)
	c.failures = 2
	result, err := r.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, batch.OutcomeCompleted, result.Outcome)
}

func TestWaitGivesUpWithItsContext(t *testing.T) {
	r := start(t, job, batchkeeper.WithID("impatient"))
	ctx, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	_, err := r.Wait(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	tell(t, r, "completed")
}

func TestList(t *testing.T) {
	start(t, job, batchkeeper.WithID("listed-1"))
	_, err := server.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: "listed-2", TaskQueue: queue,
		TypedSearchAttributes: temporal.NewSearchAttributes(
			temporal.NewSearchAttributeKeyKeyword(batch.AttrLifecycleStatus).ValueSet("running"),
			temporal.NewSearchAttributeKeyKeyword(batch.AttrBatchID).ValueSet("batch_1"),
			temporal.NewSearchAttributeKeyInt64(batch.AttrRows).ValueSet(240),
		),
	}, batch.WorkflowBatch, job)
	require.NoError(t, err)
	_, err = server.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "listed-3", TaskQueue: queue}, "Stranger", job)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		var ids []string
		for l, err := range batchkeeper.List(t.Context(), server, "WorkflowId STARTS_WITH 'listed-'") {
			if err != nil || l.Type != batch.WorkflowBatch || l.StartedAt.IsZero() {
				return false
			}
			ids = append(ids, l.ID)
		}
		return len(ids) == 2 && ids[0] == "listed-2" && ids[1] == "listed-1"
	}, 10*time.Second, 50*time.Millisecond)

	for l, err := range batchkeeper.List(t.Context(), server, "BatchLifecycleStatus = 'running' OR BatchRows > 1") {
		require.NoError(t, err)
		require.Equal(t, "listed-2", l.ID)
		require.Equal(t, batch.Running, l.LifecycleStatus)
		require.Equal(t, "batch_1", l.BatchID)
		require.Equal(t, int64(240), l.Rows)
		require.Equal(t, "Running", l.TemporalStatus)
		require.Nil(t, l.ClosedAt)
	}
	for _, err := range batchkeeper.List(t.Context(), server, "Nonsense = 1") {
		require.ErrorContains(t, err, "list runs")
	}
}
