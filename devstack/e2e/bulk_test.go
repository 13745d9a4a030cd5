package e2e_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper/batch"
	"batchkeeper/internal/gateway/gatewaytest"
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

// Rows that travel in uploaded files: each upload is a part of the input.
func TestBulkInFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t, endsAfter(time.Second))
	r := w.startBulk(w.writeInput(prompts(500)...), inShards(100, 4), func(j *batch.Job) { j.CreateMode = batch.CreateFile })
	result := r.waitBulk()
	require.Equal(t, batch.OutcomeCompleted, result.Outcome)
	require.EqualValues(t, 500, result.Bulk.Counts.Answered)
	require.Len(t, w.gateway.BatchesOf(""), 5)
	require.Equal(t, 5, w.entries(request(gatewaytest.OpUpload)))
}

// The same at an API that has no session id, no inline creation and no cost.
func TestBulkAtOpenAI(t *testing.T) {
	t.Parallel()
	w := newWorld(t, endsAfter(time.Second), deaf, func(o *setup) {
		o.gateway.OpenAI, o.gateway.WebhookURL = true, ""
	})
	r := w.startBulk(w.writeInput(prompts(300)...), inShards(100, 2), func(j *batch.Job) {
		j.Profile, j.WebhookEndpointID = "openai", ""
	})
	result := r.waitBulk()
	require.Equal(t, batch.OutcomeCompleted, result.Outcome)
	require.EqualValues(t, 300, result.Bulk.Counts.Answered)
	require.Equal(t, 3, result.Bulk.Money.Unpriced, "nobody tells a price")
}
