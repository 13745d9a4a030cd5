package httpserver_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
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

// reply is an answer whose body has been read.
type reply struct {
	status int
	header http.Header
	closed bool // the server ends the connection
	body   string
}

func get(t *testing.T, address, path string) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+path, http.NoBody)
	require.NoError(t, err)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return reply{resp.StatusCode, resp.Header, resp.Close, string(body)}
}

// getLater sends a request and returns where its status will be.
func getLater(t *testing.T, address string) <-chan string {
	t.Helper()
	conn := dial(t, address)
	_, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	require.NoError(t, err)
	status := make(chan string, 1)
	go func() {
		line, err := bufio.NewReader(conn).ReadString('\n')
		status <- fmt.Sprint(line, err)
	}()
	return status
}

const answeredOK = "HTTP/1.1 200 OK\r\n<nil>"

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
	resp := get(t, s.Addr(), "/")
	require.Equal(t, http.StatusOK, resp.status)
	require.Equal(t, "nosniff", resp.header.Get("X-Content-Type-Options"))
	require.Empty(t, resp.header.Get("Server"))
	require.Equal(t, "hello\n", resp.body)
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
	resp := get(t, s.Addr(), "/")
	require.Equal(t, http.StatusInternalServerError, resp.status)
	require.Equal(t, "internal error\n", resp.body)
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
	first := getLater(t, s.Addr())
	<-entered
	resp := get(t, s.Addr(), "/")
	require.Equal(t, http.StatusServiceUnavailable, resp.status)
	require.Equal(t, "30", resp.header.Get("Retry-After"))
	require.True(t, resp.closed)
	require.Equal(t, "unavailable\n", resp.body)
	close(release)
	require.Equal(t, answeredOK, <-first)
}

func TestHandlerHasADeadline(t *testing.T) {
	s := start(t, httpserver.Options{HandlerTimeout: 20 * time.Millisecond, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		httpserver.Answer(w, http.StatusServiceUnavailable, r.Context().Err().Error())
	})})
	resp := get(t, s.Addr(), "/")
	require.Equal(t, context.DeadlineExceeded.Error(), resp.body)
}

func TestAdminRoutes(t *testing.T) {
	var notReady error
	metrics := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { httpserver.Answer(w, http.StatusOK, "metrics\n") })
	s := start(t, httpserver.Options{Handler: httpserver.Admin(func(context.Context) error { return notReady }, metrics)})
	check := func(path string, status int, body string) {
		resp := get(t, s.Addr(), path)
		require.Equal(t, status, resp.status, path)
		require.Equal(t, body, resp.body)
	}
	check("/healthz", http.StatusOK, "ok\n")
	check("/readyz", http.StatusOK, "ready\n")
	check("/metrics", http.StatusOK, "metrics\n")
	notReady = errors.New("no server")
	check("/readyz", http.StatusServiceUnavailable, "not ready: no server\n")
}
