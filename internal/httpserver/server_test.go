package httpserver_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"batchkeeper/internal/httpserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type running struct {
	*httpserver.Server
	stop func() error
}

func start(t *testing.T, o httpserver.Options) running {
	t.Helper()
	o.Name, o.Addr = "test", "127.0.0.1:0"
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s, err := httpserver.New(o)
	require.NoError(t, err)
	require.NoError(t, s.Listen(t.Context()))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stop := sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() { _ = stop() })
	return running{s, stop}
}

func get(t *testing.T, address, path string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+path, http.NoBody)
	require.NoError(t, err)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp, string(body)
}

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

var hello = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { httpserver.Answer(w, http.StatusOK, "hello\n") })

// held is a handler that reports each request and holds it until released.
func held() (handler http.Handler, entered chan struct{}, release chan struct{}) {
	entered, release = make(chan struct{}, 16), make(chan struct{})
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		entered <- struct{}{}
		<-release
		httpserver.Answer(w, http.StatusOK, "done\n")
	}), entered, release
}

func TestOptionsThatCannotWork(t *testing.T) {
	_, err := httpserver.New(httpserver.Options{Name: "x"})
	require.ErrorContains(t, err, "no handler")
	_, err = httpserver.New(httpserver.Options{Name: "x", Handler: hello, WriteTimeout: time.Second})
	require.ErrorContains(t, err, "must exceed")
}

func TestAPortInUseIsAnError(t *testing.T) {
	s := start(t, httpserver.Options{Handler: hello})
	other, err := httpserver.New(httpserver.Options{Name: "second", Addr: s.Addr(), Handler: hello})
	require.NoError(t, err)
	require.Empty(t, other.Addr())
	require.ErrorContains(t, other.Run(t.Context()), "second server: listen tcp")
	require.NoError(t, other.Close())
}

func TestCloseGivesThePortBack(t *testing.T) {
	s, err := httpserver.New(httpserver.Options{Addr: "127.0.0.1:0", Handler: hello})
	require.NoError(t, err)
	require.NoError(t, s.Listen(t.Context()))
	require.NoError(t, s.Close())
	again, err := httpserver.New(httpserver.Options{Addr: s.Addr(), Handler: hello})
	require.NoError(t, err)
	require.NoError(t, again.Listen(t.Context()))
	require.NoError(t, again.Close())
	require.Error(t, s.Run(t.Context()), "a closed server does not serve")
}

func TestAnswersAndStops(t *testing.T) {
	s := start(t, httpserver.Options{Handler: hello})
	resp, body := get(t, s.Addr(), "/")
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Equal(t, "nosniff", resp.Header.Get("X-Content-Type-Options"))
	require.Empty(t, resp.Header.Get("Server"))
	require.Equal(t, "hello\n", body)
	require.False(t, s.Draining())
	require.NoError(t, s.stop())
	require.True(t, s.Draining())
}

func TestPanicShowsNothingToTheSender(t *testing.T) {
	var log bytes.Buffer
	s := start(t, httpserver.Options{
		Logger:  slog.New(slog.NewTextHandler(&log, nil)),
		Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("canary") }),
	})
	resp, body := get(t, s.Addr(), "/")
	require.Equal(t, http.StatusInternalServerError, resp.StatusCode)
	require.Equal(t, "internal error\n", body)
	require.NoError(t, s.stop())
	require.Contains(t, log.String(), "canary")
	require.Contains(t, log.String(), "server_test.go")
}

func TestAbortedHandlerCutsTheConnection(t *testing.T) {
	s := start(t, httpserver.Options{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })})
	conn := dial(t, s.Addr())
	_, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	require.NoError(t, err)
	answer, err := io.ReadAll(conn)
	require.NoError(t, err)
	require.Empty(t, answer)
}

func TestMoreInFlightThanAllowedIsUnavailable(t *testing.T) {
	handler, entered, release := held()
	s := start(t, httpserver.Options{Handler: handler, MaxInFlight: 1})
	first := make(chan int, 1)
	go func() {
		resp, _ := get(t, s.Addr(), "/")
		first <- resp.StatusCode
	}()
	<-entered
	resp, body := get(t, s.Addr(), "/")
	require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
	require.Equal(t, "30", resp.Header.Get("Retry-After"))
	require.True(t, resp.Close)
	require.Equal(t, "unavailable\n", body)
	close(release)
	require.Equal(t, http.StatusOK, <-first)
}

