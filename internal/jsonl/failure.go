package jsonl

import (
	"strconv"
	"strings"
	"unicode"
)

// Failure is why a row has no answer.
type Failure struct {
	// Class is one of the classes of a row without an answer.
	Class string
	// Status is the HTTP status that the row got; 0: none.
	Status int
	// Code is the provider's word for the error: its code, else its type.
	Code string
}

// WorthRetry tells whether the row deserves another try: what the row itself is
// to blame for does not. A cancelled row does where retryCancelled says that
// nobody here asked to cancel.
func (f Failure) WorthRetry(retryCancelled bool) bool {
	switch f.Class {
	case ClassExpired, ClassMissing:
		return true
	case ClassCancelled:
		return retryCancelled
	case ClassRowError:
	default:
		return false
	}
	switch {
	case f.Status == 408, f.Status == 429, f.Status >= 500 && f.Status < 600:
		return true
	case f.Status >= 400:
		return false
	}
	switch f.Code { // without a status that says more
	case "request_timeout", "timeout", "rate_limit_exceeded", "rate_limit_error", "server_error", "internal_error", "overloaded_error",
		"service_unavailable", "batch_expired":
		return true
	case "batch_cancelled":
		return retryCancelled
	default:
		return false
	}
}

// maxCause is the longest cause in bytes.
const maxCause = 100

// Cause is the failure in a few words, such as "http_400 invalid_request_error";
// at most 100 bytes of printable text. Where nothing is known it is the class.
func (f Failure) Cause() string {
	var words []string
	if f.Status != 0 {
		words = append(words, "http_"+strconv.Itoa(f.Status))
	}
	if code := plain(f.Code); code != "" {
		words = append(words, code)
	}
	if len(words) == 0 {
		words = append(words, plain(f.Class))
	}
	return cut(strings.Join(words, " "), maxCause-len("…"))
}

// plain drops what is not for printing, so that a provider's text can stand in a
// table or a log line.
func plain(text string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, text))
}
