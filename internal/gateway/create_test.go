package gateway_test

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/gateway"
)

var fullRequest = gateway.CreateRequest{
	Endpoint: "/v1/responses", Model: "openai/gpt-5-mini", CompletionWindow: "24h", Provider: "openai",
	SessionID: "nightly-1~7f3c", WebhookEndpointID: "5f0c2b7e-3a94-4d1e-9c55-7be2a0d41f86",
	Metadata: map[string]string{"run": "invoices-17"},
}

func TestCreateBodies(t *testing.T) {
	const phaseoFields = `"endpoint":"/v1/responses","model":"openai/gpt-5-mini","completion_window":"24h","provider":"openai",
		"session_id":"nightly-1~7f3c","webhook_endpoint_id":"5f0c2b7e-3a94-4d1e-9c55-7be2a0d41f86","metadata":{"run":"invoices-17"}`
	for name, tc := range map[string]struct {
		dialect gateway.Dialect
		fileID  string
		rows    string
		want    string
	}{
		"file": {gateway.Phaseo, "file-1", "", `{"input_file_id":"file-1",` + phaseoFields + `}`},
		"rows": {gateway.Phaseo, "", "{\"custom_id\":\"a\"}\r\n\n  {\"custom_id\":\"b\"}",
			`{"requests":[{"custom_id":"a"},{"custom_id":"b"}],` + phaseoFields + `}`},
		"plain": {gateway.OpenAI, "file-1", "", `{"input_file_id":"file-1","endpoint":"/v1/responses","completion_window":"24h",
			"metadata":{"run":"invoices-17","batchkeeper_session_id":"nightly-1~7f3c"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, saysJSON(200, `{"id":"batch_1"}`))
			req := fullRequest
			req.InputFileID = tc.fileID
			if tc.rows != "" {
				req.Rows = strings.NewReader(tc.rows)
			}
			_, err := client(t, s.URL, dialect(tc.dialect)).Create(t.Context(), req)
			require.NoError(t, err)
			got := s.requests()
			require.Len(t, got, 1)
			require.JSONEq(t, tc.want, got[0].Body)
			require.Equal(t, "application/json", got[0].Header.Get("Content-Type"))
		})
	}
	require.Equal(t, map[string]string{"run": "invoices-17"}, fullRequest.Metadata, "the caller's map was changed")
}

func TestSmallestCreateBodies(t *testing.T) {
	for name, tc := range map[string]struct {
		req  gateway.CreateRequest
		want string
	}{
		"file": {gateway.CreateRequest{InputFileID: "file-1"}, `{"input_file_id":"file-1","completion_window":"24h"}`},
		"rows": {gateway.CreateRequest{Rows: strings.NewReader("{}\n")}, `{"completion_window":"24h","requests":[{}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, saysJSON(200, `{"id":"batch_1"}`))
			_, err := client(t, s.URL).Create(t.Context(), tc.req)
			require.NoError(t, err)
			require.Equal(t, tc.want, s.requests()[0].Body)
		})
	}
}

func TestCreateRefusesWhatCannotBeAsked(t *testing.T) {
	s := serve(t, saysJSON(200, `{"id":"batch_1"}`))
	many := map[string]string{}
	for i := range 17 {
		many[fmt.Sprint(i)] = "x"
	}
	for name, tc := range map[string]struct {
		dialect gateway.Dialect
		req     gateway.CreateRequest
	}{
		"no input":         {gateway.Phaseo, gateway.CreateRequest{}},
		"two inputs":       {gateway.Phaseo, gateway.CreateRequest{InputFileID: "f", Rows: strings.NewReader("{}")}},
		"rows elsewhere":   {gateway.OpenAI, gateway.CreateRequest{Rows: strings.NewReader("{}")}},
		"too much to note": {gateway.Phaseo, gateway.CreateRequest{InputFileID: "f", Metadata: many}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := client(t, s.URL, dialect(tc.dialect)).Create(t.Context(), tc.req)
			require.Equal(t, gateway.Refused, failure(t, err).Class)
		})
	}
	require.Empty(t, s.requests())
}

// manyRows is JSONL that exists only while it is read.
type manyRows struct {
	row  string
	left int
	rest string
}

func (m *manyRows) Read(p []byte) (int, error) {
	if m.rest == "" {
		if m.left == 0 {
			return 0, io.EOF
		}
		m.left--
		m.rest = m.row
	}
	n := copy(p, m.rest)
	m.rest = m.rest[n:]
	return n, nil
}

func TestRowsAreStreamed(t *testing.T) {
	const rows = 2_000
	row := `{"custom_id":"a","body":"` + strings.Repeat("x", 32<<10) + "\"}\n"
	var received int64
	s := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		received, _ = io.Copy(io.Discard, r.Body)
		saysJSON(200, `{"id":"batch_1"}`)(w, r)
	})
	c := client(t, quiet(t, s))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := c.Create(t.Context(), gateway.CreateRequest{Rows: &manyRows{row: row, left: rows}})
	require.NoError(t, err)
	runtime.ReadMemStats(&after)
	require.EqualValues(t, rows*len(row)-1+len(`{"completion_window":"24h","requests":[]}`), received)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(8<<20), "64 MiB of rows were held in memory")
}

func TestRowsThatCannotBeReadSubmitNothing(t *testing.T) {
	for name, rows := range map[string]io.Reader{
		"reader fails": io.MultiReader(strings.NewReader("{\"custom_id\":\"a\"}\n"), lostStore{}),
		"not JSON":     strings.NewReader("{\"custom_id\":\"a\"}\n{\"custom_id\":\n"),
		"breaks out":   strings.NewReader(`{}],"webhook_endpoint_id":"x","z":[{}` + "\n"),
		"not a row":    strings.NewReader("1\n"),
		"none":         strings.NewReader("\n \r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, says(400, "text/plain", "cut"))
			_, err := client(t, s.URL).Create(t.Context(), gateway.CreateRequest{Rows: rows})
			e := failure(t, err)
			require.Equal(t, gateway.NothingSubmitted, e.Class, "%v", err)
			require.ErrorContains(t, err, "row")
		})
	}
}
