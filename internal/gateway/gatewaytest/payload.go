package gatewaytest

import (
	"encoding/json"
	"maps"
	"math"
	"strings"
)

// payload builds the body of one attempt from what the database says now: a late retry of an early event carries the
// later state.
func (s *Server) payload(e *event, attempt int) object {
	now := s.clock.now()
	if s.opts.OpenAI {
		return object{
			"object": "event", "id": e.id, "type": e.key, "created_at": now.Unix(), "data": object{"id": e.batch.id},
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return object{
		"id": e.id, "type": e.kind(), "created_at": now.Unix(),
		"delivery": object{"key": e.key, "attempt": attempt, "max_attempts": maxAttempts},
		"data":     s.hookData(e.batch),
	}
}

// hookStatus folds the raw status into the few that webhooks know.
func hookStatus(status string) string {
	switch status {
	case statusInProgress, statusFinalizing, statusCancelling:
		return statusInProgress
	default:
		if terminal(status) {
			return status
		}
		return "pending"
	}
}

// hookData needs the lock.
func (s *Server) hookData(b *batch) object {
	status := hookStatus(b.row.status)
	polling := s.URL() + "/batches/" + b.id
	o := object{
		"id": b.id, "object": "batch", "kind": "batch", "status": status, "lifecycle_status": lifecycle(status),
		"progress": b.percent(), "request_id": b.requestID, "session_id": nullable(b.sessionID), "native_id": nullable(b.native),
		"provider": "openai", "model": nullable(b.model), "polling_url": polling, "cancel_url": nil,
		"websocket_url": strings.Replace(s.URL(), "http", "ws", 1) + "/async/batch/" + b.id + "/ws",
		"webhook":       s.webhookObject(b), "endpoint": b.endpoint, "completion_window": "24h", "input_file_id": nullable(b.inputFile),
		"output_file_id": nullable(b.row.output), "error_file_id": nullable(b.row.errors), "key_source": "gateway",
		"reservation_id": "batch_hold:" + b.requestID, "reservation_status": "held", "pricing_lines": []any{},
		"finalized_at": stamp(b.row.finalized), "request_counts": b.row.counts.object(), "billing": b.hookBilling(),
		"created_at": stamp(b.row.created), "updated_at": stamp(b.row.updated),
	}
	if !terminal(status) {
		o["cancel_url"] = polling + "/cancel"
	} else {
		o["reservation_status"] = "captured"
	}
	for _, name := range []string{
		"app_id", "byok_key_id", "next_webhook_retry_at", "last_webhook_progress", "last_webhook_progress_at",
		"last_webhook_dispatched_at", "last_polled_at", "polled_status", "upstream_error", "provider_failure_diagnostics",
		"failure_sample", "routing_diagnostics", "provider_enablement", "provider_candidate_diagnostics",
	} {
		o[name] = nil
	}
	return o
}

func (b *batch) hookBilling() object {
	o := object{"currency": "usd", "state": "estimated", "billable": false, "charged": nil, "reserved_nanos": int64(b.rows) * 1000}
	if terminal(b.row.status) {
		o["state"], o["billable"], o["charged"], o["total_nanos"] = "settled", b.costNanos() > 0, b.costNanos() > 0, b.costNanos()
	}
	return o
}

// percent is the progress from 0 to 100.
func (b *batch) percent() int {
	c := b.row.counts
	switch {
	case b.row.status == statusCompleted:
		return 100
	case c.total == 0:
		return 0
	default:
		return int(math.Round(100 * float64(c.completed+c.failed) / float64(c.total)))
	}
}

// encode makes the bytes that are signed, with the changes that the script wants.
func encode(body object, due faults) ([]byte, error) {
	for _, f := range due {
		switch f.Kind { //nolint:exhaustive // the others are not about the body
		case FaultRewrite:
			var changes object
			if err := json.Unmarshal([]byte(f.Body), &changes); err != nil {
				return nil, err
			}
			merge(body, changes)
		case FaultOversize:
			body["filler"] = strings.Repeat("x", int(max(f.Bytes, 0)))
		}
	}
	return json.Marshal(body)
}

// merge puts changes over a body, object by object.
func merge(body, changes object) {
	for name, value := range maps.All(changes) {
		inner, isObject := value.(object)
		own, hasObject := body[name].(object)
		if isObject && hasObject {
			merge(own, inner)
			continue
		}
		body[name] = value
	}
}
