package gateway_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/gateway"
)

// slowDial blocks each dial until the deadline has passed.
func slowDial(until time.Time) func(*gateway.Config) {
	return func(c *gateway.Config) {
		c.Transport = &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			timer := time.NewTimer(time.Until(until) + 10*time.Millisecond)
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
			return new(net.Dialer).DialContext(ctx, network, addr)
		}}
	}
}

func TestDeadline(t *testing.T) {
	t.Run("passed before", func(t *testing.T) {
		s := serve(t, saysJSON(200, `{"id":"batch_1"}`))
		e := create(t, client(t, s.URL), time.Now().Add(-time.Millisecond))
		require.Equal(t, gateway.NothingSubmitted, e.Class)
		require.Empty(t, s.requests())
	})
	t.Run("passed between dial and write", func(t *testing.T) {
		received := make(chan int64, 1)
		addr, connections := rawServer(t, func(conn net.Conn) {
			n, _ := io.Copy(io.Discard, conn)
			received <- n
		})
		deadline := time.Now().Add(100 * time.Millisecond)
		e := create(t, client(t, "http://"+addr, slowDial(deadline)), deadline)
		require.Equal(t, gateway.NothingSubmitted, e.Class)
		require.ErrorContains(t, e, "nothing was sent")
		require.Zero(t, <-received, "bytes left after the deadline")
		require.Equal(t, 1, connections())
	})
	t.Run("passed between dial and write, over TLS", func(t *testing.T) {
		s := httptest.NewUnstartedServer(saysJSON(200, `{"id":"batch_1"}`))
		s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
		s.StartTLS()
		defer s.Close()
		deadline := time.Now().Add(100 * time.Millisecond)
		c := client(t, s.URL, slowDial(deadline), func(c *gateway.Config) {
			c.Transport.(*http.Transport).TLSClientConfig = s.Client().Transport.(*http.Transport).TLSClientConfig //nolint:forcetypeassert // set by slowDial
		})
		e := create(t, c, deadline)
		require.Equal(t, gateway.NothingSubmitted, e.Class)
		require.ErrorContains(t, e, "nothing was sent")
		require.Equal(t, "batch_1", mustCreate(t, c, time.Time{}).ID)
	})
	t.Run("passes after the first byte", func(t *testing.T) {
		deadline := time.Now().Add(50 * time.Millisecond)
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			<-time.After(time.Until(deadline) + 10*time.Millisecond)
			saysJSON(200, `{"id":"batch_1"}`)(w, r)
		})
		require.Equal(t, "batch_1", mustCreate(t, client(t, s.URL), deadline).ID)
	})
}

func mustCreate(t *testing.T, c *gateway.Client, notAfter time.Time) gateway.Batch {
	t.Helper()
	b, err := c.Create(t.Context(), gateway.CreateRequest{InputFileID: "file-1", NotAfter: notAfter})
	require.NoError(t, err)
	return b
}
