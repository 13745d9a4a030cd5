package gateway_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/gateway"
)

// The shapes in which the gateway answers.
func flat(code, reason string, status int) string {
	return fmt.Sprintf(`{"error":%q,"reason":%q,"request_id":"G-01K3","workspace_id":"ws","status_code":%d,
		"error_type":"user","error_origin":"user","generation_id":"G-01K3"}`, code, reason, status)
}

func boxed(kind, reason, more string) string {
	return fmt.Sprintf(`{"error":{"type":%q,"reason":%q,"message":"m"%s}}`, kind, reason, more)
}

const (
	gate = `{"error":"forbidden","reason":"batch_api_feature_flag_disabled","message":"Not enabled.","feature_gate":"batch_api",
		"request_id":"G-01K3","workspace_id":"ws","status_code":403,"error_type":"user","error_origin":"gateway","generation_id":"G-01K3"}`

	badKey = "unauthorised" //nolint:misspell // the gateway's spelling
	lost   = "upstream_outcome_unknown"
	stored = "async_job_persistence_failed"

	upstream = `{"error":{"message":"No such batch","type":"invalid_request_error","param":null,"code":"not_found"}}`
	batchRef = `,"batch_id":"batch_01K3","native_batch_id":"batch_68a9","status":"validating"`
	lostRef  = `,"batch_id":"batch_01K3","native_batch_id":null,"provider":"openai","request_id":"G-01K3"`
)

