package gateway_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/gateway"
)

// quiet serves without recording bodies.
func quiet(t *testing.T, handler http.Handler) string {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s.URL
}

func TestUpload(t *testing.T) {
	for name, size := range map[string]int64{"known size": 12, "unknown size": -1} {
		t.Run(name, func(t *testing.T) {
			var purpose, filename, content, kind string
			var length int64
			var header http.Header
			c := client(t, quiet(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				length, header = r.ContentLength, r.Header
				file, part, err := r.FormFile("file")
				if err != nil {
					saysJSON(400, upstream)(w, r)
					return
				}
				body, _ := io.ReadAll(file)
				purpose, filename, content, kind = r.FormValue("purpose"), part.Filename, string(body), part.Header.Get("Content-Type")
				saysJSON(200, `{"id":"file-1","object":"file","bytes":12,"created_at":1787565000,
					"filename":"in.jsonl","purpose":"batch","status":"processed"}`)(w, r)
			})))
			f, err := c.Upload(t.Context(), gateway.UploadRequest{
				Filename: "a \"b\".jsonl", Body: strings.NewReader("{\"a\":1}\n{}\n\n"), Size: size, Provider: "openai", Model: "gpt-5-mini",
			})
			require.NoError(t, err)
			require.Equal(t, gateway.File{
				ID: "file-1", Bytes: 12, Filename: "in.jsonl", Purpose: "batch", Status: "processed", CreatedAt: time.Unix(1787565000, 0).UTC(),
			}, f)
			require.Equal(t, []string{"batch", "a \"b\".jsonl", "{\"a\":1}\n{}\n\n", "application/jsonl"}, []string{purpose, filename, content, kind})
			require.Equal(t, []string{"openai", "gpt-5-mini"}, []string{header.Get("X-Phaseo-Provider"), header.Get("X-Phaseo-Model")})
			require.Equal(t, size >= 0, length > 0, "content length %d", length)
		})
	}
}

func TestUploadToAnotherAPIHasNoHints(t *testing.T) {
	s := serve(t, saysJSON(200, `{"id":"file-1"}`))
	_, err := client(t, s.URL, dialect(gateway.OpenAI)).Upload(t.Context(), gateway.UploadRequest{
		Filename: "a.jsonl", Body: strings.NewReader("{}\n"), Size: 3, Provider: "openai", Model: "m",
	})
	require.NoError(t, err)
	require.Empty(t, s.requests()[0].Header.Values("X-Phaseo-Provider"))
}

func TestUploadIsStreamedAndSentOnce(t *testing.T) {
	var received int64
	c := client(t, quiet(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		received, _ = io.Copy(io.Discard, r.Body)
		saysJSON(200, `{"id":"file-1"}`)(w, r)
	})))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	row := strings.Repeat("x", 32<<10)
	_, err := c.Upload(t.Context(), gateway.UploadRequest{Filename: "a.jsonl", Body: &manyRows{row: row, left: 2_000}, Size: -1})
	require.NoError(t, err)
	runtime.ReadMemStats(&after)
	require.Greater(t, received, int64(2_000*len(row)))
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(8<<20), "64 MiB of input were held in memory")

	addr, connections := rawServer(t, readRequest)
	_, err = client(t, "http://"+addr).Upload(t.Context(), gateway.UploadRequest{Filename: "a.jsonl", Body: strings.NewReader("{}"), Size: 2})
	require.Equal(t, gateway.TryLater, failure(t, err).Class)
	require.Equal(t, 1, connections())
}

func TestUploadFailures(t *testing.T) {
	c := client(t, serve(t, saysJSON(200, `{}`)).URL)
	for name, tc := range map[string]struct {
		req  gateway.UploadRequest
		want gateway.Class
		text string
	}{
		"no body":           {gateway.UploadRequest{Filename: "a"}, gateway.Refused, "body"},
		"no name":           {gateway.UploadRequest{Body: strings.NewReader("")}, gateway.Refused, "name"},
		"answer has no id":  {gateway.UploadRequest{Filename: "a", Body: strings.NewReader("{}"), Size: 2}, gateway.TryLater, "no id"},
		"shorter than said": {gateway.UploadRequest{Filename: "a", Body: strings.NewReader("{}"), Size: 3}, gateway.TryLater, "ContentLength"},
		"source breaks":     {gateway.UploadRequest{Filename: "a", Body: lostStore{}, Size: 100}, gateway.TryLater, "the store is gone"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.Upload(t.Context(), tc.req)
			require.Equal(t, tc.want, failure(t, err).Class)
			require.ErrorContains(t, err, tc.text)
		})
	}
}

