package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"batchkeeper/internal/strictjson"
)

// The ways in which a signed delivery can be unusable.
var (
	// ErrMalformed: the body is not what the sender's documentation says.
	ErrMalformed = errors.New("webhook delivery is malformed")
	// ErrMismatch: an unsigned header contradicts the signed body.
	ErrMismatch = errors.New("webhook delivery's header differs from its signed body")
)

const maxDeliveryField = 512 // bytes

// Delivery is what a webhook says, taken from its signed body alone. It is a
// hint to look at the batch, never its state.
type Delivery struct {
	// EventID repeats when a delivery is retried; DeliveryKey is the same for
	// the same kind of event of every batch.
	EventID, EventType, DeliveryKey string
	// Attempt counts from 1 and may begin again; 0 where the sender has none.
	Attempt int

	BatchID, SessionID, Status, LifecycleStatus, Kind string
}

// phaseoEvent is the part of the gateway's envelope that is used.
type phaseoEvent struct {
	ID       string `json:"id"`
	Type     string `json:"type"`
	Delivery struct {
		Key         string `json:"key"`
		Attempt     int    `json:"attempt"`
		MaxAttempts int    `json:"max_attempts"`
	} `json:"delivery"`
	Data struct {
		ID              string `json:"id"`
		Kind            string `json:"kind"`
		SessionID       string `json:"session_id"`
		Status          string `json:"status"`
		LifecycleStatus string `json:"lifecycle_status"`
	} `json:"data"`
}

// ParsePhaseo reads a verified delivery of the gateway. The error is
// ErrMalformed, or ErrMismatch when a header is present and differs from the
// signed body; headers alone are trusted in nothing.
func ParsePhaseo(h http.Header, body []byte) (Delivery, error) {
	var event phaseoEvent
	if err := strictjson.Unmarshal(body, &event); err != nil {
		return Delivery{}, fmt.Errorf("parse delivery: %w: %w", ErrMalformed, err)
	}
	d := Delivery{
		EventID: event.ID, EventType: event.Type, DeliveryKey: event.Delivery.Key, Attempt: event.Delivery.Attempt,
		BatchID: event.Data.ID, SessionID: event.Data.SessionID,
		Status: event.Data.Status, LifecycleStatus: event.Data.LifecycleStatus, Kind: event.Data.Kind,
	}
	if err := d.check(); err != nil {
		return Delivery{}, err
	}
	for name, signed := range map[string]string{
		"x-phaseo-event-id":     d.EventID,
		"x-phaseo-event-type":   d.EventType,
		"x-phaseo-delivery-key": d.DeliveryKey,
		"x-phaseo-attempt":      strconv.Itoa(d.Attempt),
		"x-phaseo-max-attempts": strconv.Itoa(event.Delivery.MaxAttempts),
	} {
		for _, value := range h.Values(name) {
			if value != signed {
				return Delivery{}, fmt.Errorf("parse delivery: %s: %w", name, ErrMismatch)
			}
		}
	}
	return d, nil
}

// ParseOpenAI reads a verified Standard Webhooks delivery, whose body names the
// event and the batch and nothing else. The event id is the body's, or the
// signed webhook-id where the body has none.
func ParseOpenAI(h http.Header, body []byte) (Delivery, error) {
	var event struct {
		ID   string `json:"id"`
		Type string `json:"type"`
		Data struct {
			ID string `json:"id"`
		} `json:"data"`
	}
	if err := strictjson.Unmarshal(body, &event); err != nil {
		return Delivery{}, fmt.Errorf("parse delivery: %w: %w", ErrMalformed, err)
	}
	if event.ID == "" {
		event.ID = h.Get("webhook-id")
	}
	d := Delivery{EventID: event.ID, EventType: event.Type, DeliveryKey: event.Type, BatchID: event.Data.ID}
	d.Kind, d.LifecycleStatus, _ = strings.Cut(event.Type, ".")
	if d.Kind != "batch" {
		d.LifecycleStatus = ""
	}
	if err := d.check(); err != nil {
		return Delivery{}, err
	}
	return d, nil
}

// check refuses what could not be routed or would spoil a log line.
func (d Delivery) check() error {
	switch {
	case d.EventID == "" || d.EventType == "" || d.DeliveryKey == "":
		return fmt.Errorf("parse delivery: %w: no id, type or delivery key", ErrMalformed)
	case d.BatchID == "" && strings.HasPrefix(d.EventType, "batch."):
		return fmt.Errorf("parse delivery: %w: a batch event without data.id", ErrMalformed)
	case d.Attempt < 0:
		return fmt.Errorf("parse delivery: %w: a negative attempt", ErrMalformed)
	}
	for _, field := range []string{d.EventID, d.EventType, d.DeliveryKey, d.BatchID, d.SessionID, d.Status, d.LifecycleStatus, d.Kind} {
		if field != clean(field, maxDeliveryField) {
			return fmt.Errorf("parse delivery: %w: a field is too long or holds control characters", ErrMalformed)
		}
	}
	return nil
}