// answers are the error answers of the gateway and what each means for a create
// call; for any other call everything but Refused is TryLater.
var answers = []struct {
	name     string
	status   int
	body     string
	envelope gateway.Envelope
	class    gateway.Class
}{
	{"no key", 401, flat(badKey, "invalid_secret", 401), gateway.EnvelopeA, gateway.TryLater},
	{"database behind a 401", 401, flat(badKey, "db_error", 401), gateway.EnvelopeA, gateway.TryLater},
	{"pepper behind a 401", 401, flat(badKey, "server_misconfig_missing_pepper", 401), gateway.EnvelopeA, gateway.TryLater},
	{"gate", 403, gate, gateway.EnvelopeC, gateway.TryLater},
	{"guardrail", 403, flat("guardrail_blocked", "prompt", 403), gateway.EnvelopeA, gateway.Refused},
	{"provider preview", 403, boxed("forbidden", "batch_provider_preview_disabled", ""), gateway.EnvelopeB, gateway.Refused},
	{"control plane scope", 403, `{"error":"insufficient_scope","message":"no"}`, gateway.EnvelopeF, gateway.Refused},
	{"control plane validation", 400, `{"error":{"type":"validation_error","message":"no","details":[]}}`, gateway.EnvelopeF, gateway.Refused},
	{"control plane not found", 404, `{"error":{"type":"not_found","message":"no"}}`, gateway.EnvelopeF, gateway.TryLater},
	{"not the owner", 404, flat("not_found", "batch_not_found_or_not_owned", 404), gateway.EnvelopeA, gateway.TryLater},
	{"file not owned", 404, flat("not_found", "batch_input_file_not_found_or_not_owned", 404), gateway.EnvelopeA, gateway.TryLater},
	{"provider's 404", 404, upstream, gateway.EnvelopeD, gateway.TryLater},
	{"unknown route", 404, "404 Not Found", gateway.EnvelopeE, gateway.TryLater},
	{"invalid JSON", 400, flat("invalid_json", "", 400), gateway.EnvelopeA, gateway.Refused},
	{"row rule", 400, flat("validation_error", "batch_messages_required", 400), gateway.EnvelopeA, gateway.Refused},
	{"too many rows", 400, flat("validation_error", "batch_request_limit_exceeded", 400), gateway.EnvelopeA, gateway.Refused},
	{"unsupported model", 400, flat("unsupported_model_or_endpoint", "", 400), gateway.EnvelopeA, gateway.Refused},
	{"wrong input mode", 400, boxed("validation_error", "batch_input_mode_not_supported", ""), gateway.EnvelopeB, gateway.Refused},
	{"provider's 400", 400, upstream, gateway.EnvelopeD, gateway.Refused},
	{"webhook endpoint", 400, flat("validation_error", "batch_webhook_endpoint_not_found_or_inactive", 400), gateway.EnvelopeA, gateway.TryLater},
	{"not priceable", 400, flat("validation_error", "batch_input_file_not_priceable", 400), gateway.EnvelopeA, gateway.TryLater},
	{"reservation failed", 400, flat("validation_error", "batch_reservation_failed", 400), gateway.EnvelopeA, gateway.TryLater},
	{"exception in the reservation", 400, flat("validation_error", "canceling statement due to statement timeout", 400), gateway.EnvelopeA, gateway.TryLater},
	{"reservation without price", 400, flat("validation_error", "batch_reservation_price_card_missing", 400), gateway.EnvelopeA, gateway.Refused},
	{"body too large", 413, boxed("validation_error", "batch_body_too_large", ""), gateway.EnvelopeB, gateway.Refused},
	{"file too large", 413, boxed("rate_limit_error", "batch_file_too_large", ""), gateway.EnvelopeB, gateway.Refused},
	{"edge's 413", 413, "<html>too large</html>", gateway.EnvelopeE, gateway.Refused},
	{"no balance", 402, boxed("insufficient_funds", "insufficient_balance", `,"reserved_nanos":1`), gateway.EnvelopeB, gateway.Refused},
	{"no reason", 402, boxed("insufficient_funds", "unknown", ""), gateway.EnvelopeB, gateway.Refused},
	{"new reason", 402, boxed("insufficient_funds", "something_else", ""), gateway.EnvelopeB, gateway.Refused},
	{"upload without funds", 402, boxed("insufficient_funds", "insufficient_funds", ""), gateway.EnvelopeB, gateway.Refused},
	{"credit check", 402, flat("insufficient_funds", "credit_check_failed", 402), gateway.EnvelopeA, gateway.Refused},
	{"daily cost", 402, boxed("insufficient_funds", "daily_cost_limit_reached", ""), gateway.EnvelopeB, gateway.TryLater},
	{"monthly requests", 402, boxed("insufficient_funds", "monthly_request_limit_reached", ""), gateway.EnvelopeB, gateway.TryLater},
	{"weekly requests", 402, boxed("insufficient_funds", "weekly_request_limit_reached", ""), gateway.EnvelopeB, gateway.TryLater},
	{"key asleep", 402, boxed("insufficient_funds", "key_not_active", ""), gateway.EnvelopeB, gateway.TryLater},
	{"key blocked", 402, boxed("insufficient_funds", "key_limit_soft_blocked", ""), gateway.EnvelopeB, gateway.TryLater},
	{"not ready", 409, flat("not_ready", "", 409), gateway.EnvelopeA, gateway.TryLater},
	{"key limit", 429, flat("key_limit_exceeded", "daily_request_limit_reached", 429), gateway.EnvelopeA, gateway.TryLater},
	{"upload quota", 429, boxed("rate_limit_error", "batch_file_hourly_quota_exceeded", ""), gateway.EnvelopeB, gateway.TryLater},
	{"daily bytes", 429, boxed("rate_limit_error", "batch_file_daily_bytes_exceeded", ""), gateway.EnvelopeB, gateway.TryLater},
	{"provider's 429", 429, upstream, gateway.EnvelopeD, gateway.TryLater},
	{"several providers", 501, boxed("not_supported", "batch_multi_provider_requests_not_supported", ""), gateway.EnvelopeB, gateway.TryLater},
	{"file lookup", 500, flat("gateway_error", "batch_input_file_lookup_failed", 500), gateway.EnvelopeA, gateway.NothingSubmitted},
	{"inline upload", 500, flat("gateway_error", "batch_input_file_upload_failed", 500), gateway.EnvelopeA, gateway.NothingSubmitted},
	{"file record", 500, flat("gateway_error", "batch_input_file_persistence_failed", 500), gateway.EnvelopeA, gateway.NothingSubmitted},
	{"provider credentials", 500, flat("gateway_error", "openai_batch_credentials_unavailable", 500), gateway.EnvelopeA, gateway.NothingSubmitted},
	{"provider key", 500, flat("gateway_error", "google_ai_studio_key_missing", 500), gateway.EnvelopeA, gateway.NothingSubmitted},
	{"policy by code", 500, flat("workspace_policy_fetch_failed", "", 500), gateway.EnvelopeA, gateway.NothingSubmitted},
	{"policy by reason", 500, flat("gateway_error", "gateway_context_failed", 500), gateway.EnvelopeA, gateway.NothingSubmitted},
	{"other flat 500", 500, flat("gateway_error", "surprise", 500), gateway.EnvelopeA, gateway.Unknown},
	{"submission record", 503, boxed("gateway_error", "batch_submission_persistence_failed", ""), gateway.EnvelopeB, gateway.NothingSubmitted},
	{"other 503", 503, boxed("gateway_error", "surprise", ""), gateway.EnvelopeB, gateway.Unknown},
	{"provider's 503", 503, upstream, gateway.EnvelopeD, gateway.Unknown},
	{"outcome unknown, no answer", 502, boxed(lost, "batch_provider_create_outcome_unknown", lostRef), gateway.EnvelopeB, gateway.Unknown},
	{"outcome unknown, HTTP", 502, boxed(lost, "batch_provider_create_http_503_outcome_unknown", lostRef), gateway.EnvelopeB, gateway.Unknown},
	{"outcome unknown, no id", 502, boxed(lost, "batch_create_missing_native_id", lostRef), gateway.EnvelopeB, gateway.Unknown},
	{"accepted, not recorded", 502, boxed(stored, "", batchRef), gateway.EnvelopeB, gateway.Accepted},
	{"accepted, rows refused", 502, boxed("upstream_error", "x_ai_batch_requests_failed", batchRef), gateway.EnvelopeB, gateway.Accepted},
	{"accepted, but which", 502, boxed(stored, "", ""), gateway.EnvelopeB, gateway.Unknown},
	{"upload without id", 502, boxed("upstream_error", "batch_file_upload_missing_id", ""), gateway.EnvelopeB, gateway.NothingSubmitted},
	{"upload without key", 502, boxed("upstream_error", "openai_key_missing", ""), gateway.EnvelopeB, gateway.NothingSubmitted},
	{"other upstream error", 502, boxed("upstream_error", "surprise", ""), gateway.EnvelopeB, gateway.Unknown},
	{"plain 500", 500, "Internal Server Error", gateway.EnvelopeE, gateway.Unknown},
	{"edge's 502", 502, "<html><h1>502</h1></html>", gateway.EnvelopeE, gateway.Unknown},
	{"edge's 524", 524, "<html><h1>A timeout occurred</h1></html>", gateway.EnvelopeE, gateway.Unknown},
	{"empty 500", 500, "", gateway.EnvelopeE, gateway.Unknown},
	{"array", 500, "[]", gateway.EnvelopeE, gateway.Unknown},
	{"no error member", 422, `{"object":"error","type":"invalid","message":"no","code":"x"}`, gateway.EnvelopeD, gateway.TryLater},
	{"null error", 400, `{"error":null,"message":"no"}`, gateway.EnvelopeD, gateway.Refused},
	{"request timeout", 408, upstream, gateway.EnvelopeD, gateway.Unknown},
}

