package gatewaytest_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/gateway/gatewaytest"
)

func webhookRule(kind gatewaytest.FaultKind, f gatewaytest.Fault) gatewaytest.Rule {
	f.Kind = kind
	return gatewaytest.Rule{Op: gatewaytest.OpWebhook, From: 1, To: 1, Fault: f}
}

// settled waits until the journal holds n entries of an effect.
func (h *harness) effects(op string, n int) []gatewaytest.Entry {
	h.t.Helper()
	var found []gatewaytest.Entry
	require.Eventually(h.t, func() bool {
		found = found[:0]
		for _, e := range h.Journal() {
			if e.Kind == gatewaytest.KindEffect && e.Op == op {
				found = append(found, e)
			}
		}
		return len(found) >= n
	}, 10*time.Second, 2*time.Millisecond, "%d of %s", n, op)
	return found
}

func TestTerminalDeliveryIsSigned(t *testing.T) {
	h, r := hooked(t, gatewaytest.Options{})
	id := h.create("wf~run", 3, toEndpoint).id()
	h.Advance(time.Minute)
	d := r.wait(t, 1)[0]
	require.True(t, d.valid)
	require.Equal(t, "evt_batch_"+id+"_batch_completed", d.body["id"])
	require.Equal(t, d.body["id"], d.header.Get("X-Phaseo-Event-Id"))
	require.Equal(t, "4", d.header.Get("X-Phaseo-Max-Attempts"))
	require.Equal(t, "wf~run", d.data()["session_id"])
	require.Equal(t, "completed", d.data()["status"])
	require.NotContains(t, d.data(), "metadata")
	require.NotContains(t, d.data(), "native_batch_id")
	require.NotEmpty(t, d.data()["output_file_id"], "the output is there before the event leaves")
	h.effects(gatewaytest.EffectWebhookAnswered, 1)
	require.Len(t, r.all(), 1, "the default subscription has no created")
}

func TestRetryLadder(t *testing.T) {
	h, r := hooked(t, gatewaytest.Options{}, 500, 404, 302, 503)
	id := h.create("ladder", 1, toEndpoint).id()
	h.Advance(11 * time.Second)
	ended := h.Now()
	for n, gap := range []time.Duration{6 * time.Minute, 10 * time.Minute, 20 * time.Minute} {
		r.wait(t, n+1)
		h.effects(gatewaytest.EffectWebhookAnswered, n+1)
		require.Eventually(t, func() bool {
			hook := h.get("/batches/" + id).body["webhook"].(map[string]any)["delivery"].(map[string]any)
			return hook["pending_retries"] == 1.0
		}, 5*time.Second, 2*time.Millisecond)
		h.Advance(gap)
	}
	require.Len(t, r.wait(t, 4), 4)
	h.effects(gatewaytest.EffectWebhookGivenUp, 1)
	require.LessOrEqual(t, h.Now().Sub(ended), 37*time.Minute)
	got := r.all()
	require.Equal(t, got[0].body["id"], got[3].body["id"])
	require.NotEqual(t, got[0].raw, got[3].raw)
	require.Equal(t, []string{"1", "2", "3", "4"}, []string{
		got[0].header.Get("X-Phaseo-Attempt"), got[1].header.Get("X-Phaseo-Attempt"),
		got[2].header.Get("X-Phaseo-Attempt"), got[3].header.Get("X-Phaseo-Attempt"),
	})
	hook := h.get("/batches/" + id).body["webhook"].(map[string]any)["delivery"].(map[string]any)
	require.InDelta(t, 4, hook["total_attempts"], 0)
	require.Equal(t, "failed_permanently", hook["last_attempt_status"])
}

func TestCreatedIsRetriedAfterTheEnd(t *testing.T) {
	h, r := hooked(t, gatewaytest.Options{}, 500)
	h.create("created late", 1, toEverything)
	r.wait(t, 1)
	h.Advance(11 * time.Second)
	r.wait(t, 2)
	h.effects(gatewaytest.EffectWebhookAnswered, 2)
	h.Advance(6 * time.Minute)
	late := r.wait(t, 3)[2]
	require.Equal(t, "batch.created", late.body["type"])
	require.Equal(t, "completed", late.data()["status"], "the body tells the current state")
}

