package bridge

import (
	"errors"
	"net/http"

	"batchkeeper/internal/httpserver"
)

// result is how a delivery ended: a metric label and a log field.
type result string

// proceed is the absence of a result: nothing speaks against going on.
const proceed result = ""

const (
	resultAccepted       result = "accepted"
	resultClosed         result = "closed"
	resultIgnoredType    result = "ignored_type"
	resultIgnoredSession result = "ignored_session"
	resultUnauthentic    result = "unauthentic"
	resultNoPath         result = "no_path"
	resultMethod         result = "method"
	resultMedia          result = "media"
	resultTooLarge       result = "too_large"
	resultUnreadable     result = "unreadable"
	resultMalformed      result = "malformed"
	resultNoRun          result = "no_run"
	resultUnavailable    result = "unavailable"
	resultDenied         result = "denied"
	resultFull           result = "signal_limit"
	resultRefused        result = "refused"
	resultNotConnected   result = "not_connected"
	resultNoSecret       result = "no_secret"
)

// answer is what the sender gets; alert marks what a person must look at.
type answer struct {
	status int
	body   string
	alert  bool
}

// answers is the table of the package comment.
func answers() map[result]answer {
	const unavailable = "unavailable\n"
	return map[result]answer{
		resultAccepted:       {status: http.StatusOK, body: "ok\n"},
		resultClosed:         {status: http.StatusOK, body: "ok\n"},
		resultIgnoredType:    {status: http.StatusOK, body: "ignored\n"},
		resultIgnoredSession: {status: http.StatusOK, body: "ignored\n"},
		resultUnauthentic:    {status: http.StatusUnauthorized, body: "unauthorized\n"},
		resultNoPath:         {status: http.StatusNotFound, body: "not found\n"},
		resultMethod:         {status: http.StatusMethodNotAllowed, body: "method not allowed\n"},
		resultMedia:          {status: http.StatusUnsupportedMediaType, body: "unsupported media type\n"},
		resultTooLarge:       {status: http.StatusRequestEntityTooLarge, body: "too large\n"},
		resultUnreadable:     {status: http.StatusBadRequest, body: "bad request\n"},
		resultMalformed:      {status: http.StatusBadRequest, body: "bad request\n", alert: true},
		resultNoRun:          {status: http.StatusServiceUnavailable, body: unavailable, alert: true},
		resultUnavailable:    {status: http.StatusServiceUnavailable, body: unavailable},
		resultDenied:         {status: http.StatusServiceUnavailable, body: unavailable, alert: true},
		resultFull:           {status: http.StatusServiceUnavailable, body: unavailable, alert: true},
		resultRefused:        {status: http.StatusServiceUnavailable, body: unavailable, alert: true},
		resultNotConnected:   {status: http.StatusServiceUnavailable, body: unavailable},
		resultNoSecret:       {status: http.StatusServiceUnavailable, body: unavailable},
	}
}

// resultOf names what a Notifier reported.
func resultOf(err error) result {
	switch {
	case err == nil:
		return resultAccepted
	case errors.Is(err, ErrClosed):
		return resultClosed
	case errors.Is(err, ErrNoRun):
		return resultNoRun
	case errors.Is(err, ErrDenied):
		return resultDenied
	case errors.Is(err, ErrFull):
		return resultFull
	case errors.Is(err, ErrRefused):
		return resultRefused
	default:
		return resultUnavailable
	}
}

func write(w http.ResponseWriter, res result, a answer) {
	switch {
	case res == resultMethod:
		w.Header().Set("Allow", http.MethodPost)
	case res == resultUnreadable:
		w.Header().Set("Connection", "close")
	case a.status == http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "30")
	}
	httpserver.Answer(w, a.status, a.body)
}
