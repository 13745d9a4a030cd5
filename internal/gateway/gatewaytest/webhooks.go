package gatewaytest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// maxAttempts and retryDelays are the sender's ladder; a retry runs on the next five-minute tick after its delay.
const maxAttempts = 4

var retryDelays = []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute}

// endpoint is the managed webhook endpoint.
type endpoint struct {
	id, url, secret string
	events          []string
}

// delivery is what the gateway remembers about a batch's webhooks.
type delivery struct {
	total         int
	delivered     []string
	pending       map[string]time.Time // delivery key to next retry
	lastAttempt   time.Time
	lastStatus    string
	lastResponse  int
	lastDelivered time.Time
	lastFailure   time.Time
	lastError     string
	attempts      []object
}

// SetWebhook changes the managed endpoint at once, as a rotation of its secret does: there is no overlap, and a retry
// of an old event is signed with the new secret.
func (s *Server) SetWebhook(url, secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endpoint.url, s.endpoint.secret = url, secret
}

// EndpointID is the id of the managed endpoint, for webhook_endpoint_id.
func (s *Server) EndpointID() string { return s.opts.EndpointID }

// eventName takes an event of a subscription and gives the batch event that it means.
func eventName(raw any) (string, bool) {
	name, isText := raw.(string)
	name = strings.TrimSpace(strings.ToLower(name))
	phase := name
	if kind, rest, dotted := strings.Cut(name, "."); dotted {
		if kind != "job" && kind != "batch" {
			return "", false
		}
		phase = rest
	}
	phase = strings.Replace(phase, "canceled", "cancelled", 1)
	known := slices.Contains([]string{"created", "status_changed", "progress", "completed", "failed", "cancelled", "expired"}, phase)
	return "batch." + phase, isText && known
}

// announceEnd tells the receiver that a batch is terminal. An expired batch is announced as failed; a completed one
// whose billing cannot close is never announced.
func (s *Server) announceEnd(b *batch) {
	s.mu.Lock()
	status, blocked := b.live.status, b.billingBlocked()
	known := b.native != ""
	s.mu.Unlock()
	switch {
	case s.opts.OpenAI:
		s.announce(b, status)
	case blocked || !known:
		s.effect(b, EffectWebhookDropped, "billing is not closed or the batch is not known")
	case status == statusExpired:
		s.announce(b, statusFailed)
	default:
		s.announce(b, status)
	}
}

// announce starts the ladder of one event; the channel closes after its first attempt.
func (s *Server) announce(b *batch, phase string) <-chan struct{} {
	first := make(chan struct{})
	s.mu.Lock()
	url := s.endpoint.url
	s.mu.Unlock()
	if url == "" || !slices.Contains(b.events, "batch."+phase) {
		close(first)
		return first
	}
	e := &event{batch: b, phase: phase, key: "batch." + phase}
	e.id = eventID(b.id, e.key)
	if s.opts.OpenAI {
		e.id = "evt_" + s.ids.hex(32)
	}
	s.work.Go(func() { s.climb(e, first) })
	return first
}

var notInEventID = regexp.MustCompile(`[^A-Za-z0-9_-]`)

func eventID(batchID, key string) string {
	id := notInEventID.ReplaceAllString("evt_batch_"+batchID+"_"+key, "_")
	return id[:min(len(id), 160)]
}

// event is one thing to tell; it has one id for ever.
type event struct {
	batch          *batch
	id, phase, key string
}

// kind is the event's type: the delivery key without a progress bucket.
func (e *event) kind() string {
	kind, _, _ := strings.Cut(e.key, ":")
	return kind
}

// climb makes the attempts of one event.
func (s *Server) climb(e *event, first chan struct{}) {
	open := true
	for attempt := 1; attempt <= maxAttempts; attempt++ {
		due := s.match(call{op: OpWebhook, batchID: e.batch.id, sessionID: e.batch.sessionID, eventType: e.key})
		if due.has(FaultNeverSent) {
			s.journal.add(e.entry(EffectWebhookDropped, attempt, 0, "scripted"))
			break
		}
		delivered := s.attempt(e, attempt, due)
		if open {
			close(first)
			open = false
		}
		if delivered && !due.has(FaultReset) {
			return
		}
		if due.has(FaultReset) {
			attempt = 0
		}
		if attempt == maxAttempts {
			s.journal.add(e.entry(EffectWebhookGivenUp, attempt, 0, ""))
			return
		}
		if s.clock.sleepUntil(s.ctx, s.retryAt(e, max(attempt, 1))) != nil {
			return
		}
	}
	if open {
		close(first)
	}
}

// retryAt is the tick on which the attempt after this one runs.
func (s *Server) retryAt(e *event, attempt int) time.Time {
	now := s.clock.now()
	at := now.Add(retryDelays[attempt-1])
	if s.opts.OpenAI {
		return at
	}
	tick := at.Truncate(cronTick)
	if tick.Before(at) {
		tick = tick.Add(cronTick)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.batch.delivery.pending == nil {
		e.batch.delivery.pending = map[string]time.Time{}
	}
	e.batch.delivery.pending[e.key] = tick
	return tick
}

func (e *event) entry(effect string, attempt, status int, note string) Entry {
	return Entry{
		Kind: KindEffect, Op: effect, BatchID: e.batch.id, SessionID: e.batch.sessionID, EventID: e.id, Attempt: attempt,
		Status: status, Path: e.key, Note: note,
	}
}

// webhookObject is the gateway's account of its deliveries; it needs the lock.
func (s *Server) webhookObject(b *batch) object {
	d := b.delivery
	next := time.Time{}
	for _, at := range d.pending {
		if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	response := any(nil)
	if d.lastResponse != 0 {
		response = d.lastResponse
	}
	return object{
		"endpoint_id": s.opts.EndpointID, "url": nil, "events": b.events, "has_secret": true,
		"delivery": object{
			"total_attempts": d.total, "delivered_events": len(d.delivered), "delivered_event_types": append([]string{}, d.delivered...),
			"pending_retries": len(d.pending), "next_retry_at": stamp(next), "last_attempt_at": stamp(d.lastAttempt),
			"last_attempt_status": nullable(d.lastStatus), "last_response_status": response,
			"last_delivered_at": stamp(d.lastDelivered), "last_failure_at": stamp(d.lastFailure), "last_error_message": nullable(d.lastError),
		},
		"attempts": append([]object{}, d.attempts...),
	}
}

// record writes down how an attempt went.
func (s *Server) record(e *event, attempt, status int, preview string, failure error) {
	now := s.clock.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	d := &e.batch.delivery
	d.total++
	d.lastAttempt, d.lastResponse = now, status
	delete(d.pending, e.key)
	switch {
	case failure == nil:
		d.lastStatus, d.lastDelivered = "delivered", now
		d.delivered = append(d.delivered, e.key)
	case attempt == maxAttempts:
		d.lastStatus = "failed_permanently"
	default:
		d.lastStatus = "scheduled_retry"
	}
	message := ""
	if failure != nil {
		message = failure.Error()
		d.lastFailure, d.lastError = now, message
	}
	d.attempts = append(d.attempts, object{
		"id": fmt.Sprintf("att_%d", d.total), "delivery_key": e.key, "event_type": e.key, "status": d.lastStatus,
		"attempt_number": attempt, "max_attempts": maxAttempts, "tried_at": stamp(now), "response_status": status,
		"error_message": nullable(message), "response_body_preview": preview,
	})
	d.attempts = d.attempts[max(0, len(d.attempts)-10):]
	e.batch.row.updated = now
}
