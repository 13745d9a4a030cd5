package gatewaytest

import "strings"

// object is a batch as create, retrieve and cancel show it: the provider's own fields and, on the gateway, its overlay.
// It needs the lock.
func (s *Server) object(b *batch) object {
	o := b.providerObject()
	if s.opts.OpenAI {
		return o
	}
	for k, v := range s.overlay(b, b.live.status) {
		o[k] = v
	}
	o["native_batch_id"] = nullable(b.native)
	return o
}

func (b *batch) providerObject() object {
	l := b.live
	o := object{
		"id": b.providerID, "object": "batch", "endpoint": b.endpoint, "model": nativeModel(b.model), "errors": nil,
		"input_file_id": b.inputFile, "completion_window": "24h", "status": l.status,
		"output_file_id": nullable(l.output), "error_file_id": nullable(l.errors), "created_at": l.created.Unix(),
		"in_progress_at": unix(l.started), "expires_at": b.expires.Unix(), "finalizing_at": unix(l.finalizing),
		"completed_at": nil, "failed_at": nil, "expired_at": nil, "cancelling_at": unix(l.cancelling), "cancelled_at": nil,
		"request_counts": l.counts.object(), "metadata": b.metadata,
	}
	if terminal(l.status) {
		o[l.status+"_at"] = unix(l.ended)
	}
	if len(b.problems) > 0 && l.status == statusFailed {
		data := make([]any, 0, len(b.problems))
		for _, p := range b.problems {
			data = append(data, object{"code": p.reason, "message": p.message, "param": nil, "line": p.line})
		}
		o["errors"] = object{"object": "list", "data": data}
	}
	return o
}

func (c counts) object() object {
	return object{"total": c.total, "completed": c.completed, "failed": c.failed}
}

// overlay are the gateway's own fields; status is the raw status of the view that is shown.
func (s *Server) overlay(b *batch, status string) object {
	polling := s.URL() + "/batches/" + b.id
	o := object{
		"id": b.id, "request_id": b.requestID, "provider": "openai", "lifecycle_status": lifecycle(status),
		"polling_url": polling, "cancel_url": nil, "pricing_lines": []any{},
	}
	if cancellable(status) {
		o["cancel_url"] = polling + "/cancel"
	}
	if b.sessionID != "" {
		o["session_id"] = b.sessionID
	}
	if b.events != nil {
		o["webhook"] = s.webhookObject(b)
	}
	if !b.row.finalized.IsZero() {
		o["billing"] = b.billing()
		o["usage"] = b.usageObject()
	}
	return o
}

// lifecycle is the gateway's REST mapping, in which finalizing and cancelling read as pending.
func lifecycle(status string) string {
	switch status {
	case statusInProgress:
		return "running"
	case "canceled":
		return statusCancelled
	default:
		if terminal(status) {
			return status
		}
		return "pending"
	}
}

func cancellable(status string) bool {
	switch status {
	case statusValidating, "queued", "pending", statusInProgress, statusCancelling:
		return true
	default:
		return false
	}
}

// billing of the first terminal read says charged; every later one says that it was charged already.
func (b *batch) billing() object {
	o := object{
		"billed": true, "charged": true, "reason": nil, "cost_nanos": b.costNanos(), "cost_usd": float64(b.costNanos()) / 1e9,
		"finalized_at": stamp(b.row.finalized), "pricing_breakdown": nil,
	}
	switch {
	case b.billingBlocked():
		o["billed"], o["charged"], o["reason"] = false, false, "missing_output_file"
	case b.settled:
		o["charged"], o["reason"] = false, "already_billed"
	}
	return o
}

// billingBlocked: a completed batch without an output file never closes its billing and so never gets its webhook.
func (b *batch) billingBlocked() bool {
	return b.live.status == statusCompleted && b.live.output == ""
}

func (b *batch) costNanos() int64 { return b.live.usage.input*100 + b.live.usage.output*400 }

func (b *batch) usageObject() object {
	u := b.live.usage
	return object{
		"requests": b.live.counts.completed, "input_tokens": u.input, "output_tokens": u.output,
		"total_tokens": u.input + u.output, "cost_nanos": b.costNanos(), "cost_usd": float64(b.costNanos()) / 1e9, "currency": "USD",
	}
}

// listItem is a batch as the gateway's list shows it: the database's copy, without metadata, model and native id, and
// with times as text.
func (s *Server) listItem(b *batch) object {
	o := object{
		"object": "batch", "status": b.row.status, "endpoint": b.endpoint, "completion_window": "24h",
		"input_file_id": nullable(b.inputFile), "output_file_id": nullable(b.row.output), "error_file_id": nullable(b.row.errors),
		"request_counts": b.row.counts.object(), "created_at": stamp(b.row.created), "updated_at": stamp(b.row.updated),
	}
	for k, v := range s.overlay(b, b.row.status) {
		o[k] = v
	}
	return o
}

// nativeModel is the dated name that the provider answers with; the suffix says that no model answered.
func nativeModel(model string) string {
	if model == "" || strings.HasSuffix(model, emulated) {
		return model
	}
	return model + emulated
}

const emulated = "-2026-01-01-emulator"
