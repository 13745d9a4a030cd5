package batchkeeper_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflowservice/v1"

	"batchkeeper"
)

// resetToStart takes a run back to its first workflow task, as an operator may.
func resetToStart(t *testing.T, r *batchkeeper.Run) {
	t.Helper()
	_, err := server.ResetWorkflowExecution(t.Context(), &workflowservice.ResetWorkflowExecutionRequest{
		Namespace: "default", WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: r.ID(), RunId: r.RunID()},
		Reason: "test", WorkflowTaskFinishEventId: 3, RequestId: uuid.NewString(),
	})
	require.NoError(t, err)
}
