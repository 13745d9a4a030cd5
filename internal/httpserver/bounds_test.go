package httpserver_test

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/httpserver"
)

func TestStopFinishesWhatIsInHand(t *testing.T) {
	handler, entered, release := held()
	s := start(t, httpserver.Options{Handler: handler, DrainDelay: time.Millisecond})
	answered := getLater(t, s.Addr())
	<-entered
	stopped := make(chan error, 1)
	go func() { stopped <- s.stop() }()
	require.Eventually(t, s.Draining, 5*time.Second, time.Millisecond)
	require.Empty(t, stopped)
	close(release)
	require.Equal(t, answeredOK, <-answered)
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
