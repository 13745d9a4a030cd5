package gatewaytest_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/gateway/gatewaytest"
)

func TestListWithoutLimitIsOneItem(t *testing.T) {
	h := start(t, gatewaytest.Options{})
	for n := range 3 {
		require.Equal(t, http.StatusOK, h.create(fmt.Sprint("s", n), 1, nil).status)
	}
	for query, want := range map[string]int{
		"": 1, "?limit=": 1, "?limit=0": 1, "?limit=2": 2, "?limit=2.9": 2, "?limit=many": 3, "?limit=1000": 3, "?limit=-4": 1,
	} {
		got := h.get("/batches" + query)
		require.Len(t, got.body["data"], want, query)
		require.Equal(t, false, got.body["has_more"], query)
	}
}

func TestListOfABusyWorkspaceIsShort(t *testing.T) {
	h := start(t, gatewaytest.Options{WithoutQuota: true})
	require.Equal(t, http.StatusOK, h.create("early", 1, nil).status)
	for range 60 {
		h.file(rows(1, nil))
	}
	require.Empty(t, h.get("/batches?limit=1").body["data"], "51 rows are read, and all are files")
	require.Len(t, h.get("/batches?limit=100").body["data"], 1)
}

func TestListItemsAreAnotherShape(t *testing.T) {
	h := start(t, gatewaytest.Options{})
	h.create("shape", 1, map[string]any{"metadata": map[string]string{"a": "b"}})
	item := h.get("/batches?limit=1").body["data"].([]any)[0].(map[string]any)
	require.Equal(t, "shape", item["session_id"])
	require.IsType(t, "", item["created_at"])
	require.Contains(t, item["created_at"], "+00:00")
	for _, absent := range []string{"metadata", "model", "native_batch_id", "errors", "in_progress_at", "progress", "websocket_url"} {
		require.NotContains(t, item, absent)
	}
}

func TestStatusFilter(t *testing.T) {
	h := start(t, gatewaytest.Options{})
	h.create("pending", 1, nil)
	h.Script(gatewaytest.Rule{Op: gatewaytest.OpCreate, Fault: gatewaytest.Fault{Kind: gatewaytest.FaultOutcomeUnknown}})
	h.create("unknown", 1, nil)
	for query, want := range map[string]int{
		"": 2, "&status=pending": 1, "&statuses=pending,completed": 1, "&status=completed": 0, "&status=submission_unknown": 2,
		"&status=pending,completed": 2, "&status=running": 0, "&status=running&status=queued": 1,
	} {
		require.Len(t, h.get("/batches?limit=100" + query).body["data"], want, query)
	}
}

func TestIdsAreCutFromTheRawURL(t *testing.T) {
	h := start(t, gatewaytest.Options{})
	file := h.file(rows(1, nil))
	id := h.createOf(file, "raw", nil).id()
	for path, want := range map[string]int{
		"/batches/" + id: 200, "/batch/" + id: 200, "/batches/" + id + "?inline=true": 404, "/files/" + file + "?x=1": 404,
		"/files/" + file + "/content?x=1": 200, "/batches/files/" + file: 200, "/batches/" + id + "/requests?limit=2": 200,
		"/batches/" + id + "/requests?limit=none": 500, "/files": 400, "/nowhere": 404, "/batches/capabilities": 200, "/batches/models": 200,
	} {
		require.Equal(t, want, h.get(path).status, path)
	}
	require.Equal(t, http.StatusInternalServerError, h.post("/batches/batch_nobody/cancel", nil).status, "no 404 of its own on cancel")
}

func TestLifecycleReadsBackwards(t *testing.T) {
	h := start(t, gatewaytest.Options{BatchDuration: time.Hour})
	id := h.create("back", 10, nil).id()
	var seen []string
	for _, minutes := range []time.Duration{0, 10, 46, 10} {
		h.Advance(minutes * time.Minute)
		got := h.get("/batches/" + id)
		seen = append(seen, got.text("status")+"="+got.text("lifecycle_status"))
		require.Equal(t, got.text("status") != "finalizing" && got.text("status") != "completed", got.body["cancel_url"] != nil)
	}
	require.Equal(t, []string{"validating=pending", "in_progress=running", "finalizing=pending", "completed=completed"}, seen)
}

func TestListAndRetrieveDisagree(t *testing.T) {
	h := start(t, gatewaytest.Options{BatchDuration: time.Hour})
	id := h.create("two views", 10, nil).id()
	h.Advance(10 * time.Minute)
	require.Equal(t, "in_progress", h.get("/batches/"+id).text("status"))
	require.Equal(t, "cancelling", h.post("/batches/"+id+"/cancel", nil).text("status"))
	require.Equal(t, "cancelling", h.get("/batches/"+id).text("status"))
	item := h.get("/batches?limit=1").body["data"].([]any)[0].(map[string]any)
	require.Equal(t, "in_progress", item["status"])
}

func TestChargedTurnsFalse(t *testing.T) {
	h := start(t, gatewaytest.Options{})
	id := h.create("bill", 2, nil).id()
	h.Advance(time.Minute)
	first := h.get("/batches/" + id).body["billing"].(map[string]any)
	h.Advance(time.Minute)
	second := h.get("/batches/" + id).body["billing"].(map[string]any)
	require.Equal(t, true, first["charged"])
	require.Equal(t, "already_billed", second["reason"])
	require.Equal(t, first["cost_nanos"], second["cost_nanos"])
	require.NotEqual(t, first["finalized_at"], second["finalized_at"])
}

