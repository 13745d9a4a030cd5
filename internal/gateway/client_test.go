package gateway_test

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/gateway"
	"batchkeeper/internal/secret"
)

func TestNewRefuses(t *testing.T) {
	good := gateway.Config{BaseURL: "https://api.example.com/v1", Key: staticKey}
	for name, edit := range map[string]func(*gateway.Config){
		"no base":       func(c *gateway.Config) { c.BaseURL = "" },
		"no scheme":     func(c *gateway.Config) { c.BaseURL = "api.example.com/v1" },
		"other scheme":  func(c *gateway.Config) { c.BaseURL = "ftp://api.example.com" },
		"no host":       func(c *gateway.Config) { c.BaseURL = "https:///v1" },
		"credentials":   func(c *gateway.Config) { c.BaseURL = "https://me:" + testKey + "@api.example.com" },
		"query":         func(c *gateway.Config) { c.BaseURL = "https://api.example.com/v1?x=1" },
		"empty query":   func(c *gateway.Config) { c.BaseURL = "https://api.example.com/v1?" },
		"fragment":      func(c *gateway.Config) { c.BaseURL = "https://api.example.com/v1#" },
		"not a URL":     func(c *gateway.Config) { c.BaseURL = "https://%zz" + testKey },
		"no key source": func(c *gateway.Config) { c.Key = nil },
		"dialect":       func(c *gateway.Config) { c.Dialect = "latin" },
	} {
		t.Run(name, func(t *testing.T) {
			config := good
			edit(&config)
			_, err := gateway.New(config)
			require.Error(t, err)
			require.NotContains(t, err.Error(), testKey)
		})
	}
	_, err := gateway.New(good)
	require.NoError(t, err)
}

func TestNothingComesFromTheEnvironment(t *testing.T) {
	for name, value := range map[string]string{
		"OPENAI_BASE_URL": "http://127.0.0.1:1/v1", "OPENAI_API_KEY": "sk-ambient", "OPENAI_ADMIN_KEY": "sk-ambient",
		"OPENAI_ORG_ID": "org-ambient", "OPENAI_PROJECT_ID": "proj-ambient", "OPENAI_WEBHOOK_SECRET": "whsec_ambient",
		"OPENAI_CUSTOM_HEADERS": "X-Ambient: ambient",
	} {
		t.Setenv(name, value)
	}
	s := serve(t, saysJSON(200, `{"id":"batch_1"}`))
	c := client(t, s.URL+"/v1")
	_, err := c.Batch(t.Context(), "batch_1")
	require.NoError(t, err)
	mustCreate(t, c, time.Time{})

	for _, r := range s.requests() {
		require.True(t, strings.HasPrefix(r.URI, "/v1/batches"))
		require.Equal(t, "Bearer "+testKey, r.Header.Get("Authorization"))
		require.Equal(t, "batchkeeper", r.Header.Get("User-Agent"))
		for name, values := range r.Header {
			require.NotContains(t, strings.Join(values, " ")+name, "ambient")
		}
	}
}

func TestPathsAndMethods(t *testing.T) {
	s := serve(t, saysJSON(200, `{"id":"x","data":[]}`))
	c := client(t, s.URL+"/v1/")
	for _, call := range everythingButCreate(c) {
		require.NoError(t, call(t))
	}
	mustCreate(t, c, time.Time{})
	_, err := c.Batch(t.Context(), "batch é%2F:1")
	require.NoError(t, err)

	var got []string
	for _, r := range s.requests() {
		got = append(got, r.Method+" "+r.URI)
	}
	require.Equal(t, []string{
		"GET /v1/batches/batch_1",
		"POST /v1/batches/batch_1/cancel",
		"GET /v1/batches?limit=100",
		"GET /v1/files/file-1",
		"GET /v1/files/file-1/content",
		"POST /v1/files",
		"POST /v1/batches",
		"GET /v1/batches/batch%20%C3%A9%252F:1",
	}, got)
}

func TestIDsThatAreNoPathSegment(t *testing.T) {
	s := serve(t, saysJSON(200, `{"id":"x"}`))
	c := client(t, s.URL)
	for _, id := range []string{
		"", ".", "..", "a/b", "../files", "a?inline=true", "a#b", `a\b`, "a\nb", "a\x00", "a\u0085b", strings.Repeat("a", 257),
	} {
		for _, call := range []func() error{
			func() error { _, err := c.Batch(t.Context(), id); return err },
			func() error { _, err := c.Cancel(t.Context(), id); return err },
			func() error { _, err := c.File(t.Context(), id); return err },
			func() error { _, err := c.Content(t.Context(), id); return err },
		} {
			require.Equal(t, gateway.Refused, failure(t, call()).Class, "%q", id)
		}
	}
	require.Empty(t, s.requests())
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	other := serve(t, saysJSON(200, `{"id":"x"}`))
	for _, status := range []int{301, 302, 303, 307, 308} {
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", other.URL+"/")
			w.WriteHeader(status)
		})
		c := client(t, s.URL)
		for _, call := range everythingButCreate(c) {
			err := call(t)
			require.Equal(t, gateway.TryLater, failure(t, err).Class)
			require.ErrorContains(t, err, "redirect")
		}
		require.Equal(t, gateway.Unknown, create(t, c, time.Time{}).Class)
	}
	require.Empty(t, other.requests(), "the key went to an address that a response chose")
}

