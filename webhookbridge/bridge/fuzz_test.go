package bridge_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"batchkeeper/batch"
	"batchkeeper/internal/gateway"
	"batchkeeper/webhookbridge/bridge"
)

// Whatever a signed body says, a run is told at most a short hint in the forms that
// are documented, and only a run that has the session's name.
func FuzzSigned(f *testing.F) {
	plain := string(completed().json(f))
	f.Add([]byte(plain), "phaseo")
	f.Add([]byte(`{"id":"evt_1","type":"batch.completed","data":{"id":"batch_1"}}`), "openai")
	for old, odd := range map[string]string{
		`"batch_1"`: `"../../x"`, `"nightly-1~run-1"`: `"../../x~t"`, `"evt_`: `"\u0000evt_`, `"attempt":1`: `"attempt":1e400`,
		`"max_attempts":4`: `"max_attempts":-1`,
		`"session_id"`:     `"id":"x","session_id"`, `"completed"`: `"\u202ecompleted"`, `"key":"batch.completed"`: `"key":"` + strings.Repeat("k", 65) + `"`,
		`1787571904`: `1.5`, `"batch"`: `"video"`,
	} {
		f.Add([]byte(strings.Replace(plain, old, odd, 1)), "phaseo")
	}
	timestamp := fmt.Sprint(clock.Unix())
	f.Fuzz(func(t *testing.T, body []byte, provider string) {
		w := connectedWorld(t, nil)
		r := post(t, bridge.PathPhaseo, body)
		r.Header.Set(timestampHeader, timestamp)
		r.Header.Set(signatureHeader, gateway.SignPhaseo(phaseoKey, timestamp, body))
		if provider == "openai" {
			signature, err := gateway.SignOpenAI(openAIKey, "wh_1", timestamp, body)
			require.NoError(t, err)
			r = post(t, bridge.PathOpenAI, body)
			r.Header = http.Header{
				"Content-Type": {"application/json"}, "Webhook-Id": {"wh_1"}, "Webhook-Timestamp": {timestamp}, "Webhook-Signature": {signature},
			}
		}
		answer := w.send(r)
		require.Contains(t, []int{200, 400, 413}, answer.Code)
		require.NotContains(t, w.log.String(), "canary")
		told := w.runs.signals()
		require.LessOrEqual(t, len(told), 1)
		if answer.Code != http.StatusOK {
			require.Empty(t, told)
		}
		for _, n := range told {
			payload, err := json.Marshal(n.Delivery)
			require.NoError(t, err)
			require.Less(t, len(payload), 2<<10)
			require.NoError(t, batch.CheckWorkflowID(n.WorkflowID))
			for _, id := range []string{n.Delivery.EventID, n.Delivery.BatchID, n.Delivery.DeliveryKey} {
				require.Regexp(t, `^[A-Za-z0-9][A-Za-z0-9_.:-]{0,159}$`, id)
			}
			if n.Provider == "phaseo" {
				id, _, ok := batch.SplitSessionID(n.Delivery.SessionID)
				require.True(t, ok && id == n.WorkflowID)
			}
		}
	})
}
