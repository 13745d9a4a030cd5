package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// maxAnswer bounds a JSON answer.
const maxAnswer = 4 << 20

var (
	errSilent   = errors.New("the server fell silent in the middle of its answer")
	errTooLong  = errors.New("the answer is longer than 4 MiB")
	errEncoded  = errors.New("the answer has a content encoding that was not asked for")
	errReturned = errors.New("the request is over")
)

// watchedBody ends a response body that stays silent for the idle timeout.
type watchedBody struct {
	io.ReadCloser

	ctx    context.Context //nolint:containedctx // it lives exactly as long as the body, whose reader it stops
	cancel context.CancelCauseFunc
	idle   time.Duration
	timer  *time.Timer
}

func watchBody(ctx context.Context, cancel context.CancelCauseFunc, body io.ReadCloser, idle time.Duration) *watchedBody {
	timer := time.AfterFunc(idle, func() { cancel(errSilent) })
	timer.Stop()
	return &watchedBody{ReadCloser: body, ctx: ctx, cancel: cancel, idle: idle, timer: timer}
}

// Read passes on io.ErrUnexpectedEOF, which net/http returns for a body that
// ends before its announced length or its last chunk.
func (b *watchedBody) Read(p []byte) (int, error) {
	b.timer.Reset(b.idle)
	n, err := b.ReadCloser.Read(p)
	b.timer.Stop()
	if err != nil && err != io.EOF && errors.Is(context.Cause(b.ctx), errSilent) {
		return n, fmt.Errorf("read answer: %w for %s", errSilent, b.idle)
	}
	return n, err
}

func (b *watchedBody) Close() error {
	b.timer.Stop()
	err := b.ReadCloser.Close()
	b.cancel(nil)
	return err
}

// readAnswer reads and closes a JSON answer's body.
func readAnswer(res *http.Response) ([]byte, error) {
	defer func() { _ = res.Body.Close() }()
	if encoded(res.Header) {
		return nil, errEncoded
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err == nil && len(body) > maxAnswer {
		err = errTooLong
	}
	return body, err
}

// lease lends the caller's reader to one request: net/http may go on reading in
// the background after the answer came, and must stop when the call returns.
type lease struct {
	mu     sync.Mutex
	source io.Reader
	failed error // the caller's reader broke
}

func (l *lease) Read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.source == nil {
		return 0, errReturned
	}
	n, err := l.source.Read(p)
	if err != nil && err != io.EOF {
		l.failed = err
	}
	return n, err
}

// end takes the reader back and returns the error it broke with.
func (l *lease) end() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.source = nil
	return l.failed
}

// encoded reports whether a body would have to be inflated, which is never asked
// for: a few bytes could become gigabytes.
func encoded(h http.Header) bool {
	coding := h.Get("Content-Encoding")
	return coding != "" && coding != "identity"
}
