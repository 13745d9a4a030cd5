package bridge_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/gateway"
	"batchkeeper/webhookbridge/bridge"
)

// event is a delivery's body before it is signed.
type event struct {
	ID, Type, Key   string
	Attempt         int
	BatchID, Kind   string
	Session, Status string
	Lifecycle       string
}

func completed() event {
	return event{
		ID: "evt_batch_batch_1_batch_completed", Type: "batch.completed", Key: "batch.completed", Attempt: 1,
		BatchID: "batch_1", Kind: "batch", Session: "nightly-1~run-1", Status: "completed", Lifecycle: "completed",
	}
}

func (e event) json(t testing.TB) []byte {
	t.Helper()
	body, err := json.Marshal(map[string]any{
		"id": e.ID, "type": e.Type, "created_at": 1787571904,
		"delivery": map[string]any{"key": e.Key, "attempt": e.Attempt, "max_attempts": 4},
		"data": map[string]any{
			"id": e.BatchID, "kind": e.Kind, "session_id": e.Session, "status": e.Status, "lifecycle_status": e.Lifecycle,
			"polling_url": "https://elsewhere.example/steal",
		},
	})
	require.NoError(t, err)
	return body
}

func post(t testing.TB, path string, body []byte) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	return r
}

// signedPhaseo is a genuine delivery of the gateway sent at the given time.
func signedPhaseo(t testing.TB, body []byte, at time.Time) *http.Request {
	t.Helper()
	r := post(t, bridge.PathPhaseo, body)
	timestamp := strconv.FormatInt(at.Unix(), 10)
	r.Header.Set("X-Phaseo-Timestamp", timestamp)
	r.Header.Set("X-Phaseo-Signature", gateway.SignPhaseo(phaseoKey, timestamp, body))
	return r
}

func phaseo(t testing.TB, e event) *http.Request { return signedPhaseo(t, e.json(t), clock) }

func openAI(t testing.TB, eventType, batchID string) *http.Request {
	t.Helper()
	return openAIAt(t, eventType, batchID, clock)
}

// openAIAt is a genuine delivery of OpenAI's sent at the given time.
func openAIAt(t testing.TB, eventType, batchID string, at time.Time) *http.Request {
	t.Helper()
	body := fmt.Appendf(nil, `{"id":"evt_1","object":"event","type":%q,"created_at":1,"data":{"id":%q}}`, eventType, batchID)
	r := post(t, bridge.PathOpenAI, body)
	timestamp := strconv.FormatInt(at.Unix(), 10)
	signature, err := gateway.SignOpenAI(openAIKey, "wh_1", timestamp, body)
	require.NoError(t, err)
	r.Header.Set("Webhook-Id", "wh_1")
	r.Header.Set("Webhook-Timestamp", timestamp)
	r.Header.Set("Webhook-Signature", signature)
	return r
}
