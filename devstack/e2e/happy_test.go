package e2e_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"

	"batchkeeper/batch"
	"batchkeeper/internal/gateway/gatewaytest"
)

func TestHappyByWebhook(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.start(pollsRarely)
	r.ends(batch.StatusCompleted, -1)
	w.awaitEntry("the delivery is accepted", func(e gatewaytest.Entry) bool {
		return effect(gatewaytest.EffectWebhookAnswered)(e) && e.Status == 200
	})
	delivered := time.Now()
	result := r.wait()
	t.Logf("collected %s after the delivery was accepted", time.Since(delivered).Round(time.Millisecond))
	require.Equal(t, batch.OutcomeCompleted, result.Outcome)
	require.Equal(t, 1, result.Webhook.Deliveries)
	require.LessOrEqual(t, result.Polls, 2, "the delivery brought it, not a poll")
	require.Equal(t, enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, r.temporalStatus())
	require.Equal(t, 1, r.events(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED))
}

func TestHappyByPollingAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, deaf)
	r := w.start()
	r.ends(batch.StatusCompleted, -1)
	result := r.wait()
	require.Equal(t, batch.OutcomeCompleted, result.Outcome)
	require.Zero(t, result.Webhook.Deliveries)
}
