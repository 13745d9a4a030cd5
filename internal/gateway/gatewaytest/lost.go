package gatewaytest

import (
	"fmt"
	"maps"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
)

// reject is the provider's definitive refusal: its answer is passed on and a hidden failed row stays behind.
func (s *Server) reject(b *batch, f Fault) answer {
	b.rejected = true
	b.row.status = statusFailed
	s.register(b, EffectBatchRejected, f.Reason)
	a := s.provider(orDefault(f.Status, http.StatusBadRequest), "invalid_request_error", f.Reason, "The provider refused the batch.")
	if f.Body != "" {
		a = text(a.status, "application/json", f.Body)
	}
	maps.Copy(a.header, f.Header)
	return a
}

// loseOutcome is the gateway's 502 after a submission whose result it does not know. With effect the provider has the
// batch; the gateway finds it after the fault's delay, or never.
func (s *Server) loseOutcome(b *batch, f Fault, now time.Time) answer {
	reason := "batch_provider_create_outcome_unknown"
	if f.Status != 0 {
		reason = fmt.Sprintf("batch_provider_create_http_%d_outcome_unknown", f.Status)
	}
	b.row.status = statusSubmissionUnknown
	b.missing = !f.Effect
	if b.missing {
		s.register(b, EffectBatchUnknown, reason)
	} else {
		if f.Delay > 0 {
			b.recover = now.Add(time.Duration(f.Delay))
		}
		s.register(b, EffectBatchCreated, "and the gateway does not know it")
	}
	return nested(http.StatusBadGateway, "upstream_outcome_unknown", orDefault(f.Reason, reason),
		"The provider may have accepted the batch.", object{
			"batch_id": b.id, "native_batch_id": nil, "provider": "openai", "request_id": b.requestID,
			"reservation_id": "batch_hold:" + b.requestID, "reservation_status": "held",
		})
}

// losePersistence is the gateway's 502 after the provider accepted: the batch exists, a cancel was tried.
func (s *Server) losePersistence(b *batch, f Fault, now time.Time) answer {
	if f.Value != statusCompleted {
		s.mu.Lock()
		s.cancelLive(b, now, false)
		s.mu.Unlock()
		s.clock.advance(0)
	}
	return nested(http.StatusBadGateway, "async_job_persistence_failed", "batch_persistence_failed", "The batch could not be stored.", object{
		"batch_id": b.id, "native_batch_id": b.native, "status": statusValidating,
		"reservation_id": "batch_hold:" + b.requestID, "reservation_status": "held",
	})
}

// planOf says how a new batch will go.
func (s *Server) planOf(b *batch, now time.Time, due faults) plan {
	duration := s.opts.BatchDuration
	f, scripted := due.find(FaultOutcome)
	if scripted && f.Delay > 0 {
		duration = time.Duration(f.Delay)
	}
	p := plan{
		start: now.Add(duration / 10), finalize: now.Add(duration / 10 * 9), end: now.Add(duration),
		outcome: statusCompleted, answered: -1,
	}
	if s.overTokenLimit(b) {
		b.problems = append(b.problems, rowProblem{reason: "token_limit_exceeded", message: "Enqueued token limit reached for this model."})
	}
	if len(b.problems) > 0 {
		p.outcome, p.end = statusFailed, p.start
	}
	if scripted {
		switch f.Value {
		case "all_failed":
			p.allFail = true
			b.failing = b.rows
		case "stuck":
			p.finalize, p.end = b.expires, time.Time{}
		case statusFailed:
			p.outcome, p.end = statusFailed, p.start
			b.problems = []rowProblem{{line: 1, reason: "invalid_request", message: "The file failed validation."}}
		case "expired_without_files":
			p.outcome, p.noFiles, p.answered = statusExpired, true, 0
		case statusExpired, statusCancelled:
			p.outcome, p.answered = f.Value, f.Rows
		}
	}
	if p.end.After(b.expires) {
		p.outcome, p.end = statusExpired, b.expires
	}
	return p
}

// webhook reads which endpoint and events a create call asks for; reason is why it is refused.
func (c *createRequest) webhook() (id string, events []string, reason string) {
	raw := c.fields["webhook"]
	if isNull(raw) {
		return c.text("webhook_endpoint_id"), nil, ""
	}
	var fields map[string]any
	if raw.Kind() != '{' || json.Unmarshal(raw, &fields, json.JoinOptions(lenient...)) != nil {
		return "", nil, "invalid_batch_webhook"
	}
	id, _ = fields["endpoint_id"].(string)
	other, _ := fields["endpointId"].(string)
	if id = orDefault(id, other); id == "" {
		return "", nil, "batch_webhook_endpoint_required"
	}
	given, present := fields["events"]
	list, isList := given.([]any)
	for _, e := range list {
		if name, known := eventName(e); known {
			events = append(events, name)
		}
	}
	if present && (!isList || len(list) > 0 && len(events) == 0) {
		return "", nil, "invalid_batch_webhook"
	}
	return id, events, ""
}
