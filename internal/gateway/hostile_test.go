package gateway_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/gateway"
)

// foreign are the members with which an answer can name another place.
func foreign(elsewhere string) string {
	return fmt.Sprintf(`"polling_url":"%[1]s/v1/batches/b","cancel_url":"%[1]s/v1/batches/b/cancel","websocket_url":"%[1]s/ws","url":"%[1]s/u",
		"base_url":"%[1]s/","webhook":{"url":"%[1]s/hook"},"error_description":"see %[1]s/login","next":"%[1]s/next"`, elsewhere)
}

// pointsElsewhere names another place in every header that can.
func pointsElsewhere(h http.Header, elsewhere string) {
	for name, value := range map[string]string{
		"Location": elsewhere + "/l", "Content-Location": elsewhere + "/c", "Refresh": "0; url=" + elsewhere + "/r", "Link": "<" + elsewhere + "/n>; rel=next",
		"Alt-Svc": `h2="` + strings.TrimPrefix(elsewhere, "http://") + `"`, "Set-Cookie": "key=value", "WWW-Authenticate": `Bearer realm="` + elsewhere + `"`,
		"Retry-After": "0",
	} {
		h.Set(name, value)
	}
}

// everyKind are all bodies that an answer can have, each with foreign members.
func everyKind(elsewhere string) map[string]string {
	f := foreign(elsewhere)
	return map[string]string{
		"a batch": `{"id":"batch_1","status":"in_progress",` + f + `}`,
		"a list":  `{"object":"list","data":[{"id":"batch_1",` + f + `}],"has_more":true,` + f + `}`,
		"a file":  `{"id":"file-1","bytes":2,` + f + `}`, "a flat error": `{"error":"not_found","reason":"r","status_code":404,` + f + `}`,
		"a nested error": `{"error":{"type":"upstream_error","batch_id":"batch_1",` + f + `},` + f + `}`,
		"a redirect":     `<html><meta http-equiv="refresh" content="0; url=` + elsewhere + `/m"></html>`,
	}
}

// Whatever an answer says, in its body or its headers, each call makes one request,
// and that to the address which was configured.
func TestNoAnswerLeadsElsewhere(t *testing.T) {
	other := serve(t, saysJSON(200, `{"id":"x","data":[]}`))
	for kind, body := range everyKind(other.URL) {
		for _, status := range []int{200, 201, 202, 301, 302, 303, 307, 308, 401, 404, 421, 429, 503} {
			t.Run(fmt.Sprint(kind, " ", status), func(t *testing.T) {
				s := serve(t, func(w http.ResponseWriter, r *http.Request) {
					pointsElsewhere(w.Header(), other.URL)
					saysJSON(status, body)(w, r)
				})
				for _, d := range []gateway.Dialect{gateway.Phaseo, gateway.OpenAI} {
					c := client(t, s.URL+"/v1", dialect(d))
					for _, call := range everythingButCreate(c) {
						_ = call(t)
					}
					_, _ = c.Create(t.Context(), gateway.CreateRequest{InputFileID: "file-1"})
				}
				require.Len(t, s.requests(), 14, "a call is one request")
				for _, r := range s.requests() {
					require.True(t, strings.HasPrefix(r.URI, "/v1/"), r.URI)
					require.Equal(t, "Bearer "+testKey, r.Header.Get("Authorization"))
					require.Empty(t, r.Header.Get("Cookie"))
				}
			})
		}
	}
	require.Empty(t, other.requests(), "a request or the key went to an address that an answer chose")
}

// A redirect within the origin is followed as little: what it asks for was not asked.
func TestRedirectsAtHomeAreNotFollowed(t *testing.T) {
	for _, location := range []string{
		"/v1/elsewhere", "elsewhere", "//HOST/v1/x", "?x=1", "http://HOST/v1/x", "https://HOST/", "javascript:x", "\\\\host\\x", "",
	} {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", strings.ReplaceAll(location, "HOST", r.Host))
			w.WriteHeader(http.StatusTemporaryRedirect)
		})
		c := client(t, s.URL+"/v1")
		for _, call := range everythingButCreate(c) {
			require.Equal(t, gateway.TryLater, failure(t, call(t)).Class)
		}
		require.Equal(t, gateway.Unknown, create(t, c, time.Time{}).Class)
		require.Len(t, s.requests(), 7)
	}
}

