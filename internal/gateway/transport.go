package gateway

import (
	"context"
	"net"
	"net/http"
	"time"
)

const maxHeaderBytes = 64 << 10

type dialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// newTransport speaks HTTP/1.1 only: one request per connection at a time makes
// it provable whether a request's first byte has left.
func newTransport(c Config) *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            watchedDial(newDialer(c), c.IdleTimeout, nil),
		Protocols:              onlyHTTP1(),
		TLSHandshakeTimeout:    c.ConnectTimeout,
		ResponseHeaderTimeout:  c.HeaderTimeout,
		MaxResponseHeaderBytes: maxHeaderBytes,
		MaxIdleConnsPerHost:    8,
		IdleConnTimeout:        90 * time.Second,
		DisableCompression:     true,
	}
}

// guardedTransport is a transport for one single request: its connection is new
// and never used again, so that net/http has no reason to send the request
// twice, and g sees each byte before it leaves. It returns nil where the
// injected transport cannot be guarded.
func (c *Client) guardedTransport(g *guard) *http.Transport {
	base, ok := c.config.Transport.(*http.Transport)
	if !ok {
		return nil
	}
	t := base.Clone()
	t.DisableKeepAlives = true
	t.Protocols = onlyHTTP1()
	t.ForceAttemptHTTP2 = false
	dial := t.DialContext
	if dial == nil {
		dial = newDialer(c.config)
	}
	t.DialContext = watchedDial(dial, c.config.IdleTimeout, g)
	if t.DialTLSContext != nil {
		t.DialTLSContext = watchedDial(t.DialTLSContext, c.config.IdleTimeout, g)
	}
	return t
}

func onlyHTTP1() *http.Protocols {
	var p http.Protocols
	p.SetHTTP1(true)
	return &p
}

func newDialer(c Config) dialFunc {
	return (&net.Dialer{Timeout: c.ConnectTimeout, KeepAlive: 30 * time.Second}).DialContext
}

func watchedDial(dial dialFunc, idle time.Duration, g *guard) dialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &watchedConn{Conn: conn, idle: idle, guard: g}, nil
	}
}

// watchedConn gives up on a peer that takes nothing for the idle timeout and
// asks the guard before it writes.
type watchedConn struct {
	net.Conn

	idle  time.Duration
	guard *guard
}

func (c *watchedConn) Write(p []byte) (int, error) {
	if err := c.guard.allow(); err != nil {
		return 0, err
	}
	if err := c.SetWriteDeadline(time.Now().Add(c.idle)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}
