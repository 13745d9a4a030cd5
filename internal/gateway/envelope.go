package gateway

import (
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"batchkeeper/internal/strictjson"
)

// topLevel is what an error answer may say outside of its error member.
type topLevel struct {
	Error         json.RawMessage `json:"error"`
	Reason        loose[string]   `json:"reason"`
	Message       loose[string]   `json:"message"`
	Description   loose[string]   `json:"description"`
	RequestID     loose[string]   `json:"request_id"`
	BatchID       loose[string]   `json:"batch_id"`
	NativeBatchID loose[string]   `json:"native_batch_id"`
	StatusCode    json.RawMessage `json:"status_code"`
	FeatureGate   json.RawMessage `json:"feature_gate"`
	Type          loose[string]   `json:"type"`
	Code          loose[string]   `json:"code"`
	ResetAt       stamp           `json:"reset_at"`
	Now           stamp           `json:"now"`
}

// nested is an error member that is an object.
type nested struct {
	Type          loose[string]   `json:"type"`
	Reason        loose[string]   `json:"reason"`
	Message       loose[string]   `json:"message"`
	Code          loose[string]   `json:"code"`
	Param         json.RawMessage `json:"param"`
	RequestID     loose[string]   `json:"request_id"`
	BatchID       loose[string]   `json:"batch_id"`
	NativeBatchID loose[string]   `json:"native_batch_id"`
}

// nestedTypes are the error types that only the gateway itself uses.
var nestedTypes = []string{
	"insufficient_funds", "upstream_error", "upstream_outcome_unknown", "async_job_persistence_failed", "gateway_error",
}

// parseFailure reads an error answer in whichever of the six envelopes it came.
func parseFailure(dialect Dialect, status int, h http.Header, body []byte) *Error {
	e := &Error{Status: status, RequestID: h.Get("X-Request-Id")}
	var top topLevel
	if err := strictjson.Unmarshal(body, &top); err != nil {
		e.Envelope = EnvelopeE
		e.Message = excerpt(body)
		e.RetryAfter = retryAfter(h, time.Now())
		return e
	}
	var text string
	if strictjson.Unmarshal(top.Error, &text) == nil && text != "" {
		fillFlat(e, &top, text)
	} else {
		fillNested(e, &top)
	}
	if dialect == OpenAI {
		e.Envelope = EnvelopeD // there is no gateway in between
	}
	if e.RetryAfter = retryAfter(h, time.Now()); e.RetryAfter == 0 {
		e.RetryAfter = untilReset(&top, h)
	}
	return e
}

func fillFlat(e *Error, top *topLevel, code string) {
	e.Code, e.Reason = code, top.Reason.V
	e.Message = firstOf(top.Message.V, top.Description.V)
	e.RequestID = firstOf(top.RequestID.V, e.RequestID)
	e.BatchID, e.NativeBatchID = top.BatchID.V, top.NativeBatchID.V
	switch {
	case top.FeatureGate != nil:
		e.Envelope = EnvelopeC
	case top.StatusCode != nil || top.RequestID.V != "" || top.Reason.V != "":
		e.Envelope = EnvelopeA
	case top.Message.V != "":
		e.Envelope = EnvelopeF
	default:
		e.Envelope = EnvelopeA
	}
}

func fillNested(e *Error, top *topLevel) {
	var inner nested
	if len(top.Error) == 0 || string(top.Error) == "null" || strictjson.Unmarshal(top.Error, &inner) != nil {
		// A provider that puts its error at the top level, or somewhere else.
		e.Envelope = EnvelopeD
		e.Code, e.Message = firstOf(top.Code.V, top.Type.V), top.Message.V
		return
	}
	e.Code, e.Reason, e.Message = inner.Type.V, inner.Reason.V, inner.Message.V
	e.RequestID = firstOf(inner.RequestID.V, top.RequestID.V, e.RequestID)
	e.BatchID, e.NativeBatchID = inner.BatchID.V, inner.NativeBatchID.V
	switch {
	case inner.Code.V != "" || inner.Param != nil:
		e.Envelope = EnvelopeD
		e.Code = firstOf(inner.Code.V, inner.Type.V)
	case inner.Reason.V != "" || slices.Contains(nestedTypes, inner.Type.V):
		e.Envelope = EnvelopeB
	case inner.Type.V == "validation_error" || inner.Type.V == "not_found":
		e.Envelope = EnvelopeF
	default:
		e.Envelope = EnvelopeD
	}
}

// excerpt returns the beginning of an answer that is not JSON.
func excerpt(body []byte) string {
	return string(body[:min(len(body), maxErrorText)])
}

func firstOf(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}
