package bridge_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"

	"batchkeeper/webhookbridge/bridge"
)

func found(id string, status enumspb.WorkflowExecutionStatus) *workflowpb.WorkflowExecutionInfo {
	return &workflowpb.WorkflowExecutionInfo{Execution: &commonpb.WorkflowExecution{WorkflowId: id}, Status: status}
}

func TestFind(t *testing.T) {
	const open, done = enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
	server := &fakeTemporal{lists: [][]*workflowpb.WorkflowExecutionInfo{nil, nil, {found("old", done), found("new", open), found("other", open)}}}
	n := server.notifier()
	elapsed(t, func(t *testing.T) {
		id, err := n.Find(t.Context(), "batch_1")
		require.NoError(t, err)
		require.Equal(t, "new", id, "an open run is preferred")
	})
	require.Len(t, server.queries, 3, "visibility trails")
	require.Equal(t, "BatchId = 'batch_1'", server.queries[0])

	_, err := n.Find(t.Context(), "batch_1")
	require.NoError(t, err)
	require.Len(t, server.queries, 3, "it is remembered")

	server.signalErrs, server.status = []error{serviceerror.NewNotFound("closed")}, done
	require.ErrorIs(t, n.Signal(t.Context(), notice()), bridge.ErrClosed)
	_, err = n.Find(t.Context(), "batch_1")
	require.NoError(t, err)
	require.Len(t, server.queries, 4, "until the run turns out to be closed")
}

func TestFindThatFails(t *testing.T) {
	nothing := &fakeTemporal{}
	took := elapsed(t, func(t *testing.T) {
		_, err := nothing.notifier().Find(t.Context(), "batch_1")
		require.ErrorIs(t, err, bridge.ErrNoRun)
	})
	require.GreaterOrEqual(t, took, 3*time.Second)
	require.LessOrEqual(t, took, 5*time.Second)

	for answer, want := range map[error]error{
		serviceerror.NewInvalidArgument("no such attribute"): bridge.ErrRefused,
		serviceerror.NewNotFound("no visibility"):            bridge.ErrRefused,
		serviceerror.NewPermissionDenied("no", ""):           bridge.ErrDenied,
	} {
		_, err := (&fakeTemporal{listErr: answer}).notifier().Find(t.Context(), "batch_1")
		require.ErrorIs(t, err, want)
	}
	injected := &fakeTemporal{}
	_, err := injected.notifier().Find(t.Context(), "x' OR 'a' = 'a")
	require.ErrorIs(t, err, bridge.ErrRefused)
	require.Empty(t, injected.queries)
}

func TestFindForgetsRatherThanGrows(t *testing.T) {
	server := &fakeTemporal{lists: [][]*workflowpb.WorkflowExecutionInfo{{found("w", enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING)}}}
	n := server.notifier()
	for i := range 1025 {
		_, err := n.Find(t.Context(), fmt.Sprintf("batch_%d", i))
		require.NoError(t, err)
	}
	first := len(server.queries)
	_, err := n.Find(t.Context(), "batch_0")
	require.NoError(t, err)
	require.Len(t, server.queries, first+1)
}
