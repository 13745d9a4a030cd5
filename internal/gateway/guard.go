package gateway

import (
	"context"
	"errors"
	"net/http/httptrace"
	"sync"
	"time"
)

var errTooLate = errors.New("the time by which the request had to be sent has passed: nothing was sent")

// guard stands between one request and its connection. It decides, at the
// moment the first byte would leave, whether the request may still be sent, and
// it knows afterwards whether any byte did.
type guard struct {
	notAfter time.Time

	mu    sync.Mutex
	armed bool // the connection is ready; what is written now is the request
	sent  bool // a byte of the request may have left
	shut  bool // no byte of the request may leave any more
	late  bool // refused because of notAfter
	blind bool // an injected transport writes past it, so nothing can be proven
}

// watch arms the guard when a connection is handed to the request: what is
// written before belongs to TLS or to a proxy.
func (g *guard) watch(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.armed = true
	}})
}

// allow is asked before each write. A nil guard allows everything.
func (g *guard) allow() error {
	if g == nil {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.armed || g.sent {
		return nil
	}
	if g.expired() {
		g.shut, g.late = true, true
	}
	if g.shut {
		return errTooLate
	}
	g.sent = true
	return nil
}

// close ends the request and reports whether a byte of it may have left. From
// then on none can, even if the transport is still busy in the background.
func (g *guard) close() (sent bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = true
	return g.sent || g.blind
}

func (g *guard) tooLate() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.late
}

// expired compares wall clocks: the monotonic clock stands still while a
// machine sleeps, and the deadline was set by another process.
func (g *guard) expired() bool {
	return !g.notAfter.IsZero() && time.Now().Round(0).After(g.notAfter.Round(0))
}
