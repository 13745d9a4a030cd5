package e2e_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/workflowservice/v1"

	"batchkeeper/batch"
	"batchkeeper/internal/gateway/gatewaytest"
)

// reset takes the run back to a completed workflow task, as an operator may.
func (r *run) reset(event int64) {
	t := r.w.t
	t.Helper()
	_, err := r.w.client.ResetWorkflowExecution(t.Context(), &workflowservice.ResetWorkflowExecutionRequest{
		Namespace: "default", WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: r.ID(), RunId: r.RunID()},
		Reason: "test", WorkflowTaskFinishEventId: event, RequestId: uuid.NewString(),
	})
	require.NoError(t, err)
}

// lastTask is the completed workflow task that the last event of a kind follows;
// with none, the newest.
func (r *run) lastTask(before func(*historypb.HistoryEvent) bool) int64 {
	r.w.t.Helper()
	var task, found int64
	for _, e := range r.histories()[0].GetEvents() {
		if before != nil && before(e) {
			found = task
		}
		if e.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED {
			task = e.GetEventId()
		}
	}
	if before == nil {
		return task
	}
	require.NotZero(r.w.t, found)
	return found
}

// firstTask is the run's first completed workflow task.
func (r *run) firstTask() int64 {
	r.w.t.Helper()
	for _, e := range r.histories()[0].GetEvents() {
		if e.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED {
			return e.GetEventId()
		}
	}
	require.Fail(r.w.t, "no workflow task has completed")
	return 0
}

func schedules(activity string) func(*historypb.HistoryEvent) bool {
	return func(e *historypb.HistoryEvent) bool {
		return e.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName() == activity
	}
}

// Wherever a run is reset to once its batch exists, it finds it again: however
// much of its past it has forgotten, it posts no second one.
func TestResetFindsItsBatchAgain(t *testing.T) {
	t.Parallel()
	for name, point := range map[string]func(*run) int64{
		"to-its-beginning":  func(*run) int64 { return 4 },
		"before-the-look":   func(r *run) int64 { return r.lastTask(schedules("LookUp")) },
		"before-the-create": func(r *run) int64 { return r.lastTask(schedules("Create")) },
		"after-the-create":  func(r *run) int64 { return r.lastTask(nil) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			r := w.start()
			before := r.created()
			r.reset(point(r))
			r.await("the copy tracks the batch", func(s batch.State) bool { return s.BatchID == before.BatchID && s.Polls > 0 })
			r.ends(batch.StatusCompleted, -1)
			require.Equal(t, batch.OutcomeCompleted, r.wait().Outcome)
			require.Equal(t, 1, w.entries(request(gatewaytest.OpCreate)), "no second post")
		})
	}
}

// The reset comes while the post is in hand: the server hands the same call out
// again, in the copy, which must not make it.
func TestResetWhileTheCreateIsInHand(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hold(gatewaytest.OpCreate, gatewaytest.FaultEffectHang))
	r := w.start()
	w.awaitEntry("the batch exists", effect(gatewaytest.EffectBatchCreated))
	tasks := r.events(enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED)
	require.NoError(t, w.client.SignalWorkflow(t.Context(), r.ID(), "", batch.SignalWebhook, batch.Delivery{EventID: "evt_wake", BatchID: "batch_other"}))
	w.eventually("a workflow task behind the call", func() bool { return r.events(enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED) > tasks })
	r.reset(r.lastTask(nil))
	r.ends(batch.StatusCompleted, -1)
	require.Equal(t, batch.OutcomeCompleted, r.wait().Outcome)
	require.Equal(t, 1, w.entries(request(gatewaytest.OpCreate)), "no second post")
}
