package e2e_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper/batch"
)

func TestBulkHappy(t *testing.T) {
	t.Parallel()
	w := newWorld(t, endsAfter(2*time.Second))
	r := w.startBulk(w.writeInput(prompts(6000)...), func(j *batch.Job) { j.MaxRowsPerBatch, j.MaxInFlight = 500, 4 })
	result := r.waitBulk()
	require.Equal(t, batch.OutcomeCompleted, result.Outcome)
	require.Equal(t, 12, result.Bulk.Shards)
	require.EqualValues(t, 6000, result.Bulk.Counts.Answered)
	require.Positive(t, result.Bulk.Money.CostNanos)
	require.Len(t, w.gateway.BatchesOf(""), 12)
	require.LessOrEqual(t, w.mostLive(), 4)
}
