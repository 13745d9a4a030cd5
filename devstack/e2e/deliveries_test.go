package e2e_test

import (
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"

	"batchkeeper/batch"
	"batchkeeper/internal/gateway/gatewaytest"
)

// A thousand copies of one delivery are one signal and no more than a read, and
// the next genuine one is still taken.
func TestAThousandDuplicates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.start(pollsRarely)
	before := r.created()
	copies := make(chan int, 1000)
	for range cap(copies) {
		copies <- 1
	}
	close(copies)
	var senders sync.WaitGroup
	for range 8 {
		senders.Go(func() {
			for range copies {
				status, err := w.gateway.Deliver(t.Context(), gatewaytest.Delivery{BatchID: before.BatchID, Phase: "status_changed"})
				if err != nil || status != 200 {
					t.Errorf("a duplicate was answered %d: %v", status, err)
				}
			}
		})
	}
	senders.Wait()
	during := r.await("the delivery was read", func(s batch.State) bool { return s.Polls > before.Polls && s.Webhook.Deliveries == 1 })
	require.Equal(t, before.Polls+1, during.Polls, "one read for all of them")
	require.Equal(t, 1, r.events(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED))
	r.ends(batch.StatusCompleted, -1)
	require.Equal(t, batch.OutcomeCompleted, r.wait().Outcome)
	require.Equal(t, 2, r.events(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED))
}

// What is not the gateway's own word has no effect, whatever it says.
func TestForgedAndStaleDeliveries(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.start(pollsRarely)
	before := r.created()
	for name, forged := range map[string]gatewaytest.Delivery{
		"another secret":     {Secret: "whsec_somebody_elses_0123456789abcdef0123456789"},
		"tampered body":      {Tampered: true},
		"no signature":       {Unsigned: true},
		"empty signature":    {Header: map[string]string{"X-Phaseo-Signature": ""}},
		"older than allowed": {Age: gatewaytest.Duration(6 * time.Minute)},
		"from the future":    {Age: gatewaytest.Duration(-6 * time.Minute)},
	} {
		forged.BatchID, forged.Phase = before.BatchID, "completed"
		status, err := w.gateway.Deliver(t.Context(), forged)
		require.NoError(t, err, name)
		require.Equal(t, 401, status, name)
	}
	require.Zero(t, r.events(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED))
	after, err := r.State(t.Context())
	require.NoError(t, err)
	require.Equal(t, before.Polls, after.Polls)
	r.ends(batch.StatusCompleted, -1)
	require.Equal(t, batch.OutcomeCompleted, r.wait().Outcome)
}

// A captured delivery, sent again byte for byte or under another event id in
// its unsigned header, is at most the event that it already was.
func TestReplayedDelivery(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.start()
	r.ends(batch.StatusCompleted, -1)
	require.Equal(t, batch.OutcomeCompleted, r.wait().Outcome)
	sent := w.awaitEntry("the end was delivered", func(e gatewaytest.Entry) bool {
		return effect(gatewaytest.EffectWebhookAnswered)(e) && e.Status == 200
	})
	signals := r.events(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED)
	status, err := w.gateway.Deliver(t.Context(), gatewaytest.Delivery{Replay: sent.EventID})
	require.NoError(t, err)
	require.Equal(t, 200, status, "the run is closed")
	status, err = w.gateway.Deliver(t.Context(), gatewaytest.Delivery{
		BatchID: sent.BatchID, Phase: "completed", Header: map[string]string{"X-Phaseo-Event-Id": "evt_made_up"},
	})
	require.NoError(t, err)
	require.Equal(t, 400, status, "its header says another event than its body")
	require.Equal(t, signals, r.events(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED))
}

// A delivery about somebody else's batch changes nothing in this run.
func TestDeliveryOfAnotherBatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.start(pollsRarely)
	before := r.created()
	other := map[string]any{"data": map[string]any{"id": "batch_01K3ZZZZZZZZZZZZZZZZZZZZZZ"}}
	status, err := w.gateway.Deliver(t.Context(), gatewaytest.Delivery{
		BatchID: before.BatchID, Phase: "completed", EventID: "evt_other", Overrides: maps.Clone(other),
	})
	require.NoError(t, err)
	require.Equal(t, 200, status)
	r.ends(batch.StatusCompleted, -1)
	result := r.wait()
	require.Equal(t, batch.OutcomeCompleted, result.Outcome)
	require.Equal(t, before.BatchID, result.BatchID)
	require.Equal(t, 1, result.Webhook.Deliveries, "only its own counts")
}
