package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/openai/openai-go/v3/option"

	"batchkeeper/internal/secret"
)

// call is one request of one operation.
type call struct {
	op           string
	method, path string // path below the base URL, escaped
	body         io.Reader
	length       int64 // of body; -1: unknown
	header       map[string]string
	guard        *guard // set where sending twice or too late would cost a batch
	stream       bool   // the caller reads the body of a 2xx answer itself
}

// creates reports whether the request may submit a batch.
func (r *call) creates() bool { return r.guard != nil }

// answer is a 2xx answer; stream is set instead of body where the call asked for it.
type answer struct {
	status int
	header http.Header
	body   []byte
	stream *http.Response
}

func (a *answer) date() time.Time {
	t, err := http.ParseTime(a.header.Get("Date"))
	if err != nil {
		return time.Time{}
	}
	return t
}

// do sends the request once. The error is always an *Error.
func (c *Client) do(ctx context.Context, r *call) (*answer, error) {
	key, err := c.key()
	if err != nil {
		return nil, r.unsent(err)
	}
	res, err := c.send(ctx, r, key) //nolint:bodyclose // readAnswer closes it, or whoever asked for the stream
	if err != nil {
		return nil, r.broken(err, key)
	}
	ok := res.StatusCode/100 == 2
	if ok && r.stream {
		return &answer{status: res.StatusCode, header: res.Header, stream: res}, nil
	}
	body, err := readAnswer(res)
	body = redactAnswer(body, key)
	if !ok {
		// What could be read of an error's body is better than nothing.
		return nil, r.refusal(c.config.Dialect, res, body, key)
	}
	a := &answer{status: res.StatusCode, header: res.Header, body: body}
	if err != nil {
		return nil, r.unusable(a, err)
	}
	return a, nil
}

var (
	errNotOK  = errors.New("not a 2xx answer")
	errSource = errors.New("the request's own body cannot be read")
)

// send hands the request to openai-go and takes the answer back before that
// reads it: its own error type knows one of the six envelopes and its reader no
// bound.
func (c *Client) send(ctx context.Context, r *call, key secret.Value) (*http.Response, error) {
	var answered, passed *http.Response
	take := c.taker(r, &answered)
	opts := []option.RequestOption{option.WithAPIKey(key.Reveal()), option.WithMiddleware(take)}
	for name, value := range r.header {
		opts = append(opts, option.WithHeader(name, value))
	}
	client, ctx, done := c.connect(ctx, r)
	defer done()
	var body any
	lent := &lease{source: r.body}
	if r.body != nil {
		body = lent
	}
	err := c.api.Execute(ctx, r.method, r.path, body, &passed, append(opts, option.WithHTTPClient(client))...)
	if failed := lent.end(); failed != nil {
		err = fmt.Errorf("%w: %w", errSource, failed)
	}
	if answered != nil {
		return answered, nil
	}
	return nil, err
}

// taker is the innermost step around the HTTP client: it settles how the request
// goes out and puts the answer into taken.
func (c *Client) taker(r *call, taken **http.Response) option.Middleware {
	return func(req *http.Request, next option.MiddlewareNext) (*http.Response, error) {
		watched, cancel := context.WithCancelCause(req.Context())
		req = req.WithContext(watched)
		req.GetBody = nil // nobody gets to send this request a second time
		if r.length >= 0 && r.body != nil {
			req.ContentLength = r.length
		}
		res, err := next(req)
		if err != nil {
			cancel(err)
			return nil, err
		}
		res.Body = watchBody(watched, cancel, res.Body, c.config.IdleTimeout)
		*taken = res
		if res.StatusCode/100 != 2 {
			return nil, errNotOK
		}
		return res, nil
	}
}

// connect chooses the HTTP client: a guarded request gets one of its own.
func (c *Client) connect(ctx context.Context, r *call) (*http.Client, context.Context, func()) {
	if r.guard == nil {
		return c.http, ctx, func() {}
	}
	t := c.guardedTransport(r.guard)
	if t == nil {
		r.guard.blind = true
		return c.http, ctx, func() {}
	}
	return &http.Client{Transport: t, CheckRedirect: stayHere}, r.guard.watch(ctx), t.CloseIdleConnections
}
