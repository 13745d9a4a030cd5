package gateway_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/gateway"
)

const retrieved = `{"id":"batch_01K3","native_batch_id":"batch_68a9","object":"batch","endpoint":"/v1/responses","model":"gpt-5-mini-2025-08-07",
	"errors":null,"input_file_id":"file-Pq7Lw2","completion_window":"24h","status":"in_progress","output_file_id":null,"error_file_id":null,
	"created_at":1787565000,"expires_at":1787651400,"cancelled_at":null,"request_counts":{"total":400,"completed":163,"failed":2},
	"metadata":{"run":"invoices-17","phaseo_batch_id":"batch_01K3"},"request_id":"G-01K3","provider":"openai","session_id":"run-17~abc",
	"webhook":{"endpoint_id":"5f0c","events":[],"delivery":{"total_attempts":3,"pending_retries":1,"last_response_status":500,
	"last_failure_at":"2026-08-24T11:43:31.204Z","last_error_message":"bad\ngateway"},"attempts":[]},
	"lifecycle_status":"running","polling_url":"https://evil.example/x","cancel_url":"https://evil.example/x/cancel","pricing_lines":[],
	"usage":{ "input_tokens": 1 },"billing":{"cost_nanos":7}}`

const date = "Mon, 24 Aug 2026 09:49:58 GMT"

func one(t *testing.T, d gateway.Dialect, body string) gateway.Batch {
	t.Helper()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", date)
		saysJSON(200, body)(w, r)
	})
	b, err := client(t, s.URL, dialect(d)).Batch(t.Context(), "batch_01K3")
	require.NoError(t, err)
	return b
}

func TestBatchFields(t *testing.T) {
	status := 500
	require.Equal(t, gateway.Batch{
		ID: "batch_01K3", NativeID: "batch_68a9", Provider: "openai", RequestID: "G-01K3", SessionID: "run-17~abc",
		Status: "in_progress", LifecycleStatus: "running", Endpoint: "/v1/responses", Model: "gpt-5-mini-2025-08-07", InputFileID: "file-Pq7Lw2",
		CancelURL: true, RequestCounts: &gateway.RequestCounts{Total: 400, Completed: 163, Failed: 2},
		Usage: json.RawMessage(`{"input_tokens":1}`), Billing: json.RawMessage(`{"cost_nanos":7}`),
		Webhook: &gateway.WebhookView{
			TotalAttempts: 3, PendingRetries: 1, LastResponseStatus: &status,
			LastFailureAt: time.Date(2026, 8, 24, 11, 43, 31, 204e6, time.UTC), LastErrorMessage: "bad gateway",
		},
		Metadata:  map[string]string{"run": "invoices-17", "phaseo_batch_id": "batch_01K3"},
		CreatedAt: time.Unix(1787565000, 0).UTC(), ExpiresAt: time.Unix(1787651400, 0).UTC(),
		Date: time.Date(2026, 8, 24, 9, 49, 58, 0, time.UTC),
	}, one(t, gateway.Phaseo, retrieved))
}

func TestOddFieldsReadAsAbsent(t *testing.T) {
	for name, body := range map[string]string{
		"missing": `{"id":"b"}`,
		"null": `{"id":"b","status":null,"request_counts":null,"webhook":null,"metadata":null,"created_at":null,"usage":null,"billing":null,
			"errors":null,"cancel_url":null,"progress":null,"session_id":null}`,
		"other kinds": `{"id":"b","status":1,"request_counts":[1],"webhook":"no","metadata":[],"created_at":{},"usage":null,"errors":"x",
			"cancel_url":false,"progress":"half","session_id":{},"updated_at":"yesterday","expires_at":-1}`,
		"odd inside": `{"id":"b","webhook":{"delivery":7},"metadata":{},"progress":1e9,"expires_at":1e30}`,
	} {
		t.Run(name, func(t *testing.T) {
			got := one(t, gateway.Phaseo, body)
			got.Date = time.Time{}
			require.Equal(t, gateway.Batch{ID: "b"}, got)
		})
	}
	b := one(t, gateway.Phaseo, `{"id":"b","request_counts":{"total":3},"progress":49.6,"metadata":{"a":"x","b":1,"c":null},"webhook":{"delivery":{}}}`)
	require.Equal(t, &gateway.RequestCounts{Total: 3}, b.RequestCounts)
	require.Equal(t, 50, *b.Progress)
	require.Equal(t, map[string]string{"a": "x"}, b.Metadata)
	require.Equal(t, &gateway.WebhookView{}, b.Webhook)
}