// hostileIDs are ids that a gateway can hand out to have a path or a file of its
// choosing asked for.
var hostileIDs = []string{
	`../../x`, `..`, `.`, `a/b`, `a\\b`, `\u0000`, `a\u0000b`, `/dev/stdin`, `C:\\x`, `b?inline=true`, `b#x`, `http://evil.example/x`,
	strings.Repeat("a", 100_000),
}

// An id that is no segment of a path is not asked for, wherever it came from.
func TestIDsThatTheGatewayMadeUp(t *testing.T) {
	for _, id := range hostileIDs {
		s := serve(t, saysJSON(200, `{"id":"`+id+`","output_file_id":"`+id+`","error_file_id":"`+id+`"}`))
		c := client(t, s.URL+"/v1")
		b, err := c.Create(t.Context(), gateway.CreateRequest{InputFileID: "file-1"})
		require.NoError(t, err, "it was created, whatever it is called")
		_, err = c.Batch(t.Context(), b.ID)
		require.Equal(t, gateway.Refused, failure(t, err).Class)
		_, err = c.Cancel(t.Context(), b.ID)
		require.Equal(t, gateway.Refused, failure(t, err).Class)
		for _, file := range []string{b.OutputFileID, b.ErrorFileID} {
			_, err = c.Content(t.Context(), file)
			require.Equal(t, gateway.Refused, failure(t, err).Class)
			require.LessOrEqual(t, len(err.Error()), 512)
		}
		require.Len(t, s.requests(), 1)
	}
	// The name of a device is an id like another: nothing is opened by it.
	s := serve(t, saysJSON(200, `{"id":"CON"}`))
	_, err := client(t, s.URL).Batch(t.Context(), "CON")
	require.NoError(t, err)
	require.Equal(t, "/batches/CON", s.requests()[0].URI)
}

// Numbers that cannot be are none.
func TestAbsurdNumbers(t *testing.T) {
	b := one(t, gateway.Phaseo, `{"id":"b","request_counts":{"total":1000000000,"completed":-1,"failed":9223372036854775807},"progress":-0.6,
		"created_at":1e400,"expires_at":-1e400,"updated_at":"9999-12-31T23:59:59-23:59"}`)
	require.Equal(t, &gateway.RequestCounts{Total: 1e9}, b.RequestCounts)
	require.Nil(t, b.Progress)
	require.True(t, b.CreatedAt.IsZero() && b.ExpiresAt.IsZero() && b.UpdatedAt.IsZero())
	b = one(t, gateway.Phaseo, `{"id":"b","request_counts":{"total":1e400,"failed":99999999999999999999},"updated_at":"0000-01-01T00:00:00+23:59"}`)
	require.Equal(t, &gateway.RequestCounts{}, b.RequestCounts)
	require.True(t, b.UpdatedAt.IsZero())
	for _, id := range []string{`1.5`, `1e400`, `-1`, `1e9`, `[]`, `true`, `null`} {
		_, err := client(t, serve(t, saysJSON(200, `{"id":`+id+`}`)).URL).Batch(t.Context(), "b")
		require.Equal(t, "unusable_answer", failure(t, err).Code, id)
	}
}

// A length that lies ends the body with an error, or where it says.
func TestLengthsThatLie(t *testing.T) {
	for _, length := range []string{"-1", "1e9", "99999999999999999999", "0x10", "9223372036854775807"} {
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: "+length+"\r\n\r\n{}")
				_ = conn.Close()
			}
		})
		content, err := client(t, s.URL).Content(t.Context(), "file-1")
		if err == nil {
			_, err = io.ReadAll(content.Body)
			require.NoError(t, content.Body.Close())
		}
		require.Error(t, err, length)
	}
}

// The key is found however it was written: with escapes, or with characters in it
// that a log line does not show.
func TestTheKeyIsNotHandedOnInDisguise(t *testing.T) {
	escaped := strings.Replace(testKey, "p", `\u0070`, 1)
	split := strings.Replace(testKey, "_", `\u200b_`, 1)
	b := one(t, gateway.Phaseo, `{"id":"b","model":"`+escaped+`","metadata":{"`+escaped+`":"`+escaped+`"},"billing":{"echo":"`+escaped+`"},
		"errors":{"data":[{"message":"`+split+`"}]},"webhook":{"delivery":{"last_error_message":"`+split+`"}}}`)
	require.NotContains(t, fmt.Sprintf("%+v %+v %s", b, *b.Webhook, b.Billing), testKey)
	_, err := client(t, serve(t, says(500, "text/plain", strings.Replace(testKey, "_", "\u200b_", 1))).URL).Batch(t.Context(), "b")
	require.NotContains(t, err.Error(), testKey)
}
