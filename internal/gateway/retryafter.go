package gateway

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxRetryAfter caps what a server may ask for: a longer wait would be longer
// than a batch's own window.
const maxRetryAfter = 24 * time.Hour

// retryAfter returns how long the Retry-After header asks to wait, 0 when it
// does not say. A date counts from the server's own clock where it sent one.
func retryAfter(h http.Header, now time.Time) time.Duration {
	value := strings.TrimSpace(h.Get("Retry-After"))
	if value == "" {
		return 0
	}
	if strings.Trim(value, "0123456789") == "" {
		seconds, err := strconv.ParseInt(value, 10, 64)
		if err != nil || seconds > int64(maxRetryAfter/time.Second) {
			return maxRetryAfter
		}
		return time.Duration(seconds) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	if server, err := http.ParseTime(h.Get("Date")); err == nil {
		now = server
	}
	return bounded(at.Sub(now))
}

// untilReset returns how long a key's limit lasts according to the body.
func untilReset(top *topLevel, h http.Header) time.Duration {
	if top.ResetAt.IsZero() {
		return 0
	}
	now := top.Now.Time
	if now.IsZero() {
		now = time.Now()
		if server, err := http.ParseTime(h.Get("Date")); err == nil {
			now = server
		}
	}
	return bounded(top.ResetAt.Sub(now))
}

func bounded(d time.Duration) time.Duration {
	return min(max(d, 0), maxRetryAfter)
}