func TestTimes(t *testing.T) {
	for text, want := range map[string]time.Time{
		`1787565000`:                         time.Unix(1787565000, 0),
		`1787565000.5`:                       time.UnixMilli(1787565000500),
		`"1787565000"`:                       time.Unix(1787565000, 0),
		`"2026-08-24T09:49:58.118402+00:00"`: time.Date(2026, 8, 24, 9, 49, 58, 118402000, time.UTC),
		`"2026-08-24T11:49:58+02:00"`:        time.Date(2026, 8, 24, 9, 49, 58, 0, time.UTC),
		`"2026-08-24 09:49:58.118402+00"`:    time.Date(2026, 8, 24, 9, 49, 58, 118402000, time.UTC),
		`"2026-08-24 09:49:58+00:00"`:        time.Date(2026, 8, 24, 9, 49, 58, 0, time.UTC),
		`0`:                                  {},
		`""`:                                 {},
		`true`:                               {},
	} {
		require.True(t, want.Equal(one(t, gateway.Phaseo, `{"id":"b","updated_at":`+text+`}`).UpdatedAt), text)
	}
}

func TestSessionOfAnotherAPI(t *testing.T) {
	body := `{"id":"b","session_id":"not ours","metadata":{"batchkeeper_session_id":"nightly-1~7f3c"}}`
	require.Equal(t, "nightly-1~7f3c", one(t, gateway.OpenAI, body).SessionID)
	require.Equal(t, "not ours", one(t, gateway.Phaseo, body).SessionID)
}

func TestValidationErrors(t *testing.T) {
	b := one(t, gateway.Phaseo, `{"id":"b","errors":{"object":"list","data":[
		{"code":"invalid_json_line","message":"not\nJSON","param":null,"line":3},{"code":"c","param":"body","line":null},{}]}}`)
	require.Equal(t, "line 3: invalid_json_line: not JSON; c (body); no message", b.Errors)

	b = one(t, gateway.Phaseo, `{"id":"b","errors":{"data":[{"message":"`+strings.Repeat("é", 9000)+`"}]}}`)
	require.LessOrEqual(t, len(b.Errors), 2048)
}

func TestLargeMembersAreCut(t *testing.T) {
	big := `"` + strings.Repeat("x", 20<<10) + `"`
	b := one(t, gateway.Phaseo, `{"id":"b","usage":[`+big+`],"billing":{"cost_nanos":7,"pricing_breakdown":{"x":`+big+`}}}`)
	require.Nil(t, b.Usage)
	require.JSONEq(t, `{"cost_nanos":7}`, string(b.Billing))
}

func TestList(t *testing.T) {
	const items = `[{"id":"b2","status":"submitting","created_at":"2026-08-24T09:49:58.118402+00:00","updated_at":"2026-08-24T09:50:00Z",
		"session_id":"s","request_counts":null,"input_file_id":null},{"id":"b1","status":"failed"}]`
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", date)
		saysJSON(200, `{"object":"list","data":`+items+`,"has_more":false,"first_id":"b2","last_id":null}`)(w, r)
	})
	c := client(t, s.URL)
	page, err := c.List(t.Context(), gateway.ListRequest{})
	require.NoError(t, err)
	require.Len(t, page.Batches, 2)
	require.Equal(t, "s", page.Batches[0].SessionID)
	require.Equal(t, time.Date(2026, 8, 24, 9, 50, 0, 0, time.UTC), page.Batches[0].UpdatedAt)
	require.Equal(t, "b1", page.LastID)
	require.False(t, page.HasMore)
	require.Equal(t, time.Date(2026, 8, 24, 9, 49, 58, 0, time.UTC), page.Date)

	_, err = c.List(t.Context(), gateway.ListRequest{Limit: 5, Statuses: []string{"pending", "in_progress"}, After: "b1"})
	require.NoError(t, err)
	_, err = client(t, s.URL, dialect(gateway.OpenAI)).List(t.Context(), gateway.ListRequest{Statuses: []string{"pending"}, After: "b 1"})
	require.NoError(t, err)
	var uris []string
	for _, r := range s.requests() {
		uris = append(uris, r.URI)
	}
	require.Equal(t, []string{"/batches?limit=100", "/batches?limit=5&status=pending&status=in_progress", "/batches?after=b+1&limit=100"}, uris)
}

func TestListsThatProveNothing(t *testing.T) {
	for _, body := range []string{`{}`, `{"data":null}`, `{"data":[1]}`, `{"data":{}}`, `[]`, `{"data":[`} {
		_, err := client(t, serve(t, saysJSON(200, body)).URL).List(t.Context(), gateway.ListRequest{})
		require.Equal(t, gateway.TryLater, failure(t, err).Class, body)
	}
	page, err := client(t, serve(t, saysJSON(200, `{"data":[]}`)).URL).List(t.Context(), gateway.ListRequest{})
	require.NoError(t, err)
	require.Empty(t, page.Batches)
	for _, limit := range []int{-1, 101} {
		_, err := client(t, "http://127.0.0.1:1").List(t.Context(), gateway.ListRequest{Limit: limit})
		require.Equal(t, gateway.Refused, failure(t, err).Class)
	}
}
