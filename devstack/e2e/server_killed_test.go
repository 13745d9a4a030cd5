package e2e_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"batchkeeper/batch"
	"batchkeeper/internal/gateway/gatewaytest"
)

func TestServerKilledWhileTracking(t *testing.T) {
	t.Parallel()
	server := ownTemporal(t)
	w := newWorld(t, withServer(server), deaf)
	r := w.start()
	before := r.created()
	server.process.kill()
	require.NoError(t, w.gateway.Finish(before.BatchID, string(batch.StatusCompleted), -1))
	require.NoError(t, server.start())
	require.Equal(t, batch.OutcomeCompleted, r.wait().Outcome)
}

// The batch is created while the server is away: its worker cannot report it.
func TestServerKilledWhileCreating(t *testing.T) {
	t.Parallel()
	server := ownTemporal(t)
	w := newWorld(t, withServer(server), hold(gatewaytest.OpCreate, gatewaytest.FaultEffectHang))
	r := w.start()
	w.awaitEntry("the batch exists", effect(gatewaytest.EffectBatchCreated))
	server.process.kill()
	w.killWorker()
	require.NoError(t, server.start())
	w.startWorker()
	r.ends(batch.StatusCompleted, -1)
	require.Equal(t, batch.OutcomeCompleted, r.wait().Outcome)
	require.Equal(t, 1, w.entries(request(gatewaytest.OpCreate)), "no second post")
}

// A delivery that finds the server away is answered 503, and taken once the
// server is back.
func TestServerKilledDuringADelivery(t *testing.T) {
	t.Parallel()
	server := ownTemporal(t)
	w := newWorld(t, withServer(server))
	r := w.start(pollsRarely)
	before := r.created()
	server.process.kill()
	answered := make(chan error, 1)
	go func() { answered <- w.gateway.Finish(before.BatchID, string(batch.StatusCompleted), -1) }()
	require.NoError(t, <-answered)
	w.awaitEntry("the delivery is on its way", effect(gatewaytest.EffectWebhookSent))
	require.NoError(t, server.start())
	require.Equal(t, batch.OutcomeCompleted, r.wait().Outcome)
}