func TestCancelKeepsWhatWasAnswered(t *testing.T) {
	h := start(t, gatewaytest.Options{BatchDuration: time.Hour})
	id := h.create("cancel", 100, nil).id()
	h.Advance(30 * time.Minute)
	require.Equal(t, http.StatusOK, h.post("/batches/"+id+"/cancel", nil).status)
	require.Equal(t, http.StatusOK, h.post("/batches/"+id+"/cancel", nil).status)
	h.Advance(time.Hour)
	got := h.get("/batches/" + id)
	require.Equal(t, "cancelled", got.text("status"))
	answered, not := h.lines(got.text("output_file_id")), h.lines(got.text("error_file_id"))
	require.Len(t, append(answered, not...), 100)
	require.InDelta(t, 50, len(answered), 2)
	require.Equal(t, "batch_cancelled", not[0]["error"].(map[string]any)["code"])
	require.Equal(t, http.StatusConflict, h.post("/batches/"+id+"/cancel", nil).status)
}

func TestExpiresAfterADay(t *testing.T) {
	h := start(t, gatewaytest.Options{BatchDuration: 48 * time.Hour})
	id := h.create("expire", 100, nil).id()
	h.Advance(25 * time.Hour)
	got := h.get("/batches/" + id)
	require.Equal(t, "expired", got.text("status"))
	require.NotEmpty(t, h.lines(got.text("output_file_id")))
	require.Equal(t, "batch_expired", h.lines(got.text("error_file_id"))[0]["error"].(map[string]any)["code"])
}

func TestStoredRowsAreNoResults(t *testing.T) {
	h := start(t, gatewaytest.Options{})
	id := h.createOf(h.file(rows(5, map[int]string{0: "[[fail]]"})), "stored", nil).id()
	require.Empty(t, h.get("/batches/" + id + "/requests").body["data"])
	h.Advance(time.Minute)
	h.get("/batches/" + id)
	require.Len(t, h.get("/batches/" + id + "/requests").body["data"], 4, "the failed row is not there")
	require.Len(t, h.get("/batches/" + id + "/requests?offset=1&limit=2").body["data"], 2)
}

func TestKeys(t *testing.T) {
	h := start(t, gatewaytest.Options{})
	for key, want := range map[string]string{
		"": "missing_or_invalid_authorization_header", "nonsense": "invalid_key_format", "phaseo_v1_sk_short_x": "invalid_key_format",
		"phaseo_v1_mk_manager0_key": "management_key_not_valid_for_gateway", "phaseo_v1_sk_another00_with_underscore": "", "aistats_v1_sk_former00_key": "",
	} {
		h.key = key
		got := h.get("/batches?limit=1")
		require.Equal(t, want, got.text("reason"), key)
	}
	h.Advance(24 * time.Hour * 366 * 2)
	h.key = "aistats_v1_sk_former00_key"
	require.Equal(t, "legacy_key_prefix_retired", h.get("/batches").text("reason"))
}

func TestUploadQuotas(t *testing.T) {
	h := start(t, gatewaytest.Options{})
	big := strings.Repeat(" ", 20<<20)
	require.Equal(t, http.StatusRequestEntityTooLarge, h.upload(big).status)
	almost := strings.Repeat(" ", 20<<20-10_000)
	for range 5 {
		require.Equal(t, http.StatusOK, h.upload(almost).status)
	}
	require.Contains(t, string(h.upload(almost).raw), "batch_file_daily_bytes_exceeded")
	for range 15 {
		require.Equal(t, http.StatusOK, h.upload("x").status)
	}
	got := h.upload("x")
	require.Equal(t, http.StatusTooManyRequests, got.status)
	require.Contains(t, string(got.raw), "batch_file_hourly_quota_exceeded")
	require.Empty(t, got.header.Get("Retry-After"))
	h.Advance(time.Hour + time.Second)
	require.Equal(t, http.StatusOK, h.upload("x").status)
}

func TestFinishLeavesRowsOut(t *testing.T) {
	h := start(t, gatewaytest.Options{})
	id := h.create("left out", 5, nil).id()
	require.NoError(t, h.Finish(id, "completed", 3))
	got := h.get("/batches/" + id)
	require.Len(t, h.lines(got.text("output_file_id")), 3)
	require.Nil(t, got.body["error_file_id"])
	require.Error(t, h.Finish(id, "completed", 3), "it is finished")
	require.Error(t, h.Finish(id, "running", 3))
	require.Error(t, h.Finish("batch_nobody", "completed", 3))
}

func TestUploadsForOtherProviders(t *testing.T) {
	h := start(t, gatewaytest.Options{})
	for provider, want := range map[string]string{"anthropic": "batch_input_mode_not_supported", "unheard-of": "batch_provider_preview_disabled"} {
		got := h.do(http.MethodPost, "/files?provider="+provider, "text/plain", strings.NewReader("x"))
		require.Contains(t, string(got.raw), want)
		create := h.post("/batches", map[string]any{"provider": provider, "model": "m", "prompts": []string{"x"}})
		require.GreaterOrEqual(t, create.status, 400)
	}
}

func TestUploadsThatTheProviderRefuses(t *testing.T) {
	h := start(t, gatewaytest.Options{})
	got := h.do(http.MethodPost, "/files", "text/plain", strings.NewReader("no form"))
	require.Equal(t, http.StatusBadRequest, got.status)
	require.Contains(t, got.body["error"], "message", "the provider's own shape")
	got = h.do(http.MethodPost, "/files", "text/plain", strings.NewReader(""))
	require.Contains(t, string(got.raw), "batch_file_empty")
}