// A server that answers early must not leave a goroutine reading the caller's body.
func TestTheBodyIsNotReadAfterTheCall(t *testing.T) {
	addr, _ := rawServer(t, func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 1024))
		_, _ = io.WriteString(conn, "HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\n{}")
		_, _ = io.Copy(io.Discard, conn)
	})
	rows := &manyRows{row: strings.Repeat("x", 1<<20), left: 1 << 20}
	_, err := client(t, "http://"+addr).Upload(t.Context(), gateway.UploadRequest{Filename: "a", Body: rows, Size: -1})
	require.Equal(t, gateway.Refused, failure(t, err).Class)
	rows.left = 0 // a race if anybody still reads
}

func TestAPeerThatTakesNothing(t *testing.T) {
	stop := make(chan struct{})
	addr, _ := rawServer(t, func(net.Conn) { <-stop })
	t.Cleanup(func() { close(stop) })
	c := client(t, "http://"+addr, func(c *gateway.Config) { c.IdleTimeout = 100 * time.Millisecond })
	_, err := c.Upload(t.Context(), gateway.UploadRequest{Filename: "a", Body: &manyRows{row: strings.Repeat("x", 1<<20), left: 1 << 20}, Size: -1})
	require.Equal(t, gateway.TryLater, failure(t, err).Class)
	require.ErrorContains(t, err, "timeout")
}

func TestContent(t *testing.T) {
	text := strings.Repeat("{\"custom_id\":\"a\"}\n", 1000)
	t.Run("whole", func(t *testing.T) {
		s := serve(t, says(200, "application/octet-stream", text))
		content, err := client(t, s.URL).Content(t.Context(), "file-1")
		require.NoError(t, err)
		body, err := io.ReadAll(content.Body)
		require.NoError(t, err)
		require.NoError(t, content.Body.Close())
		require.Equal(t, text, string(body))
		require.Empty(t, s.requests()[0].Header.Get("Accept-Encoding"))
	})
	for name, answer := range map[string]string{
		"shorter than announced": "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"custom_id\"",
		"cut between chunks":     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{\"c\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			addr, _ := rawServer(t, func(conn net.Conn) { readRequest(conn); _, _ = io.WriteString(conn, answer) })
			content, err := client(t, "http://"+addr).Content(t.Context(), "file-1")
			require.NoError(t, err)
			_, err = io.ReadAll(content.Body)
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
			require.NoError(t, content.Body.Close())
		})
	}
	t.Run("compressed", func(t *testing.T) {
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = io.WriteString(w, "bomb")
		})
		_, err := client(t, s.URL).Content(t.Context(), "file-1")
		require.Equal(t, gateway.TryLater, failure(t, err).Class)
	})
	t.Run("length", func(t *testing.T) {
		addr, _ := rawServer(t, func(conn net.Conn) {
			readRequest(conn)
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc")
		})
		content, err := client(t, "http://"+addr).Content(t.Context(), "file-1")
		require.NoError(t, err)
		require.EqualValues(t, 3, content.Length)
		require.NoError(t, content.Body.Close())
	})
}

func TestFile(t *testing.T) {
	f, err := client(t, serve(t, saysJSON(200, `{"id":"file-1","bytes":null,"created_at":"2026-08-24T09:49:58Z"}`)).URL).File(t.Context(), "file-1")
	require.NoError(t, err)
	require.Equal(t, gateway.File{ID: "file-1", CreatedAt: time.Date(2026, 8, 24, 9, 49, 58, 0, time.UTC)}, f)

	_, err = client(t, serve(t, saysJSON(200, `{"id":7}`)).URL).File(t.Context(), "file-1")
	require.Equal(t, gateway.TryLater, failure(t, err).Class)
	_, err = client(t, serve(t, saysJSON(200, `[]`)).URL).File(t.Context(), "file-1")
	require.Equal(t, "unusable_answer", failure(t, err).Code)
}

var errStore = errors.New("the store is gone: row source")

// lostStore fails every read.
type lostStore struct{}

func (lostStore) Read([]byte) (int, error) { return 0, errStore }