func TestHandlerHasADeadline(t *testing.T) {
	s := start(t, httpserver.Options{HandlerTimeout: 20 * time.Millisecond, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		httpserver.Answer(w, http.StatusServiceUnavailable, r.Context().Err().Error())
	})})
	_, body := get(t, s.Addr(), "/")
	require.Equal(t, context.DeadlineExceeded.Error(), body)
}

func TestStopFinishesWhatIsInHand(t *testing.T) {
	handler, entered, release := held()
	s := start(t, httpserver.Options{Handler: handler, DrainDelay: time.Millisecond})
	answered := make(chan int, 1)
	go func() {
		resp, _ := get(t, s.Addr(), "/")
		answered <- resp.StatusCode
	}()
	<-entered
	stopped := make(chan error, 1)
	go func() { stopped <- s.stop() }()
	require.Eventually(t, s.Draining, 5*time.Second, time.Millisecond)
	require.Empty(t, stopped)
	close(release)
	require.Equal(t, http.StatusOK, <-answered)
	require.NoError(t, <-stopped)
}

func TestWhileDrainingConnectionsEnd(t *testing.T) {
	s := start(t, httpserver.Options{Handler: hello, DrainDelay: time.Hour})
	conn := dial(t, s.Addr())
	stopped := make(chan error, 1)
	go func() { stopped <- s.stop() }()
	require.Eventually(t, s.Draining, 5*time.Second, time.Millisecond)
	_, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	require.NoError(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.True(t, resp.Close)
	require.NoError(t, s.Close())
	require.ErrorIs(t, <-stopped, http.ErrServerClosed)
}

func TestStopCutsWhatTakesTooLong(t *testing.T) {
	handler, entered, release := held()
	s := start(t, httpserver.Options{Handler: handler, StopTimeout: time.Millisecond})
	conn := dial(t, s.Addr())
	_, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	require.NoError(t, err)
	<-entered
	require.ErrorContains(t, s.stop(), "requests still in hand")
	close(release)
}

func TestSlowSendersAreCutOff(t *testing.T) {
	echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		httpserver.Answer(w, http.StatusBadRequest, errors.Unwrap(err).Error())
	})
	s := start(t, httpserver.Options{Handler: echo, ReadHeaderTimeout: 50 * time.Millisecond, ReadTimeout: 100 * time.Millisecond})
	for name, part := range map[string]string{
		"headers": "POST / HTTP/1.1\r\nHost: a\r\n",
		"body":    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nab",
	} {
		conn := dial(t, s.Addr())
		_, err := io.WriteString(conn, part)
		require.NoError(t, err)
		_, err = io.ReadAll(conn)
		require.NoError(t, err, name)
	}
}

func TestHeadersAreBounded(t *testing.T) {
	s := start(t, httpserver.Options{Handler: hello})
	conn := dial(t, s.Addr())
	_, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\nX: "+strings.Repeat("x", 24<<10)+"\r\n\r\n")
	require.NoError(t, err)
	line, err := bufio.NewReader(conn).ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, line, "431")
}

func TestConnectionsAreBounded(t *testing.T) {
	s := start(t, httpserver.Options{Handler: hello, MaxConns: 1})
	first := dial(t, s.Addr())
	_, err := io.WriteString(first, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	require.NoError(t, err)
	_, err = bufio.NewReader(first).ReadString('\n')
	require.NoError(t, err)

	second := dial(t, s.Addr())
	_, err = io.WriteString(second, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	require.NoError(t, err)
	require.NoError(t, second.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
	_, err = second.Read(make([]byte, 1))
	require.Error(t, err, "the second connection waits for the first")
	require.NoError(t, first.Close())
	require.NoError(t, second.SetReadDeadline(time.Time{}))
	answer, err := io.ReadAll(second)
	require.NoError(t, err)
	require.Contains(t, string(answer), "hello")
}

func TestAdminRoutes(t *testing.T) {
	var notReady error
	metrics := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { httpserver.Answer(w, http.StatusOK, "metrics\n") })
	s := start(t, httpserver.Options{Handler: httpserver.Admin(func(context.Context) error { return notReady }, metrics)})
	check := func(path string, status int, body string) {
		resp, got := get(t, s.Addr(), path)
		require.Equal(t, status, resp.StatusCode, path)
		require.Equal(t, body, got)
	}
	check("/healthz", http.StatusOK, "ok\n")
	check("/readyz", http.StatusOK, "ready\n")
	check("/metrics", http.StatusOK, "metrics\n")
	notReady = errors.New("no server")
	check("/readyz", http.StatusServiceUnavailable, "not ready: no server\n")
}
