package bridge_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper/webhookbridge/bridge"
)

// reply is an answer whose body has been read.
type reply struct {
	status int
	header http.Header
	closed bool // the server ends the connection
	body   string
}

// overWire sends a request as it would come from the network.
func overWire(t *testing.T, address string, r *http.Request) reply {
	t.Helper()
	r.RequestURI, r.URL.Scheme, r.URL.Host = "", "http", address
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	answer, err := client.Do(r)
	require.NoError(t, err)
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return reply{answer.StatusCode, answer.Header, answer.Close, string(body)}
}

func get(t *testing.T, address, path string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody)
	require.NoError(t, err)
	answer := overWire(t, address, r)
	return answer.status, answer.body
}

// raw writes bytes and returns the answer's first line.
func raw(t *testing.T, address, text string) string {
	t.Helper()
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", address)
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	_, err = io.WriteString(conn, text)
	require.NoError(t, err)
	line, err := bufio.NewReader(conn).ReadString('\n')
	require.NoError(t, err)
	return line
}

func TestRunServesAndStops(t *testing.T) {
	w := newWorld(t, nil)
	require.Empty(t, w.Addr())
	stop := w.running(t)
	answer := overWire(t, w.Addr(), phaseo(t, completed()))
	require.Equal(t, http.StatusOK, answer.status)
	require.Equal(t, "ok\n", answer.body)
	require.Empty(t, answer.header.Get("Server"))
	require.Len(t, w.runs.signals(), 1)

	for path, want := range map[string]string{
		"/healthz": "ok", "/readyz": "ready",
		"/metrics": `batchkeeper_webhook_deliveries_total{provider="phaseo",result="accepted"} 1`,
	} {
		status, body := get(t, w.AdminAddr(), path)
		require.Equal(t, http.StatusOK, status)
		require.Contains(t, body, want)
	}
	_, body := get(t, w.AdminAddr(), "/metrics")
	require.Contains(t, body, `batchkeeper_webhook_deliveries_total{provider="openai",result="unauthentic"} 0`)
	require.Contains(t, body, "batchkeeper_webhook_signal_seconds_count 1")
	require.NotContains(t, body, "canary")

	require.NoError(t, stop())
	require.ErrorContains(t, w.Ready(t.Context()), "shutting down")
}

func TestMalformedHTTPIsRefused(t *testing.T) {
	w := newWorld(t, nil)
	w.running(t)
	half := strings.Repeat("a", 32)
	head := "POST /webhooks/phaseo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\n"
	for name, tc := range map[string]struct{ text, status string }{
		"NUL in a header":         {head + "X-Phaseo-Timestamp: 1\x00\r\nContent-Length: 0\r\n\r\n", "400"},
		"two lengths":             {head + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", "400"},
		"folded signature":        {head + "X-Phaseo-Signature: " + half + "\r\n " + half + "\r\nContent-Length: 2\r\n\r\n{}", "401"},
		"length and chunks":       {head + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", "401"},
		"headers of 24 KiB":       {head + "X: " + strings.Repeat("x", 24<<10) + "\r\n\r\n", "431"},
		"redirect bait":           {strings.Replace(head, "/webhooks/phaseo", "//evil.example/..", 1) + "Content-Length: 0\r\n\r\n", "404"},
		"announced beyond bounds": {head + "Content-Length: 262145\r\n\r\n", "413"},
		"endless chunks":          {head + "Transfer-Encoding: chunked\r\n\r\n40001\r\n" + strings.Repeat(" ", 0x40001) + "\r\n", "413"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, raw(t, w.Addr(), tc.text), " "+tc.status+" ")
		})
	}
	require.Empty(t, w.runs.signals())
}

// As long as they do not fill all 512 connections; what does is cut off after 5 s.
func TestSlowSendersDoNotStopAnHonestOne(t *testing.T) {
	w := newWorld(t, nil)
	w.running(t)
	var dialer net.Dialer
	for range 300 {
		conn, err := dialer.DialContext(t.Context(), "tcp", w.Addr())
		require.NoError(t, err)
		defer func() { _ = conn.Close() }()
		_, err = io.WriteString(conn, "POST /webhooks/phaseo HTTP/1.1\r\nX:")
		require.NoError(t, err)
	}
	started := time.Now()
	answer := overWire(t, w.Addr(), phaseo(t, completed()))
	require.Equal(t, http.StatusOK, answer.status)
	require.Less(t, time.Since(started), time.Second)
}

