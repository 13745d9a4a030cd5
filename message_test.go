package batchkeeper_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"batchkeeper"
	"batchkeeper/batch"
)

// What a run of another type takes is refused here: the server would only say
// that it knows no such update.
func TestRequestsForAnotherType(t *testing.T) {
	r := start(t, job, batchkeeper.WithID("single"))
	require.Equal(t, batch.WorkflowBatch, r.Type())
	_, err := r.Pause(t.Context(), batch.PauseRequest{})
	require.ErrorIs(t, err, batchkeeper.ErrOtherType)
	require.ErrorContains(t, err, "it is a BatchWorkflow, pause is for a BulkWorkflow")
	bulk := start(t, batch.Job{Input: "file:///data/requests.jsonl"}, batchkeeper.WithID("many"), batchkeeper.WithType(batch.WorkflowBulk))
	_, err = bulk.Settle(t.Context(), batch.SettleRequest{Resubmit: true})
	require.ErrorIs(t, err, batchkeeper.ErrOtherType)
	again, err := batchkeeper.Attach(t.Context(), server, "many", "")
	require.NoError(t, err)
	_, err = again.Refresh(t.Context())
	require.ErrorIs(t, err, batchkeeper.ErrOtherType)
	tell(t, r, "completed")
}