func TestKeyIsAskedEachTime(t *testing.T) {
	var asked atomic.Int32
	s := serve(t, saysJSON(200, `{"id":"batch_1"}`))
	c := client(t, s.URL, func(c *gateway.Config) {
		c.Key = func() (secret.Value, error) {
			if asked.Add(1) == 1 {
				return secret.New("key-before-rotation"), nil
			}
			return secret.New("key-after-rotation"), nil
		}
	})
	for range 2 {
		_, err := c.Batch(t.Context(), "batch_1")
		require.NoError(t, err)
	}
	require.Equal(t, "Bearer key-before-rotation", s.requests()[0].Header.Get("Authorization"))
	require.Equal(t, "Bearer key-after-rotation", s.requests()[1].Header.Get("Authorization"))
}

func TestNoKeyNoRequest(t *testing.T) {
	for name, source := range map[string]func() (secret.Value, error){
		"none":   func() (secret.Value, error) { return secret.Value{}, nil },
		"broken": func() (secret.Value, error) { return secret.Value{}, errors.New("open /run/secrets/key: gone") },
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, saysJSON(200, `{"id":"batch_1"}`))
			c := client(t, s.URL, func(c *gateway.Config) { c.Key = source })
			require.Equal(t, gateway.NothingSubmitted, create(t, c, time.Time{}).Class)
			_, err := c.Batch(t.Context(), "batch_1")
			require.Equal(t, gateway.TryLater, failure(t, err).Class)
			require.ErrorContains(t, err, "key")
			require.Empty(t, s.requests())
		})
	}
}

// A server may echo what it was sent, in any place.
func TestTheKeyIsNeverHandedOn(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"in a flat error":   saysJSON(401, flat(badKey, "bad key "+testKey, 401)),
		"in a nested error": saysJSON(400, boxed("validation_error", "r", `,"batch_id":"`+testKey+`"`)),
		"escaped":           saysJSON(400, `{"error":"x","reason":"\u0070haseo_v1_sk_testkid_secret0"}`),
		"in text":           says(500, "text/plain", "Authorization: Bearer "+testKey),
		"in a header": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Request-Id", testKey)
			w.WriteHeader(500)
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := client(t, serve(t, answer).URL).Batch(t.Context(), "batch_1")
			e := failure(t, err)
			require.NotContains(t, err.Error(), testKey)
			for _, field := range []string{e.Code, e.Reason, e.Message, e.RequestID, e.BatchID} {
				require.NotContains(t, field, testKey)
			}
		})
	}
	t.Run("in a batch", func(t *testing.T) {
		c := client(t, serve(t, saysJSON(200, `{"id":"batch_1","billing":{"echo":"`+testKey+`"},"metadata":{"k":"`+testKey+`"}}`)).URL)
		b, err := c.Batch(t.Context(), "batch_1")
		require.NoError(t, err)
		require.JSONEq(t, `{"echo":"[redacted]"}`, string(b.Billing))
		require.Equal(t, "[redacted]", b.Metadata["k"])
	})
}

func TestErrorTextIsOneShortLine(t *testing.T) {
	noise := strings.Repeat("\x1b[31mé\r\n\u2028\u202e", 1000)
	_, err := client(t, serve(t, says(502, "text/html", noise)).URL).Batch(t.Context(), "batch_1")
	require.LessOrEqual(t, len(err.Error()), 512)
	require.NotContains(t, err.Error(), "\n")
	require.NotContains(t, err.Error(), "\x1b")
	require.NotContains(t, err.Error(), "\u202e")
	require.Contains(t, err.Error(), "gateway: read batch: HTTP 502")
}

func TestClientMayBeShared(t *testing.T) {
	s := serve(t, saysJSON(200, `{"id":"batch_1","data":[]}`))
	c := client(t, s.URL)
	results := make(chan error)
	for range 4 {
		go func() {
			_, err := c.Create(t.Context(), gateway.CreateRequest{InputFileID: "file-1"})
			_, listErr := c.List(t.Context(), gateway.ListRequest{})
			results <- errors.Join(err, listErr)
		}()
	}
	for range 4 {
		require.NoError(t, <-results)
	}
}
