package gateway_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/gateway"
)

func create(t *testing.T, c *gateway.Client, notAfter time.Time) *gateway.Error {
	t.Helper()
	_, err := c.Create(t.Context(), gateway.CreateRequest{InputFileID: "file-1", NotAfter: notAfter})
	return failure(t, err)
}

func TestRefusedDialSubmitsNothing(t *testing.T) {
	addr, _ := rawServer(t, func(net.Conn) {})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	closed := listener.Addr().String()
	require.NoError(t, listener.Close())
	require.NotEqual(t, addr, closed)

	c := client(t, "http://"+closed)
	require.Equal(t, gateway.NothingSubmitted, create(t, c, time.Time{}).Class)

	_, err = c.Batch(t.Context(), "batch_1")
	require.Equal(t, gateway.TryLater, failure(t, err).Class)
}

func TestFailedTLSSubmitsNothing(t *testing.T) {
	t.Run("certificate not trusted", func(t *testing.T) {
		s := httptest.NewUnstartedServer(saysJSON(200, `{"id":"batch_1"}`))
		s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
		s.StartTLS()
		defer s.Close()
		require.Equal(t, gateway.NothingSubmitted, create(t, client(t, s.URL), time.Time{}).Class)
	})
	t.Run("hung up during the handshake", func(t *testing.T) {
		addr, _ := rawServer(t, func(conn net.Conn) { _, _ = conn.Read(make([]byte, 16)) })
		require.Equal(t, gateway.NothingSubmitted, create(t, client(t, "https://"+addr), time.Time{}).Class)
	})
	t.Run("silent during the handshake", func(t *testing.T) {
		addr, _ := rawServer(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
		c := client(t, "https://"+addr, func(c *gateway.Config) { c.ConnectTimeout = 50 * time.Millisecond })
		require.Equal(t, gateway.NothingSubmitted, create(t, c, time.Time{}).Class)
	})
}

// readRequest reads one request off a raw connection.
func readRequest(conn net.Conn) {
	if r, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
		_, _ = io.Copy(io.Discard, r.Body)
	}
}

func TestSentRequestWithoutUsableAnswer(t *testing.T) {
	for name, handle := range map[string]func(net.Conn){
		"closed after a byte": func(c net.Conn) { _, _ = c.Read(make([]byte, 1)) },
		"read, then closed":   readRequest,
		"garbage":             func(c net.Conn) { readRequest(c); _, _ = io.WriteString(c, "\x00\x01garbage "+testKey+"\r\n\r\n") },
		"cut body": func(c net.Conn) {
			readRequest(c)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"id\":")
		},
		"cut error": func(c net.Conn) {
			readRequest(c)
			_, _ = io.WriteString(c, "HTTP/1.1 500 No\r\nContent-Length: 99\r\n\r\nInt")
		},
		"not JSON": func(c net.Conn) {
			readRequest(c)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		},
		"no id": func(c net.Conn) {
			readRequest(c)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
		},
		"empty": func(c net.Conn) { readRequest(c); _, _ = io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n") },
		"redirect": func(c net.Conn) {
			readRequest(c)
			_, _ = io.WriteString(c, "HTTP/1.1 307 Go\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")
		},
		"compressed without asked": func(c net.Conn) {
			readRequest(c)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}")
		},
	} {
		t.Run(name, func(t *testing.T) {
			addr, connections := rawServer(t, handle)
			e := create(t, client(t, "http://"+addr), time.Now().Add(time.Minute))
			require.Equal(t, gateway.Unknown, e.Class, "%v", e)
			require.Equal(t, 1, connections(), "the request was sent again")
			require.NotContains(t, e.Error(), testKey)
			require.NotContains(t, fmt.Sprintf("%v %+v", e.Unwrap(), errors.Unwrap(e.Unwrap())), testKey)
		})
	}
}

// A kept-alive connection that the server closes is net/http's reason to send a
// request again; a create call must not even use one.
func TestCreateNeverUsesAKeptConnection(t *testing.T) {
	var posts atomic.Int32
	addr, connections := rawServer(t, func(conn net.Conn) {
		reader := bufio.NewReader(conn)
		for {
			r, err := http.ReadRequest(reader)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, r.Body)
			if r.Method == http.MethodPost {
				posts.Add(1)
				return
			}
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{\"id\":\"batch_1\"}")
		}
	})
	c := client(t, "http://"+addr)
	for range 3 {
		_, err := c.Batch(t.Context(), "batch_1")
		require.NoError(t, err)
		require.Equal(t, gateway.Unknown, create(t, c, time.Time{}).Class)
	}
	require.EqualValues(t, 3, posts.Load())
	require.Equal(t, 4, connections(), "one for the reads, one for each create")
}

func TestCanceledContext(t *testing.T) {
	t.Run("before anything is sent", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := client(t, serve(t, saysJSON(200, `{}`)).URL).Create(ctx, gateway.CreateRequest{InputFileID: "file-1"})
		require.Equal(t, gateway.NothingSubmitted, failure(t, err).Class)
		require.ErrorIs(t, err, context.Canceled)
	})
	t.Run("while waiting for the answer", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := serve(t, func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() })
		_, err := client(t, s.URL).Create(ctx, gateway.CreateRequest{InputFileID: "file-1"})
		require.Equal(t, gateway.Unknown, failure(t, err).Class)
		require.ErrorIs(t, err, context.Canceled)
	})
}

func TestHeaderTimeout(t *testing.T) {
	addr, _ := rawServer(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
	c := client(t, "http://"+addr, func(c *gateway.Config) { c.HeaderTimeout = 30 * time.Millisecond })
	require.Equal(t, gateway.Unknown, create(t, c, time.Time{}).Class)
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestNothingIsProvenAboutAForeignTransport(t *testing.T) {
	c := client(t, "http://gateway.test", func(c *gateway.Config) {
		c.Transport = roundTrip(func(*http.Request) (*http.Response, error) { return nil, errors.New("dial refused, it says") })
	})
	require.Equal(t, gateway.Unknown, create(t, c, time.Time{}).Class)
}
