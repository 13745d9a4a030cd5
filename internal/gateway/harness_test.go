package gateway_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"batchkeeper/internal/gateway"
	"batchkeeper/internal/secret"
)

const testKey = "phaseo_v1_sk_testkid_secret0"

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// seen is one request as a server saw it.
type seen struct {
	Method, URI string
	Header      http.Header
	Body        string
}

// server records requests and answers them with a handler.
type server struct {
	*httptest.Server

	mu   sync.Mutex
	seen []seen
}

func serve(t *testing.T, answer http.HandlerFunc) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.seen = append(s.seen, seen{r.Method, r.RequestURI, r.Header.Clone(), string(body)})
		s.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *server) requests() []seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen
}

func says(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func saysJSON(status int, body string) http.HandlerFunc {
	return says(status, "application/json", body)
}

func staticKey() (secret.Value, error) { return secret.New(testKey), nil }

// client returns a client for base with short timeouts, changed by edit.
func client(t *testing.T, base string, edit ...func(*gateway.Config)) *gateway.Client {
	t.Helper()
	config := gateway.Config{
		BaseURL: base, Key: staticKey,
		ConnectTimeout: 2 * time.Second, HeaderTimeout: 5 * time.Second, IdleTimeout: 5 * time.Second,
	}
	for _, e := range edit {
		e(&config)
	}
	c, err := gateway.New(config)
	require.NoError(t, err)
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func dialect(d gateway.Dialect) func(*gateway.Config) {
	return func(c *gateway.Config) { c.Dialect = d }
}

func failure(t *testing.T, err error) *gateway.Error {
	t.Helper()
	e, ok := gateway.AsError(err)
	require.True(t, ok, "%v is no *gateway.Error", err)
	return e
}

// rawServer hands each accepted connection to handle and counts them.
func rawServer(t *testing.T, handle func(net.Conn)) (addr string, connections func() int) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var wg sync.WaitGroup
	var mu sync.Mutex
	count := 0
	wg.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			count++
			mu.Unlock()
			wg.Go(func() {
				defer func() { _ = conn.Close() }()
				handle(conn)
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		wg.Wait()
	})
	return listener.Addr().String(), func() int {
		mu.Lock()
		defer mu.Unlock()
		return count
	}
}
