package gateway_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/gateway"
)

func TestAnswersAreBounded(t *testing.T) {
	endless := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			block := strings.Repeat(" ", 1<<20)
			for r.Context().Err() == nil {
				if _, err := io.WriteString(w, block); err != nil {
					return
				}
			}
		}
	}
	for _, status := range []int{200, 500} {
		_, err := client(t, serve(t, endless(status)).URL).Batch(t.Context(), "batch_1")
		require.Equal(t, gateway.TryLater, failure(t, err).Class)
	}
}

// silent sends the beginning of a body and then nothing more.
func silent(t *testing.T) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then does a server notice that its client is gone
		_, _ = io.WriteString(w, `{"id":`)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	t.Cleanup(s.Close)
	return s
}

func TestSilenceEndsABody(t *testing.T) {
	c := client(t, silent(t).URL, func(c *gateway.Config) { c.IdleTimeout = 50 * time.Millisecond })
	_, err := c.Batch(t.Context(), "batch_1")
	require.ErrorContains(t, err, "silent")
	require.Equal(t, gateway.TryLater, failure(t, err).Class)
	require.Equal(t, gateway.Unknown, create(t, c, time.Time{}).Class)

	content, err := c.Content(t.Context(), "file-1")
	require.NoError(t, err)
	_, err = io.ReadAll(content.Body)
	require.ErrorContains(t, err, "silent")
	require.NoError(t, content.Body.Close())
}
