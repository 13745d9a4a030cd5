package e2e_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"batchkeeper"
	"batchkeeper/batch"
)

// A start as the temporal command line sends it: the workflow's name and JSON
// as it was typed, without any type of this module.
func TestStartFromPlainJSON(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ids := w.writeInput(prompts(10)...)
	typed := `{"input":"` + inputKey + `","model":"gpt-5-mini-2025-08-07","poll":{"min":"1s","max":"1s"},"metadata":{"team":"e2e"}}`
	input := converter.NewRawValue(&commonpb.Payload{
		Metadata: map[string][]byte{converter.MetadataEncoding: []byte(converter.MetadataEncodingJSON)}, Data: []byte(typed),
	})
	_, err := w.client.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: w.id(), TaskQueue: w.queue}, batch.WorkflowBatch, input)
	require.NoError(t, err)
	attached, err := batchkeeper.Attach(t.Context(), w.client, w.id(), "")
	require.NoError(t, err)
	r := &run{Run: attached, w: w, ids: ids}
	r.ends(batch.StatusCompleted, -1)
	require.Equal(t, batch.OutcomeCompleted, r.wait().Outcome)
}

// What cannot be read ends as rejected, says why, and still answers the query.
func TestStartFromBadJSON(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, typed := range map[string]string{
		"mistyped": `{"input":"x","stale_aftr":"1h"}`,
		"a list":   `[1]`,
		"nothing":  `null`,
	} {
		t.Run(name, func(t *testing.T) {
			started, err := w.client.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: w.id() + "." + name[:1], TaskQueue: w.queue},
				batch.WorkflowBatch, json.RawMessage(typed))
			require.NoError(t, err)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			r, err := batchkeeper.Attach(ctx, w.client, started.GetID(), "")
			require.NoError(t, err)
			result, err := r.Wait(ctx)
			require.NoError(t, err)
			require.Equal(t, batch.OutcomeRejected, result.Outcome)
			require.NotEmpty(t, result.Failure.Message)
			state, err := r.State(ctx)
			require.NoError(t, err)
			require.Equal(t, batch.OutcomeRejected, state.Outcome)
		})
	}
}

// A server that suggests to continue as new after a few events: nothing of the
// run is lost on the way, and the whole chain makes one batch.
func TestContinueAsNew(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withServer(ownTemporal(t, "--dynamic-config-value", "limit.historyCount.suggestContinueAsNew=60")))
	r := w.start()
	r.await("it has been read many times", func(s batch.State) bool { return s.Polls >= 12 })
	require.Greater(t, len(r.histories()), 1, "it has continued as new")
	r.ends(batch.StatusCompleted, -1)
	result := r.wait()
	require.Equal(t, batch.OutcomeCompleted, result.Outcome)
	require.Equal(t, 1, result.Webhook.Deliveries)
	for _, h := range r.histories() {
		require.Less(t, len(h.GetEvents()), 120)
	}
}
