package gateway

import (
	"bytes"
	"errors"
	"net/http"

	"batchkeeper/internal/secret"
	"batchkeeper/internal/strictjson"
)

// hidden keeps what an error is without handing on its text unchecked: net/http
// quotes the server's bytes, which may echo the key, and whoever stores the
// error may print its whole chain.
type hidden struct {
	text string
	err  error
}

func hideText(err error, key secret.Value) error {
	return hidden{text: clean(string(redact([]byte(err.Error()), key)), maxErrorText), err: err}
}

// Error returns the checked text.
func (h hidden) Error() string { return h.text }

// Is compares with the original error.
func (h hidden) Is(target error) bool { return errors.Is(h.err, target) }

// invalid is a request that cannot be asked for at all.
func invalid(op string, err error) *Error {
	return &Error{Op: op, Code: "invalid_request", Class: Refused, Err: err}
}

// unsent is a request that was given up before a connection was looked for.
func (r *call) unsent(err error) *Error {
	return &Error{Op: r.op, Class: r.class(NothingSubmitted), Err: err}
}

// broken is a request without an answer.
func (r *call) broken(err error, key secret.Value) *Error {
	e := &Error{Op: r.op, Class: r.class(Unknown), Err: hideText(err, key)}
	if !r.creates() {
		return e
	}
	sent := r.guard.close()
	switch {
	case r.guard.tooLate():
		e.Class, e.Err = NothingSubmitted, errTooLate
	case !sent, errors.Is(err, errSource):
		// A body that broke off is no JSON value, so nothing came of it.
		e.Class = NothingSubmitted
	}
	return e
}

// unusable is a 2xx answer that says nothing. Its body is free of the key
// already.
func (r *call) unusable(a *answer, err error) *Error {
	return &Error{Op: r.op, Status: a.status, Code: "unusable_answer", Class: r.class(Unknown), Err: hideText(err, secret.Value{})}
}

// refusal is an answer with any status but 2xx.
func (r *call) refusal(dialect Dialect, res *http.Response, body []byte, key secret.Value) *Error {
	e := parseFailure(dialect, res.StatusCode, res.Header, body)
	e.Op = r.op
	if res.StatusCode/100 == 3 {
		e.Message = "it redirects, which is never followed: check the base URL"
	}
	for _, field := range []*string{&e.Code, &e.Reason, &e.Message, &e.RequestID, &e.BatchID, &e.NativeBatchID} {
		*field = clean(string(redact([]byte(*field), key)), maxErrorText)
	}
	e.Class = r.class(classify(e))
	return e
}

// class narrows a class for requests that submit nothing: for them there is
// nothing to look up, so whatever is not refused may be tried again.
func (r *call) class(c Class) Class {
	if !r.creates() && c != Refused {
		return TryLater
	}
	return c
}

// minRedactable is below any key's length: replacing a shorter text would
// mangle answers without hiding anything.
const minRedactable = 8

// redactAnswer is redact for a whole answer. Strings of JSON can be written in many
// ways; they are brought to the plainest before the key is looked for.
func redactAnswer(body []byte, key secret.Value) []byte {
	return redact(strictjson.Plain(body), key)
}

func redact(text []byte, key secret.Value) []byte {
	if len(key.Reveal()) < minRedactable {
		return text
	}
	return bytes.ReplaceAll(text, []byte(key.Reveal()), []byte("[redacted]"))
}