func TestErrorAnswers(t *testing.T) {
	for _, tc := range answers {
		t.Run(tc.name, func(t *testing.T) {
			c := client(t, serve(t, saysJSON(tc.status, tc.body)).URL)

			_, err := c.Create(t.Context(), gateway.CreateRequest{InputFileID: "file-1"})
			e := failure(t, err)
			require.Equal(t, tc.class, e.Class, "class of %v", err)
			require.Equal(t, tc.envelope, e.Envelope)
			require.Equal(t, tc.status, e.Status)
			require.Equal(t, "create batch", e.Op)
			require.Equal(t, tc.envelope == gateway.EnvelopeD, e.FromProvider())
			if tc.class == gateway.Accepted {
				require.Equal(t, "batch_01K3", e.BatchID)
			}

			want := gateway.TryLater
			if tc.class == gateway.Refused {
				want = gateway.Refused
			}
			for _, call := range everythingButCreate(c) {
				err := call(t)
				require.Equal(t, want, failure(t, err).Class, "class of %v", err)
			}
		})
	}
}

func everythingButCreate(c *gateway.Client) []func(*testing.T) error {
	return []func(*testing.T) error{
		func(t *testing.T) error { _, err := c.Batch(t.Context(), "batch_1"); return err },
		func(t *testing.T) error { _, err := c.Cancel(t.Context(), "batch_1"); return err },
		func(t *testing.T) error { _, err := c.List(t.Context(), gateway.ListRequest{}); return err },
		func(t *testing.T) error { _, err := c.File(t.Context(), "file-1"); return err },
		func(t *testing.T) error { _, err := c.Content(t.Context(), "file-1"); return err },
		func(t *testing.T) error {
			_, err := c.Upload(t.Context(), gateway.UploadRequest{Filename: "a.jsonl", Body: strings.NewReader("{}\n"), Size: 3})
			return err
		},
	}
}

