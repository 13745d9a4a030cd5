package gateway

import (
	"bytes"
	"encoding/json"
	"io"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/secret"
)

// Where a base and an id are taken, the request goes to the base's own host, and
// the id is one segment of the path, whatever it holds.
func FuzzPathGuard(f *testing.F) {
	for _, id := range []string{
		"batch_1", "", ".", "..", "../../x", "a/b", `a\b`, "a?b", "a#b", "%2e%2e", "%2F", "a\x00b", "a\u0085b", "http://evil.example", "@evil.example", ":1",
		"é b",
		"CON", "\xff", strings.Repeat("a", 257), ";x=1", "...",
	} {
		f.Add("https://api.example.com/v1", id)
	}
	for _, base := range []string{
		"http://127.0.0.1:8080/", "https://user:pass@host/", "ftp://host", "//host", "https://host?x", "https://host#", "http://[::1%25en0]/v1",
	} {
		f.Add(base, "batch_1")
	}
	f.Fuzz(func(t *testing.T, base, id string) {
		client, err := New(Config{BaseURL: base, Key: func() (secret.Value, error) { return secret.Value{}, nil }})
		if err != nil {
			return
		}
		require.NotNil(t, client)
		root, err := url.Parse(base)
		require.NoError(t, err)
		require.True(t, root.User == nil && root.RawQuery == "" && root.Fragment == "" && root.Host != "")
		path, err := below("batches", id)
		if err != nil {
			return
		}
		target, err := root.Parse(path)
		require.NoError(t, err)
		require.Equal(t, []string{root.Scheme, root.Host}, []string{target.Scheme, target.Host})
		require.True(t, target.User == nil && target.RawQuery == "" && target.Fragment == "")
		collection, segment, ok := strings.Cut(path, "/")
		require.True(t, ok && collection == "batches" && !strings.Contains(segment, "/"))
		back, err := url.PathUnescape(segment)
		require.NoError(t, err)
		require.Equal(t, id, back)
	})
}

// Rows inside a create call can add nothing to it: it reads as the fields and as
// many rows as there were lines, or it breaks off and is no JSON.
func FuzzRowsBody(f *testing.F) {
	for _, rows := range []string{
		"{}\n{}\n", "", "\n \r\n{\"custom_id\":\"a\"}", "{}],\"metadata\":{\"a\":\"b\"},\"x\":[{}", "{}{}", "[]", "{} {}", "\ufeff{}",
		"{\"a\":\"\xff\"}", "{\n}", "{}\r{}",
	} {
		f.Add([]byte(rows))
	}
	head, err := json.Marshal(createBody{Endpoint: "/v1/responses", SessionID: "s~t"})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, rows []byte) {
		body, err := io.ReadAll(newRowsBody(head, bytes.NewReader(rows)))
		if err != nil {
			require.False(t, json.Valid(body), "a body that breaks off was a whole request")
			return
		}
		var sent struct {
			createBody
			Requests []json.RawMessage `json:"requests"`
		}
		dec := json.NewDecoder(bytes.NewReader(body))
		dec.DisallowUnknownFields()
		require.NoError(t, dec.Decode(&sent), "a row has added a field")
		require.Equal(t, createBody{Endpoint: "/v1/responses", SessionID: "s~t"}, sent.createBody)
		n := 0
		for line := range bytes.Lines(rows) {
			if row := bytes.TrimSpace(line); len(row) > 0 {
				require.Equal(t, string(row), string(sent.Requests[n]))
				n++
			}
		}
		require.Len(t, sent.Requests, n)
	})
}
