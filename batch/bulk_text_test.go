package batch_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"batchkeeper/batch"
)

func TestUSD(t *testing.T) {
	for amount, want := range map[float64]string{0: "0.00 USD", 400: "400.00 USD", 0.5: "0.50 USD", 0.002: "0.002 USD", 1e-7: "0.0000001 USD"} {
		require.Equal(t, want, batch.USD(amount))
	}
}

func TestBulkLifecycle(t *testing.T) {
	for stage, want := range map[batch.Stage]batch.LifecycleStatus{
		batch.StageInspecting: batch.Pending, batch.StageTracking: batch.Running, batch.StageCancelling: batch.Running,
		batch.StageCollecting: batch.Running,
	} {
		require.Equal(t, want, batch.BulkLifecycle(stage, ""), stage)
	}
	ends := map[batch.Outcome]batch.LifecycleStatus{
		batch.OutcomeCompleted: batch.Completed, batch.OutcomeCompletedWithFailures: batch.Completed,
		batch.OutcomeCancelled: batch.Cancelled, batch.OutcomeExpired: batch.Expired,
	}
	for _, o := range batch.Outcomes() {
		want, ok := ends[o]
		if !ok {
			want = batch.Failed
		}
		require.Equal(t, want, batch.BulkLifecycle(batch.StageDone, o), o)
	}
}

func TestIsChildID(t *testing.T) {
	for _, id := range []string{batch.ChildID("b", 1, 1, 1), batch.ChildID("a/b", 12, 123_456, 24)} {
		require.True(t, batch.IsChildID(id), id)
	}
	for _, id := range []string{"b", "b/r1", "b/r1/s1", "b/r0/s00001", "b/r1/s00001-refetch-1", "b/r1/s00001/x", "b/r1/s00001."} {
		require.False(t, batch.IsChildID(id), id)
	}
}
