package gatewaytest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"batchkeeper/internal/gateway/gatewaytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// harness is an emulator and a plain HTTP client, so that its tests see the wire and nothing else.
type harness struct {
	*gatewaytest.Server
	t   *testing.T
	key string
}

// client shows a redirect instead of following it.
var client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

type reply struct {
	status int
	header http.Header
	raw    []byte
	body   map[string]any
	err    error
}

func start(t *testing.T, opts gatewaytest.Options) *harness {
	t.Helper()
	opts.Seed = orSeed(opts.Seed)
	s, err := gatewaytest.New(opts)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	t.Cleanup(client.CloseIdleConnections)
	return &harness{Server: s, t: t, key: gatewaytest.DefaultAPIKey}
}

func orSeed(seed uint64) uint64 { return max(seed, 1) }

func (h *harness) do(method, path, contentType string, body io.Reader) reply {
	h.t.Helper()
	return h.outside(method, "/v1"+path, contentType, body)
}

// outside takes the whole path.
func (h *harness) outside(method, path, contentType string, body io.Reader) reply {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), method, strings.TrimSuffix(h.URL(), "/v1")+path, body)
	require.NoError(h.t, err)
	if h.key != "" {
		req.Header.Set("Authorization", "Bearer "+h.key)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	res, err := client.Do(req)
	if err != nil {
		return reply{err: err}
	}
	defer func() { require.NoError(h.t, res.Body.Close()) }()
	r := reply{status: res.StatusCode, header: res.Header}
	r.raw, r.err = io.ReadAll(res.Body)
	_ = json.Unmarshal(r.raw, &r.body)
	return r
}

func (h *harness) get(path string) reply {
	h.t.Helper()
	return h.do(http.MethodGet, path, "", nil)
}

func (h *harness) post(path string, body any) reply {
	h.t.Helper()
	raw, err := json.Marshal(body)
	require.NoError(h.t, err)
	return h.do(http.MethodPost, path, "application/json", bytes.NewReader(raw))
}

func (h *harness) upload(content string) reply {
	h.t.Helper()
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	require.NoError(h.t, w.WriteField("purpose", "batch"))
	part, err := w.CreateFormFile("file", "input.jsonl")
	require.NoError(h.t, err)
	_, err = io.WriteString(part, content)
	require.NoError(h.t, err)
	require.NoError(h.t, w.Close())
	return h.do(http.MethodPost, "/files", w.FormDataContentType(), &form)
}

// rows makes n input lines; the prompt of a row that bad names holds the marker.
func rows(n int, bad map[int]string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"custom_id":"row-%d","method":"POST","url":"/v1/responses",`+
			`"body":{"model":"gpt-5-mini","max_output_tokens":64,"input":"Say %d %s"}}`+"\n", i, i, bad[i])
	}
	return b.String()
}

func (h *harness) file(content string) string {
	h.t.Helper()
	r := h.upload(content)
	require.Equal(h.t, http.StatusOK, r.status, "%s", r.raw)
	return r.body["id"].(string)
}

func (h *harness) create(session string, n int, more map[string]any) reply {
	h.t.Helper()
	return h.createOf(h.file(rows(n, nil)), session, more)
}

func (h *harness) createOf(file, session string, more map[string]any) reply {
	h.t.Helper()
	body := map[string]any{"input_file_id": file, "endpoint": "/v1/responses", "completion_window": "24h", "session_id": session}
	for k, v := range more {
		body[k] = v
	}
	return h.post("/batches", body)
}

func (r reply) id() string { return r.body["id"].(string) }

func (r reply) text(name string) string {
	value, _ := r.body[name].(string)
	return value
}

func (h *harness) lines(fileID string) []map[string]any {
	h.t.Helper()
	r := h.get("/files/" + fileID + "/content")
	require.NoError(h.t, r.err)
	require.Equal(h.t, http.StatusOK, r.status)
	var all []map[string]any
	for line := range strings.Lines(string(r.raw)) {
		var l map[string]any
		require.NoError(h.t, json.Unmarshal([]byte(line), &l))
		all = append(all, l)
	}
	return all
}

func TestBatchFromUploadToAnswers(t *testing.T) {
	h := start(t, gatewaytest.Options{})
	created := h.createOf(h.file(rows(20, map[int]string{3: "[[fail]]", 7: "[[timeout]]"})), "run~1", nil)
	require.Equal(t, http.StatusOK, created.status, "%s", created.raw)
	require.Equal(t, "validating", created.text("status"))
	h.Advance(11 * time.Second)
	got := h.get("/batches/" + created.id())
	require.Equal(t, "completed", got.text("status"), "%s", got.raw)
	require.Equal(t, map[string]any{"total": 20.0, "completed": 18.0, "failed": 2.0}, got.body["request_counts"])
	require.Len(t, h.lines(got.text("output_file_id")), 18)
	require.Len(t, h.lines(got.text("error_file_id")), 2)
	require.Len(t, h.BatchesOf("run~1"), 1)
	require.Equal(t, "batchkeeper", got.header.Get("X-Emulator"))
}