func TestCreatedBeforeTheAnswer(t *testing.T) {
	h, r := hooked(t, gatewaytest.Options{})
	h.Script(gatewaytest.Rule{Op: gatewaytest.OpCreate, Fault: gatewaytest.Fault{Kind: gatewaytest.FaultCreatedEarly}})
	h.create("early", 1, toEverything)
	require.Len(t, r.all(), 1)
}

func TestExpiredIsAnnouncedAsFailed(t *testing.T) {
	h, r := hooked(t, gatewaytest.Options{})
	id := h.create("expired", 4, toEndpoint).id()
	require.NoError(t, h.Finish(id, "expired", 2))
	d := r.wait(t, 1)[0]
	require.Equal(t, "batch.failed", d.body["type"])
	require.Equal(t, "expired", d.data()["status"])
}

func TestAllRowsFailedIsNeverAnnounced(t *testing.T) {
	h, r := hooked(t, gatewaytest.Options{})
	h.Script(gatewaytest.Rule{Op: gatewaytest.OpCreate, Fault: gatewaytest.Fault{Kind: gatewaytest.FaultOutcome, Value: "all_failed"}})
	id := h.create("all failed", 3, toEndpoint).id()
	h.Advance(time.Minute)
	h.effects(gatewaytest.EffectWebhookDropped, 1)
	got := h.get("/batches/" + id)
	require.Equal(t, "completed", got.text("status"))
	require.Nil(t, got.body["output_file_id"])
	require.Len(t, h.lines(got.text("error_file_id")), 3)
	require.Equal(t, "missing_output_file", got.body["billing"].(map[string]any)["reason"])
	require.Empty(t, r.all())
}

func TestDeliveryFaults(t *testing.T) {
	for kind, tc := range map[gatewaytest.FaultKind]struct {
		fault gatewaytest.Fault
		want  int
		valid bool
	}{
		gatewaytest.FaultDuplicate: {gatewaytest.Fault{Count: 3}, 3, true},
		gatewaytest.FaultAge:       {gatewaytest.Fault{Delay: gatewaytest.Duration(10 * time.Minute)}, 1, false},
		gatewaytest.FaultSignature: {gatewaytest.Fault{}, 1, false},
		gatewaytest.FaultTamper:    {gatewaytest.Fault{}, 1, false},
		gatewaytest.FaultHeader:    {gatewaytest.Fault{Header: map[string]string{"x-phaseo-signature": ""}}, 1, false},
		gatewaytest.FaultOversize:  {gatewaytest.Fault{Bytes: 300_000}, 1, true},
		gatewaytest.FaultRewrite:   {gatewaytest.Fault{Body: `{"type":"video.completed","data":{"kind":"video"}}`}, 1, true},
		gatewaytest.FaultLate:      {gatewaytest.Fault{Delay: gatewaytest.Duration(time.Millisecond)}, 1, true},
	} {
		t.Run(string(kind), func(t *testing.T) {
			h, r := hooked(t, gatewaytest.Options{})
			h.Script(webhookRule(kind, tc.fault))
			h.create("fault", 1, toEndpoint)
			h.Advance(time.Minute)
			got := r.wait(t, tc.want)
			h.effects(gatewaytest.EffectWebhookAnswered, tc.want)
			require.Len(t, r.all(), tc.want)
			require.Equal(t, tc.valid, got[0].valid)
		})
	}
}

func TestAttemptsThatAreLostOrUnheard(t *testing.T) {
	for kind, attempts := range map[gatewaytest.FaultKind][]string{
		gatewaytest.FaultLose: {"2"}, gatewaytest.FaultUnheard: {"1", "2"}, gatewaytest.FaultReset: {"1", "1"},
	} {
		t.Run(string(kind), func(t *testing.T) {
			h, r := hooked(t, gatewaytest.Options{})
			h.Script(webhookRule(kind, gatewaytest.Fault{}))
			h.create("lost", 1, toEndpoint)
			h.Advance(time.Minute)
			h.effects(gatewaytest.EffectWebhookAnswered, 1)
			require.Eventually(t, func() bool { h.Advance(5 * time.Minute); return len(r.all()) == len(attempts) }, 10*time.Second, 5*time.Millisecond)
			for n, d := range r.all() {
				require.Equal(t, attempts[n], d.header.Get("X-Phaseo-Attempt"))
			}
		})
	}
}

func TestNeverSent(t *testing.T) {
	h, r := hooked(t, gatewaytest.Options{})
	h.Script(gatewaytest.Rule{Op: gatewaytest.OpWebhook, EventType: "batch.completed", Fault: gatewaytest.Fault{Kind: gatewaytest.FaultNeverSent}})
	id := h.create("never", 1, toEverything).id()
	r.wait(t, 1)
	h.Advance(time.Hour)
	h.effects(gatewaytest.EffectWebhookDropped, 1)
	require.Equal(t, "completed", h.get("/batches/"+id).text("status"))
	require.Len(t, r.all(), 1)
}

func TestRotationBetweenAttempts(t *testing.T) {
	h, r := hooked(t, gatewaytest.Options{}, 500)
	h.Script(webhookRule(gatewaytest.FaultRotate, gatewaytest.Fault{Value: "whsec_another_secret_with_no_overlap_at_all"}))
	h.create("rotate", 1, toEndpoint)
	h.Advance(time.Minute)
	h.effects(gatewaytest.EffectWebhookAnswered, 1)
	require.Eventually(t, func() bool { h.Advance(5 * time.Minute); return len(r.all()) == 2 }, 10*time.Second, 5*time.Millisecond)
	got := r.all()
	require.True(t, got[0].valid)
	require.False(t, got[1].valid, "the same event, signed with the new secret")
}

func TestDeliver(t *testing.T) {
	h, r := hooked(t, gatewaytest.Options{})
	id := h.create("on demand", 2, toEndpoint).id()
	event := "evt_batch_" + id + "_batch_completed"
	h.Advance(time.Minute)
	r.wait(t, 1)
	for n, tc := range []struct {
		d     gatewaytest.Delivery
		valid bool
	}{
		{gatewaytest.Delivery{Replay: event}, true},
		{gatewaytest.Delivery{BatchID: id, Attempt: 3}, true},
		{gatewaytest.Delivery{BatchID: id, Secret: "whsec_the_forgers_own_key_of_some_length"}, false},
		{gatewaytest.Delivery{BatchID: id, Age: gatewaytest.Duration(time.Hour)}, false},
		{gatewaytest.Delivery{BatchID: id, Unsigned: true}, false},
		{gatewaytest.Delivery{BatchID: id, Tampered: true}, false},
		{gatewaytest.Delivery{Body: `{"anything":"goes"}`}, true},
		{gatewaytest.Delivery{BatchID: id, Phase: "progress:40", Overrides: map[string]any{"data": map[string]any{"progress": 40}}}, true},
	} {
		status, err := h.Deliver(t.Context(), tc.d)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, status)
		got := r.wait(t, n+2)
		require.Equal(t, tc.valid, got[n+1].valid, "%+v", tc.d)
	}
	got := r.all()
	require.Equal(t, got[0].raw, got[1].raw, "a replay is the same bytes")
	last := got[len(got)-1]
	require.Equal(t, "batch.progress", last.body["type"])
	require.Equal(t, "evt_batch_"+id+"_batch_progress_40", last.body["id"])
	_, err := h.Deliver(t.Context(), gatewaytest.Delivery{BatchID: "nobody"})
	require.ErrorContains(t, err, "does not exist")
	_, err = h.Deliver(t.Context(), gatewaytest.Delivery{Replay: "nothing"})
	require.ErrorContains(t, err, "never sent")
}
