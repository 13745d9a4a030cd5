package gateway

import (
	"crypto/hmac"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"batchkeeper/internal/secret"
)

// ErrUnauthentic is the one error for every delivery that is not proven
// genuine; saying why would help a forger.
var ErrUnauthentic = errors.New("webhook delivery is not authentic")

const (
	tolerance          = 300 // seconds, into the past and the future
	maxSignatures      = 8
	maxSignatureHeader = 2 << 10
)

// ten digits: the only form the senders use until the year 2286
var timestampForm = regexp.MustCompile(`^[1-9][0-9]{9}$`)

// Verifier checks deliveries against one or more keys, so that a secret can be
// rotated. Its zero value verifies nothing.
type Verifier struct {
	keys [][]byte
	read func(http.Header) attestation
}

// attestation is what a delivery's headers claim.
type attestation struct {
	prefix     string // signed before the body
	timestamp  string
	signatures [][]byte
	ok         bool // every header was there once and in form
}

// NewPhaseoVerifier returns a Verifier for the gateway's own signatures. Each
// key must have at least 24 bytes.
func NewPhaseoVerifier(keys []secret.Value) (*Verifier, error) {
	return newVerifier(keys, decodePhaseoKey, attestPhaseo)
}

// NewOpenAIVerifier returns a Verifier for Standard Webhooks signatures. Each
// key is whsec_ and base64 of at least 24 bytes.
func NewOpenAIVerifier(keys []secret.Value) (*Verifier, error) {
	return newVerifier(keys, decodeStandardKey, attestStandard)
}

func newVerifier(keys []secret.Value, decode func(secret.Value) ([]byte, error), read func(http.Header) attestation) (*Verifier, error) {
	if len(keys) == 0 {
		return nil, errors.New("webhook verifier: no signing secret: every delivery would have to be refused")
	}
	v := &Verifier{read: read}
	for i, key := range keys {
		raw, err := decode(key)
		if err != nil {
			return nil, fmt.Errorf("webhook verifier: secret %d: %w", i+1, err)
		}
		v.keys = append(v.keys, raw)
	}
	return v, nil
}

// Verify returns nil when body was signed with one of the keys less than 300 s
// before or after now, else ErrUnauthentic. It does the same work for every
// cause and tries every key.
func (v *Verifier) Verify(h http.Header, body []byte, now time.Time) error {
	if v == nil || len(v.keys) == 0 {
		return ErrUnauthentic
	}
	a := v.read(h)
	signed := false
	for _, key := range v.keys {
		want := sum(key, a.prefix, body)
		for _, got := range a.signatures {
			if hmac.Equal(want, got) {
				signed = true
			}
		}
	}
	if !signed || !a.ok || !fresh(a.timestamp, now) {
		return ErrUnauthentic
	}
	return nil
}

func attestPhaseo(h http.Header) attestation {
	timestamp, one := single(h, "x-phaseo-timestamp")
	text, two := single(h, "x-phaseo-signature")
	signature, err := hex.DecodeString(text)
	if err != nil || len(text) != 64 {
		return attestation{prefix: timestamp + "."}
	}
	return attestation{timestamp + ".", timestamp, [][]byte{signature}, one && two}
}

func attestStandard(h http.Header) attestation {
	id, one := single(h, "webhook-id")
	timestamp, two := single(h, "webhook-timestamp")
	text, three := single(h, "webhook-signature")
	a := attestation{prefix: id + "." + timestamp + ".", timestamp: timestamp}
	entries := strings.Split(text, " ")
	if len(text) > maxSignatureHeader || len(entries) > maxSignatures {
		return a
	}
	for _, entry := range entries {
		// The length is checked because the decoder skips line breaks.
		encoded, ok := strings.CutPrefix(entry, "v1,")
		signature, err := base64.StdEncoding.Strict().DecodeString(encoded)
		if ok && err == nil && len(encoded) == 44 {
			a.signatures = append(a.signatures, signature)
		}
	}
	a.ok = one && two && three
	return a
}

// single returns the value of a header that stands exactly once, in whatever
// case, and is not empty.
func single(h http.Header, name string) (string, bool) {
	var all []string
	for key, values := range h {
		if strings.EqualFold(key, name) {
			all = append(all, values...)
		}
	}
	if len(all) != 1 || all[0] == "" {
		return "", false
	}
	return all[0], true
}

func fresh(timestamp string, now time.Time) bool {
	if !timestampForm.MatchString(timestamp) {
		return false
	}
	at, err := strconv.ParseInt(timestamp, 10, 64)
	// Both bounds are compared rather than the difference, which could overflow.
	return err == nil && at >= now.Unix()-tolerance && at <= now.Unix()+tolerance
}
