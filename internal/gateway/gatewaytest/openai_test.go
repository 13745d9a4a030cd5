package gatewaytest_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/gateway"
	"batchkeeper/internal/gateway/gatewaytest"
	"batchkeeper/internal/secret"
)

const standardKey = "whsec_c29tZS1yYW5kb20tYnl0ZXMtZm9yLXRlc3RzLW9ubHk="

func plainOpenAI(t *testing.T, opts gatewaytest.Options) *harness {
	t.Helper()
	opts.OpenAI = true
	h := start(t, opts)
	h.key = "sk-anything"
	return h
}

func TestPlainOpenAIHasNoOverlay(t *testing.T) {
	h := plainOpenAI(t, gatewaytest.Options{})
	created := h.create("", 1, map[string]any{"metadata": map[string]string{gateway.MetadataSession: "plain~1"}})
	require.Equal(t, http.StatusOK, created.status, "%s", created.raw)
	for _, absent := range []string{"lifecycle_status", "polling_url", "session_id", "native_batch_id", "provider", "pricing_lines"} {
		require.NotContains(t, created.body, absent)
	}
	require.Len(t, h.BatchesOf("plain~1"), 1)
	require.Equal(t, "validating", h.get("/batches/"+created.id()+"?x=1").text("status"), "a query is no part of the id here")
	require.Equal(t, http.StatusNotFound, h.get("/batches/batch_x").status)
	require.Equal(t, http.StatusNotFound, h.get("/files/file_x").status)
	require.Equal(t, http.StatusNotFound, h.post("/batches/batch_x/cancel", nil).status)
	h.key = "wrong"
	require.Equal(t, http.StatusUnauthorized, h.get("/batches").status)
}

func TestPlainOpenAIRefusals(t *testing.T) {
	h := plainOpenAI(t, gatewaytest.Options{})
	for _, body := range []map[string]any{
		{}, {"input_file_id": "file-none", "completion_window": "24h"}, {"input_file_id": h.file("x"), "completion_window": "1h"},
	} {
		got := h.post("/batches", body)
		require.Equal(t, http.StatusBadRequest, got.status)
		require.Contains(t, got.body["error"], "message")
	}
}

func TestPlainOpenAIPagesWithACursor(t *testing.T) {
	h := plainOpenAI(t, gatewaytest.Options{})
	for n := range 5 {
		h.create(fmt.Sprint(n), 1, nil)
	}
	seen := map[string]bool{}
	for after := ""; ; {
		page := h.get("/batches?limit=2&after=" + after)
		for _, item := range page.body["data"].([]any) {
			seen[item.(map[string]any)["id"].(string)] = true
		}
		if page.body["has_more"] == false {
			break
		}
		after = page.text("last_id")
	}
	require.Len(t, seen, 5)
	require.Equal(t, http.StatusBadRequest, h.get("/batches?after=nobody").status)
}

func TestPlainOpenAIFailsBadRowsLater(t *testing.T) {
	h := plainOpenAI(t, gatewaytest.Options{})
	id := h.createOf(h.file("{}\n"+strings.TrimSpace(rows(1, nil))), "", nil).id()
	h.Advance(time.Minute)
	got := h.get("/batches/" + id)
	require.Equal(t, "failed", got.text("status"))
	require.InDelta(t, 1, got.body["errors"].(map[string]any)["data"].([]any)[0].(map[string]any)["line"], 0)
}

func TestPlainOpenAISignsTheStandardWay(t *testing.T) {
	v, err := gateway.NewOpenAIVerifier([]secret.Value{secret.New(standardKey)})
	require.NoError(t, err)
	r := receive(t, v)
	h := plainOpenAI(t, gatewaytest.Options{WebhookURL: r.URL, WebhookSecret: standardKey})
	id := h.create("", 2, nil).id()
	require.NoError(t, h.Finish(id, "expired", 1))
	d := r.wait(t, 1)[0]
	require.True(t, d.valid)
	require.Equal(t, "batch.expired", d.body["type"])
	require.Equal(t, map[string]any{"id": id}, d.data())
	require.Equal(t, d.body["id"], d.header.Get("Webhook-Id"))
}

func TestPlainOpenAIAnswersEmbeddings(t *testing.T) {
	h := plainOpenAI(t, gatewaytest.Options{})
	file := h.file(strings.ReplaceAll(rows(3, nil), "/v1/responses", "/v1/embeddings"))
	id := h.createOf(file, "", map[string]any{"endpoint": "/v1/embeddings"}).id()
	h.Advance(time.Minute)
	line := h.lines(h.get("/batches/" + id).text("output_file_id"))[0]
	require.Contains(t, fmt.Sprint(line), "embedding")
}