// blocked is a Notifier that holds every delivery until it is released.
type blocked struct {
	runs
	entered, release chan struct{}
}

func (b *blocked) Signal(ctx context.Context, n bridge.Notice) error {
	b.entered <- struct{}{}
	<-b.release
	return b.runs.Signal(ctx, n)
}

func TestOverloadAndShutdown(t *testing.T) {
	const capacity = 128
	b := &blocked{entered: make(chan struct{}, capacity), release: make(chan struct{})}
	w := newWorld(t, func(o *bridge.Options) {
		o.Connect = func(context.Context) (bridge.Notifier, error) { return b, nil }
	})
	stop := w.running(t)
	var group sync.WaitGroup
	statuses := make(chan int, capacity)
	for range capacity {
		group.Go(func() {
			answer := overWire(t, w.Addr(), phaseo(t, completed()))
			statuses <- answer.status
		})
	}
	for range capacity {
		<-b.entered
	}
	answer := overWire(t, w.Addr(), phaseo(t, completed()))
	require.Equal(t, http.StatusServiceUnavailable, answer.status)
	require.True(t, answer.closed)

	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	require.Eventually(t, func() bool { return w.Ready(t.Context()) != nil }, 5*time.Second, time.Millisecond)
	status, _ := get(t, w.AdminAddr(), "/readyz")
	require.Equal(t, http.StatusServiceUnavailable, status, "the admin port outlives the public one")
	close(b.release)
	group.Wait()
	require.NoError(t, <-stopped)
	for range capacity {
		require.Equal(t, http.StatusOK, <-statuses, "what was in hand is finished")
	}
	require.Len(t, b.signals(), capacity)
}

func TestReadinessFollowsTheCredential(t *testing.T) {
	w := connectedWorld(t, nil)
	w.runs.signalErr = bridge.ErrDenied
	w.send(phaseo(t, completed()))
	require.ErrorIs(t, w.Ready(t.Context()), bridge.ErrDenied)
	w.now = w.now.Add(30 * time.Second)
	require.NoError(t, w.Ready(t.Context()), "deliveries may try again")
	w.send(phaseo(t, completed()))
	require.ErrorIs(t, w.Ready(t.Context()), bridge.ErrDenied)
	w.runs.signalErr = nil
	w.send(phaseo(t, completed()))
	require.NoError(t, w.Ready(t.Context()))
}

func TestRunEndsWhenItCannotWork(t *testing.T) {
	w := newWorld(t, func(o *bridge.Options) {
		o.Connect = func(context.Context) (bridge.Notifier, error) { return nil, errors.New("wrong settings") }
	})
	require.ErrorContains(t, w.Run(t.Context()), "connect: wrong settings")

	taken := newWorld(t, nil)
	taken.running(t)
	public := newWorld(t, func(o *bridge.Options) { o.Addr = taken.Addr() })
	require.ErrorContains(t, public.Run(t.Context()), "webhook server: listen")
	admin := newWorld(t, func(o *bridge.Options) { o.AdminAddr = taken.AdminAddr() })
	require.ErrorContains(t, admin.Run(t.Context()), "admin server: listen")
}

func TestStopWhileConnecting(t *testing.T) {
	w := newWorld(t, func(o *bridge.Options) {
		o.AdminAddr = ""
		o.Connect = func(ctx context.Context) (bridge.Notifier, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
	})
	require.Empty(t, w.AdminAddr())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	require.NoError(t, w.Listen(ctx))
	go func() { done <- w.Run(ctx) }()
	status, _ := get(t, w.Addr(), "/webhooks/phaseo")
	require.Equal(t, http.StatusMethodNotAllowed, status, "the port is open before Temporal is connected")
	cancel()
	require.NoError(t, <-done)
}

func TestOptionsThatCannotWork(t *testing.T) {
	_, err := bridge.New(newOptions(func(o *bridge.Options) { o.Connect = nil }))
	require.ErrorContains(t, err, "connect")
	_, err = bridge.New(newOptions(func(o *bridge.Options) { o.MaxBody = 2 << 20 }))
	require.ErrorContains(t, err, "MaxBody")
	b, err := bridge.New(newOptions(func(o *bridge.Options) { o.MaxBody, o.Logger = 1<<20, nil }))
	require.NoError(t, err)
	require.NotNil(t, b)
}
