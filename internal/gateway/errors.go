package gateway

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Class says what a failure means for the caller.
type Class int

// The classes. Uploads, reads and cancels are never Unknown or Accepted.
const (
	// Refused: for good; asking again the same way gets the same answer.
	Refused Class = iota + 1
	// TryLater: it may pass later.
	TryLater
	// NothingSubmitted: proof that nothing was sent or submitted; it may be tried again.
	NothingSubmitted
	// Unknown: something may have been submitted; look before asking again.
	Unknown
	// Accepted: it was submitted in spite of the error; BatchID names the batch.
	Accepted
)

// String returns the class in words fit for logs and metrics.
func (c Class) String() string {
	switch c {
	case Refused:
		return "refused"
	case TryLater:
		return "try_later"
	case NothingSubmitted:
		return "nothing_submitted"
	case Unknown:
		return "unknown"
	case Accepted:
		return "accepted"
	default:
		return fmt.Sprintf("class(%d)", int(c))
	}
}

// Envelope is the shape an error answer came in.
type Envelope int

// The envelopes of the gateway, in the order of its own documentation.
const (
	// None: there was no answer, or it was not an error.
	None Envelope = iota
	// EnvelopeA is flat: {error, reason, request_id, status_code, …}.
	EnvelopeA
	// EnvelopeB is nested: {error: {type, reason, message, …}}.
	EnvelopeB
	// EnvelopeC is the feature gate's refusal.
	EnvelopeC
	// EnvelopeD is the provider's own answer, passed on untouched.
	EnvelopeD
	// EnvelopeE is no JSON object at all: plain text, HTML, nothing.
	EnvelopeE
	// EnvelopeF is the control plane's.
	EnvelopeF
)

// String returns the envelope's letter, "none" without an answer.
func (e Envelope) String() string {
	if e < EnvelopeA || e > EnvelopeF {
		return "none"
	}
	return string(rune('A' + int(e-EnvelopeA)))
}

// Error is every failure of a Client: what the other side answered, or what
// broke on the way, and what that means.
type Error struct {
	// Op is the operation, such as "create batch".
	Op string
	// Status is the HTTP status, 0 without an answer.
	Status int

	Code, Reason, Message             string
	RequestID, BatchID, NativeBatchID string

	// RetryAfter is how long the answer asks to wait, at most 24 h; 0: it does not say.
	RetryAfter time.Duration
	Envelope   Envelope
	Class      Class
	// Err is the cause where there was no answer or it could not be used.
	Err error
}

const maxErrorText = 512

// Error returns one line of at most 512 bytes without control characters.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("gateway: " + e.Op + ": ")
	if e.Status != 0 {
		fmt.Fprintf(&b, "HTTP %d ", e.Status)
	}
	fmt.Fprintf(&b, "(%s)", e.Class)
	for _, part := range []string{e.Code, e.Reason, e.Message} {
		if part != "" {
			b.WriteString(": " + part)
		}
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	if e.RequestID != "" {
		b.WriteString(" [request " + e.RequestID + "]")
	}
	return clean(b.String(), maxErrorText)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// FromProvider reports whether the answer is the provider's own, passed on by the gateway.
func (e *Error) FromProvider() bool { return e.Envelope == EnvelopeD }

// AsError returns the *Error in err's chain.
func AsError(err error) (*Error, bool) {
	var e *Error
	ok := errors.As(err, &e)
	return e, ok
}

// clean makes foreign text fit for a log line: valid UTF-8, no control or
// formatting characters, at most limit bytes. What does not fit becomes a space: if
// it were dropped, what stood around it, such as two halves of a key, would join.
func clean(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == utf8.RuneError || unicode.Is(unicode.C, r):
			return ' '
		default:
			return r
		}
	}, s)
	if len(s) <= limit {
		return s
	}
	cut := limit - len("…")
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
