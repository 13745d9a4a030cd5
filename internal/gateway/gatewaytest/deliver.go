package gatewaytest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"
)

// Delivery is one request to the receiver that a test makes up: a genuine event, a duplicate or a forgery.
type Delivery struct {
	BatchID   string            `json:"batch_id,omitempty"` // the batch that data is about
	Phase     string            `json:"phase,omitempty"`    // created, completed and so on; default its current status
	Attempt   int               `json:"attempt,omitempty"`  // default 1
	Replay    string            `json:"replay,omitempty"`   // event id: its last attempt again, byte for byte
	Body      string            `json:"body,omitempty"`     // signed and sent as it is, in place of all above
	Secret    string            `json:"secret,omitempty"`   // default the endpoint's
	Age       Duration          `json:"age,omitempty"`      // of the signed timestamp
	Header    map[string]string `json:"header,omitempty"`   // replaces headers after signing; empty removes
	URL       string            `json:"url,omitempty"`      // default the endpoint's
	Unsigned  bool              `json:"unsigned,omitempty"` // the security headers are left out
	EventID   string            `json:"event_id,omitempty"` // default the one that belongs to batch and phase
	Tampered  bool              `json:"tampered,omitempty"` // one byte is changed after signing
	Overrides map[string]any    `json:"overrides,omitempty"`
}

// Deliver sends it at once and gives the receiver's status; it is in no ladder and no telemetry.
func (s *Server) Deliver(ctx context.Context, d Delivery) (int, error) {
	out, entry, err := s.composeDelivery(d)
	if err != nil {
		return 0, fmt.Errorf("deliver: %w", err)
	}
	entry.Note = "on demand"
	s.journal.add(entry)
	status, _, err := s.post(ctx, out)
	entry.Op, entry.Status, entry.Note = EffectWebhookAnswered, status, noteOf(err)
	s.journal.add(entry)
	if status != 0 {
		return status, nil
	}
	return 0, fmt.Errorf("deliver: %w", err)
}

func (s *Server) composeDelivery(d Delivery) (outgoing, Entry, error) {
	if d.Replay != "" {
		s.mu.Lock()
		out, found := s.sent[d.Replay]
		s.mu.Unlock()
		if !found {
			return out, Entry{}, fmt.Errorf("event %s was never sent", d.Replay)
		}
		return out, Entry{Kind: KindEffect, Op: EffectWebhookSent, EventID: d.Replay}, nil
	}
	e, err := s.eventOf(d)
	if err != nil {
		return outgoing{}, Entry{}, err
	}
	body := []byte(d.Body)
	if d.Body == "" {
		o := s.payload(e, max(d.Attempt, 1))
		merge(o, d.Overrides)
		if body, err = encode(o, nil); err != nil {
			return outgoing{}, Entry{}, err
		}
	}
	out, err := s.signDelivery(d, e, body)
	return out, e.entry(EffectWebhookSent, max(d.Attempt, 1), 0, ""), err
}

// eventOf is the event that a delivery is about; a raw body may be about nothing.
func (s *Server) eventOf(d Delivery) (*event, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.find(d.BatchID)
	if b == nil && d.Body == "" {
		return nil, fmt.Errorf("batch %q does not exist", d.BatchID)
	}
	if b == nil {
		b = &batch{id: d.BatchID}
	}
	e := &event{batch: b, phase: d.Phase}
	if e.phase == "" {
		e.phase = b.row.status
	}
	e.key = "batch." + e.phase
	e.id = orDefault(d.EventID, eventID(b.id, e.key))
	return e, nil
}

func (s *Server) signDelivery(d Delivery, e *event, body []byte) (outgoing, error) {
	s.mu.Lock()
	target := s.endpoint
	s.mu.Unlock()
	out := outgoing{url: orDefault(d.URL, target.url), body: body}
	if out.url == "" {
		return out, errors.New("there is no webhook endpoint: set one or name a URL")
	}
	header, err := s.sign(orDefault(d.Secret, target.secret), e.id, time.Now().Add(-time.Duration(d.Age)), body)
	if err != nil {
		return out, err
	}
	if d.Unsigned {
		header = map[string]string{"Content-Type": "application/json"}
	}
	maps.Copy(header, canonical(d.Header))
	if d.Tampered && len(body) > 0 {
		body[len(body)/2] ^= 1
	}
	out.header = header
	return out, nil
}
