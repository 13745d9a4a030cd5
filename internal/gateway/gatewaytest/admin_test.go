package gatewaytest_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/gateway/gatewaytest"
)

// admin calls the surface that other processes use.
func (h *harness) admin(method, path string, body any) reply {
	h.t.Helper()
	raw, err := json.Marshal(body)
	require.NoError(h.t, err)
	return h.outside(method, "/__emulator/"+path, "application/json", bytes.NewReader(raw))
}

func TestAdmin(t *testing.T) {
	h := start(t, gatewaytest.Options{})
	require.Equal(t, http.StatusOK, h.admin(http.MethodPost, "script", map[string]any{"rules": []any{map[string]any{
		"op": "create", "session_id": "admin", "from": 1, "to": 1, "fault": map[string]any{"kind": "delay", "delay": "1ms"},
	}}}).status)
	id := h.create("admin", 4, nil).id()
	require.Equal(t, http.StatusOK, h.admin(http.MethodPost, "advance", map[string]any{"duration": "2s"}).status)
	require.Equal(t, "in_progress", h.get("/batches/"+id).text("status"))
	require.Equal(t, http.StatusOK, h.admin(http.MethodPost, "finish", map[string]any{"batch_id": id, "status": "expired", "answered": 1}).status)
	listed := h.admin(http.MethodGet, "batches?session_id=admin", nil).body["batches"].([]any)
	require.Equal(t, "expired", listed[0].(map[string]any)["status"])
	entries := h.admin(http.MethodGet, "journal", nil).body["entries"].([]any)
	last := entries[len(entries)-1].(map[string]any)["seq"].(float64)
	require.Len(t, entries, int(last))
	require.Empty(t, h.admin(http.MethodGet, "journal?after=100000", nil).body["entries"])
	require.Contains(t, h.admin(http.MethodGet, "", nil).body, "faults")
	for path, body := range map[string]any{
		"script":  map[string]any{"rules": []any{map[string]any{"op": "create", "fault": map[string]any{"kind": "mistyped"}}}},
		"advance": map[string]any{"durations": "2s"},
		"finish":  map[string]any{"batch_id": id, "status": "completed"},
		"deliver": map[string]any{"batch_id": id},
		"nothing": nil,
	} {
		got := h.admin(http.MethodPost, path, body)
		require.Equal(t, http.StatusBadRequest, got.status, path)
		require.NotEmpty(t, got.text("error"), path)
	}
}

func TestSecondProcessCanSetTheEndpointAndDeliver(t *testing.T) {
	h := start(t, gatewaytest.Options{})
	r := receive(t, phaseoVerifier(t))
	require.Equal(t, http.StatusOK, h.admin(http.MethodPost, "webhook", map[string]any{"url": r.URL, "secret": signingKey}).status)
	id := h.create("deliver", 1, toEndpoint).id()
	got := h.admin(http.MethodPost, "deliver", map[string]any{"batch_id": id, "phase": "completed", "age": "-10s"})
	require.InDelta(t, 200, got.body["status"], 0, "%s", got.raw)
	require.True(t, r.wait(t, 1)[0].valid)
}

func TestRootSaysWhatItIs(t *testing.T) {
	h := start(t, gatewaytest.Options{})
	got := h.outside(http.MethodGet, "/", "", nil)
	require.Contains(t, string(got.raw), "emulator")
	require.Equal(t, "batchkeeper", h.get("/nowhere").header.Get("X-Emulator"))
	require.Equal(t, http.StatusNoContent, h.do(http.MethodOptions, "/batches", "", nil).status)
}

func TestJournalOnDiskIsTheJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.jsonl")
	h := start(t, gatewaytest.Options{JournalPath: path})
	h.create("journal", 1, nil)
	h.get("/batches?limit=1")
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, len(h.Journal()), strings.Count(string(raw), "\n"))
	var ops []string
	for _, e := range h.Journal() {
		ops = append(ops, e.Kind+" "+e.Op)
	}
	require.Equal(t, []string{
		"request upload", "effect upload_claimed", "effect file_stored", "answer upload",
		"request create", "effect batch_created", "answer create", "request list", "answer list",
	}, ops)
	require.Equal(t, "journal", h.Journal()[5].SessionID)
}

func TestClockRunsFaster(t *testing.T) {
	h := start(t, gatewaytest.Options{Scale: 3600, BatchDuration: time.Minute})
	before := h.Now()
	id := h.create("fast", 2, nil).id()
	require.Eventually(t, func() bool { return h.get("/batches/"+id).text("status") == "completed" }, 5*time.Second, 5*time.Millisecond)
	date, err := http.ParseTime(h.get("/batches").header.Get("Date"))
	require.NoError(t, err)
	require.Greater(t, date.Sub(before), 59*time.Second)
}

func TestFilesGoWithTheServer(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	h := start(t, gatewaytest.Options{})
	h.file("x")
	h.Close()
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestBodyOverTheLimitIsRefused(t *testing.T) {
	h := start(t, gatewaytest.Options{})
	got := h.do(http.MethodPost, "/batches", "application/json", io.LimitReader(endless{}, 200<<20+10))
	require.Equal(t, http.StatusRequestEntityTooLarge, got.status)
	require.Contains(t, string(got.raw), "batch_body_too_large")
}

// endless is a body of whatever the buffer holds.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }
