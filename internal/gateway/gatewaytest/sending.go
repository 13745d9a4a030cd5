package gatewaytest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"time"

	"batchkeeper/internal/gateway"
	"batchkeeper/internal/secret"
)

// outgoing is one delivery as bytes, so that it can be sent again.
type outgoing struct {
	url    string
	header map[string]string
	body   []byte
}

// newSender is the gateway's HTTP client for deliveries: it follows no redirect.
func newSender(timeout time.Duration) *http.Client {
	return &http.Client{
		Timeout:       timeout,
		Transport:     &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: 10 * time.Second},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// attempt sends an event once and says whether the receiver took it.
func (s *Server) attempt(e *event, number int, due faults) bool {
	if f, found := due.find(FaultLate); found && s.clock.sleepUntil(s.ctx, s.clock.now().Add(time.Duration(f.Delay))) != nil {
		return false
	}
	out, err := s.compose(e, number, due)
	if err != nil {
		s.journal.add(e.entry(EffectWebhookDropped, number, 0, err.Error()))
		return false
	}
	s.mu.Lock()
	s.sent[e.id] = out
	s.mu.Unlock()
	copies := 1
	if f, found := due.find(FaultDuplicate); found {
		copies = max(f.Count, 2)
	}
	var status int
	var preview string
	for range copies {
		s.journal.add(e.entry(EffectWebhookSent, number, 0, due.String()))
		if due.has(FaultLose) {
			status, preview, err = 0, "", errors.New("the attempt was lost")
		} else {
			status, preview, err = s.post(s.ctx, out)
		}
		if due.has(FaultUnheard) {
			status, preview, err = 0, "", errors.New("the receiver did not answer in time")
		}
		s.journal.add(e.entry(EffectWebhookAnswered, number, status, noteOf(err)))
	}
	s.record(e, number, status, preview, err)
	if f, found := due.find(FaultRotate); found {
		s.mu.Lock()
		s.endpoint.secret = f.Value
		s.mu.Unlock()
	}
	return err == nil
}

func noteOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// compose builds and signs an attempt. The signed timestamp is wall time, whatever the emulated clock says: the receiver
// compares it with its own.
func (s *Server) compose(e *event, number int, due faults) (outgoing, error) {
	s.mu.Lock()
	target := s.endpoint
	s.mu.Unlock()
	body, err := encode(s.payload(e, number), due)
	if err != nil {
		return outgoing{}, fmt.Errorf("compose delivery: %w", err)
	}
	at := time.Now()
	if f, found := due.find(FaultAge); found {
		at = at.Add(-time.Duration(f.Delay))
	}
	if due.has(FaultSignature) {
		target.secret = "whsec_bm90LXRoZS1lbmRwb2ludHMta2V5LWF0LWFsbA=="
	}
	header, err := s.sign(target.secret, e.id, at, body)
	if err != nil {
		return outgoing{}, err
	}
	if !s.opts.OpenAI {
		maps.Copy(header, map[string]string{
			"X-Phaseo-Event-Id": e.id, "X-Phaseo-Event-Type": e.kind(), "X-Phaseo-Delivery-Key": e.key,
			"X-Phaseo-Attempt": strconv.Itoa(number), "X-Phaseo-Max-Attempts": strconv.Itoa(maxAttempts),
		})
	}
	if f, found := due.find(FaultHeader); found {
		maps.Copy(header, canonical(f.Header))
	}
	if due.has(FaultTamper) {
		body[len(body)/2] ^= 1
	}
	return outgoing{url: target.url, header: header, body: body}, nil
}

func canonical(header map[string]string) map[string]string {
	out := map[string]string{}
	for k, v := range header {
		out[http.CanonicalHeaderKey(k)] = v
	}
	return out
}

// sign makes the headers that every delivery has.
func (s *Server) sign(key, id string, at time.Time, body []byte) (map[string]string, error) {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	if s.opts.OpenAI {
		signature, err := gateway.SignOpenAI(secret.New(key), id, timestamp, body)
		if err != nil {
			return nil, fmt.Errorf("sign delivery: %w", err)
		}
		return map[string]string{
			"Content-Type": "application/json", "User-Agent": "OpenAI/1.0 (emulator)", "Webhook-Id": id,
			"Webhook-Timestamp": timestamp, "Webhook-Signature": signature,
		}, nil
	}
	return map[string]string{
		"Content-Type": "application/json", "User-Agent": "Phaseo-Async-Webhook/1.0", "X-Phaseo-Timestamp": timestamp,
		"X-Phaseo-Signature": gateway.SignPhaseo(secret.New(key), timestamp, body),
	}, nil
}

// post sends one request; everything but a 2xx is an error. What follows the headers is read a little and ignored.
func (s *Server) post(ctx context.Context, out outgoing) (int, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, out.url, bytes.NewReader(out.body))
	if err != nil {
		return 0, "", fmt.Errorf("send delivery: %w", err)
	}
	for k, v := range out.header {
		if v != "" {
			req.Header.Set(k, v)
		}
	}
	res, err := s.sender.Do(req)
	if err != nil {
		return 0, "", fmt.Errorf("send delivery: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	preview, _ := io.ReadAll(io.LimitReader(res.Body, 500))
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return res.StatusCode, string(preview), fmt.Errorf("the receiver answered %s", res.Status)
	}
	return res.StatusCode, string(preview), nil
}
