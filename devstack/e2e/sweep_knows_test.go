package e2e_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"batchkeeper"
	"batchkeeper/batch"
)

// Whatever an operator has done to a run, the batch that it still follows is no orphan.
func TestSweepKnowsWhoFollows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.start()
	id := r.created().BatchID
	r.reset(4)
	r.await("the copy tracks the batch", func(s batch.State) bool { return s.BatchID == id && s.Polls > 0 })
	w.findsNothing(batch.SweepJob{Cancel: true}, 1, 0)

	r.terminate()
	mine, err := batchkeeper.Start(t.Context(), w.client, batch.Job{BatchID: id}, batchkeeper.WithID(w.id()+"-mine"), batchkeeper.WithTaskQueue(w.queue))
	require.NoError(t, err)
	w.eventually("the list shows the adoption", func() bool {
		for l, err := range batchkeeper.List(t.Context(), w.client, "BatchId = '"+id+"'") {
			if err == nil && l.ID == mine.ID() {
				return true
			}
		}
		return false
	})
	w.findsNothing(batch.SweepJob{Cancel: true}, 1, 0)
	require.NoError(t, w.gateway.Finish(id, "completed", -1))
	end, err := mine.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, batch.OutcomeCompleted, end.Outcome)
	w.eventually("the list shows its end", func() bool {
		report := w.sweep(batch.SweepJob{})
		return report.Accounted == 1 && len(report.Findings) == 0
	})
}

// A chain can outlive its first run, whose id is in the session.
func TestSweepKnowsARunThatOutlivedItsBeginning(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withServer(ownTemporal(t, "--dynamic-config-value", "limit.historyCount.suggestContinueAsNew=60")))
	r := w.start()
	r.await("it has been read many times", func(s batch.State) bool { return s.Polls >= 12 })
	require.Greater(t, len(r.histories()), 1, "it has continued as new")
	w.findsNothing(batch.SweepJob{Cancel: true}, 1, 0)

	_, err := w.client.WorkflowService().DeleteWorkflowExecution(t.Context(), &workflowservice.DeleteWorkflowExecutionRequest{
		Namespace: "default", WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: r.ID(), RunId: r.RunID()},
	})
	require.NoError(t, err)
	w.eventually("its beginning is no longer retained", func() bool {
		_, err := w.client.DescribeWorkflowExecution(t.Context(), r.ID(), r.RunID())
		var gone *serviceerror.NotFound
		return errors.As(err, &gone)
	})
	w.findsNothing(batch.SweepJob{Cancel: true}, 1, 0)
	require.NoError(t, w.gateway.Finish(w.gateway.BatchesOf("")[0].ID, "completed", -1))
	w.eventually("it has ended", func() bool {
		report := w.sweep(batch.SweepJob{})
		return report.Accounted == 1
	})
}

// A run whose worker is gone cannot say what it follows: that is not nobody.
func TestSweepOfARunThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.start(pollsRarely)
	id := r.created().BatchID
	w.killWorker()
	t.Run("another", func(t *testing.T) {
		beside := newWorld(t, deaf, func(o *setup) { o.env = append(o.env, "PHASEO_BASE_URL="+w.gateway.URL()) })
		f := beside.finds(batch.SweepJob{Cancel: true}, batch.SweepUnknown, batch.SweepReported)
		require.Equal(t, id, f.BatchID)
		require.Contains(t, f.Problem, "no worker answers")
	})
	w.startWorker()
	r.ends(batch.StatusCompleted, -1)
	require.Equal(t, batch.OutcomeCompleted, r.wait().Outcome)
}

// A start by other means may give no input at all.
func TestSweepByAnyClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	options := client.StartWorkflowOptions{TaskQueue: w.queue}
	started, err := w.client.ExecuteWorkflow(t.Context(), options, batch.WorkflowSweep)
	require.NoError(t, err)
	var report batch.SweepReport
	require.NoError(t, started.Get(t.Context(), &report))
	require.True(t, report.Complete)

	started, err = w.client.ExecuteWorkflow(t.Context(), options, batch.WorkflowSweep, map[string]any{"max-age": "1h"})
	require.NoError(t, err)
	require.ErrorContains(t, started.Get(t.Context(), nil), `unknown field "max-age"`)
}

func TestSweepBySchedule(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withServer(ownTemporal(t)))
	r := w.start()
	id := r.created().BatchID
	r.terminate()
	queue := batchkeeper.WithTaskQueue(w.queue)
	s, err := batchkeeper.ScheduleSweep(t.Context(), w.client, batch.SweepJob{}, time.Second, queue)
	require.NoError(t, err)
	require.True(t, s.Created)
	w.eventually("a scheduled sweep has adopted the batch", func() bool {
		_, err := batchkeeper.Attach(t.Context(), w.client, batch.AdoptID(id), "")
		return err == nil
	})

	s, err = batchkeeper.ScheduleSweep(t.Context(), w.client, batch.SweepJob{Cancel: true}, time.Hour, queue)
	require.NoError(t, err)
	require.False(t, s.Created)
	require.NotNil(t, s.Next)
	handle := w.client.ScheduleClient().GetHandle(t.Context(), batch.ScheduleSweep)
	now, err := handle.Describe(t.Context())
	require.NoError(t, err)
	require.Equal(t, time.Hour, now.Schedule.Spec.Intervals[0].Every)
	require.Len(t, now.Schedule.Spec.Intervals, 1)
	require.Equal(t, enumspb.SCHEDULE_OVERLAP_POLICY_SKIP, now.Schedule.Policy.Overlap)
	require.NoError(t, handle.Delete(t.Context()))

	require.NoError(t, w.gateway.Finish(id, "completed", -1))
	require.Equal(t, batch.OutcomeCompleted, r.adopted(id).wait().Outcome)
	w.eventually("no sweep is under way", func() bool {
		open, err := w.client.CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{
			Query: "WorkflowType = 'SweepWorkflow' AND ExecutionStatus = 'Running'",
		})
		return err == nil && open.GetCount() == 0
	})
	failed, err := w.client.CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{
		Query: "WorkflowType = 'SweepWorkflow' AND ExecutionStatus != 'Completed'",
	})
	require.NoError(t, err)
	require.Zero(t, failed.GetCount())
	_, err = handle.Describe(t.Context())
	var gone *serviceerror.NotFound
	require.ErrorAs(t, err, &gone)
}