func TestErrorFields(t *testing.T) {
	for name, tc := range map[string]struct {
		body string
		want gateway.Error
	}{
		"flat": {
			flat("not_found", "batch_not_found_or_not_owned", 404),
			gateway.Error{Code: "not_found", Reason: "batch_not_found_or_not_owned", RequestID: "G-01K3"},
		},
		"gate": {
			gate,
			gateway.Error{Code: "forbidden", Reason: "batch_api_feature_flag_disabled", Message: "Not enabled.", RequestID: "G-01K3"},
		},
		"nested": {
			boxed(lost, "why", lostRef),
			gateway.Error{Code: lost, Reason: "why", Message: "m", RequestID: "G-01K3", BatchID: "batch_01K3"},
		},
		"accepted": {
			boxed(stored, "", batchRef),
			gateway.Error{Code: stored, Message: "m", RequestID: "req_1", BatchID: "batch_01K3", NativeBatchID: "batch_68a9"},
		},
		"provider": {upstream, gateway.Error{Code: "not_found", Message: "No such batch", RequestID: "req_1"}},
		"text":     {"Internal\x00 Server\nError", gateway.Error{Message: "Internal  Server Error", RequestID: "req_1"}},
		"odd":      {`{"error":{"type":7,"message":["x"],"code":"c"}}`, gateway.Error{Code: "c", RequestID: "req_1"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("X-Request-Id", "req_1")
				saysJSON(404, tc.body)(w, r)
			})
			_, err := client(t, s.URL).Batch(t.Context(), "batch_1")
			e := failure(t, err)
			require.Equal(t,
				[]string{tc.want.Code, tc.want.Reason, tc.want.Message, tc.want.RequestID, tc.want.BatchID, tc.want.NativeBatchID},
				[]string{e.Code, e.Reason, e.Message, e.RequestID, e.BatchID, e.NativeBatchID})
		})
	}
}

func TestEveryAnswerOfAnotherAPIIsTheProviders(t *testing.T) {
	c := client(t, serve(t, saysJSON(429, flat("rate", "limit", 429))).URL, dialect(gateway.OpenAI))
	_, err := c.Batch(t.Context(), "batch_1")
	require.True(t, failure(t, err).FromProvider())
}

func TestNames(t *testing.T) {
	require.Equal(t, "refused try_later nothing_submitted unknown accepted class(9)", fmt.Sprint(
		gateway.Refused, " ", gateway.TryLater, " ", gateway.NothingSubmitted, " ", gateway.Unknown, " ", gateway.Accepted, " ", gateway.Class(9)))
	require.Equal(t, "none A B C D E F", fmt.Sprint(gateway.None, " ", gateway.EnvelopeA, " ", gateway.EnvelopeB, " ",
		gateway.EnvelopeC, " ", gateway.EnvelopeD, " ", gateway.EnvelopeE, " ", gateway.EnvelopeF))
}
