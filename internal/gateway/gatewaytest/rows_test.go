package gatewaytest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/gateway/gatewaytest"
)

func TestFileRowsCollapseIntoOneReason(t *testing.T) {
	row := strings.TrimSpace(rows(1, nil))
	change := func(old, with string) string { return strings.Replace(row, old, with, 1) + "\n" }
	for name, tc := range map[string]struct{ content, reason string }{
		"empty":            {"\n\n", "batch_input_file_not_priceable"},
		"no json":          {"{\n", "batch_input_file_not_priceable"},
		"twice":            {row + "\n" + row + "\n", "batch_input_file_not_priceable"},
		"no id":            {change(`"row-0"`, `""`), "batch_input_file_not_priceable"},
		"id is a number":   {change(`"row-0"`, `7`), "batch_input_file_not_priceable"},
		"get":              {change(`"POST"`, `"GET"`), "batch_input_file_not_priceable"},
		"other endpoint":   {change(`/v1/responses`, `/v1/chat/completions`), "batch_input_file_not_priceable"},
		"no input":         {change(`"input"`, `"inputs"`), "batch_input_file_not_priceable"},
		"stream":           {change(`"input"`, `"stream":true,"input"`), "batch_input_file_not_priceable"},
		"two models":       {row + "\n" + strings.Replace(change("gpt-5-mini", "gpt-5"), "row-0", "row-1", 1), "batch_input_file_not_priceable"},
		"no token limit":   {change(`"max_output_tokens":64,`, ``), "batch_max_output_tokens_required"},
		"token limit zero": {change(`:64,`, `:0,`), "batch_max_output_tokens_required"},
		"tools":            {change(`"input"`, `"tools":[],"input"`), "batch_unbounded_cost_dimension_not_supported"},
		"deep audio":       {change(`"input":`, `"x":[{"y":{"audio":1}}],"input":`), "batch_unbounded_cost_dimension_not_supported"},
		"escaped key":      {change(`"input":`, `"\u0061udio":1,"input":`), "batch_unbounded_cost_dimension_not_supported"},
		"audio as a value": {change(`"input":`, `"x":["audio","tools"],"input":`), ""},
		"too many":         {rows(10_001, nil), "batch_request_limit_exceeded"},
		"most":             {rows(10_000, nil), ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := start(t, gatewaytest.Options{})
			got := h.createOf(h.file(tc.content), name, nil)
			require.Equal(t, tc.reason, got.text("reason"), "%s", got.raw)
			require.Len(t, h.BatchesOf(""), map[bool]int{true: 1}[tc.reason == ""])
		})
	}
}

func TestFileRowsAreNotRewritten(t *testing.T) {
	h := start(t, gatewaytest.Options{})
	file := h.file(strings.ReplaceAll(rows(2, nil), "gpt-5-mini", "openai/gpt-5-mini"))
	id := h.createOf(file, "prefixed", nil).id()
	h.Advance(time.Minute)
	got := h.get("/batches/" + id)
	require.Equal(t, "failed", got.text("status"))
	require.Contains(t, string(got.raw), "model_not_found")
	require.Nil(t, got.body["output_file_id"])
	require.Equal(t, map[string]any{"total": 0.0, "completed": 0.0, "failed": 0.0}, got.body["request_counts"])
}

func TestInlineRowsAreCompleted(t *testing.T) {
	h := start(t, gatewaytest.Options{})
	got := h.post("/batches", map[string]any{
		"model": "openai/gpt-5-mini", "session_id": "inline", "requests": []any{
			map[string]any{"custom_id": "  trimmed ", "body": map[string]any{"input": "a"}},
			map[string]any{"custom_id": 5, "url": "responses", "request": map[string]any{"input": "b", "model": "gpt-5-mini", "max_output_tokens": 9}},
		},
	})
	require.Equal(t, http.StatusOK, got.status, "%s", got.raw)
	lines := h.lines(got.text("input_file_id"))
	require.Equal(t, "trimmed", lines[0]["custom_id"])
	require.Equal(t, "request-2", lines[1]["custom_id"])
	first, second := lines[0]["body"].(map[string]any), lines[1]["body"].(map[string]any)
	require.InDelta(t, 16384, first["max_output_tokens"], 0)
	require.InDelta(t, 9, second["max_output_tokens"], 0)
	require.Equal(t, "gpt-5-mini", first["model"])
	require.Equal(t, "/v1/responses", lines[1]["url"])
	h.Advance(time.Minute)
	require.Len(t, h.lines(h.get("/batches/"+got.id()).text("output_file_id")), 2)
}

func TestInlineChatGetsMaxTokensBesideItsNewName(t *testing.T) {
	h := start(t, gatewaytest.Options{})
	got := h.post("/batches", map[string]any{"model": "gpt-5-mini", "endpoint": "https://api.example.com/V1/Chat/Completions/?x=1", "requests": []any{
		map[string]any{"custom_id": "a", "body": map[string]any{"messages": []any{}, "max_completion_tokens": 5}},
	}})
	require.Equal(t, "/v1/chat/completions", got.text("endpoint"), "%s", got.raw)
	body := h.lines(got.text("input_file_id"))[0]["body"].(map[string]any)
	require.InDelta(t, 16384, body["max_tokens"], 0)
}

func TestInlineRefusals(t *testing.T) {
	good := map[string]any{"custom_id": "a", "body": map[string]any{"input": "x", "model": "m"}}
	with := func(fields map[string]any) map[string]any {
		out := map[string]any{"custom_id": "b", "body": map[string]any{"input": "x", "model": "m"}}
		for k, v := range fields {
			out[k] = v
		}
		return out
	}
	body := func(fields map[string]any) map[string]any {
		return with(map[string]any{"body": fields})
	}
	for reason, body := range map[string]map[string]any{
		"missing_batch_input":                          {},
		"invalid_requests":                             {"requests": []any{}},
		"ambiguous_batch_input":                        {"requests": []any{good}, "input_file_id": "file-x"},
		"duplicate_custom_id":                          {"requests": []any{good, good}},
		"batch_custom_id_too_long":                     {"requests": []any{with(map[string]any{"custom_id": strings.Repeat("é", 257)})}},
		"batch_method_not_supported":                   {"requests": []any{with(map[string]any{"method": "PUT"})}},
		"missing_model":                                {"requests": []any{body(map[string]any{"input": "x"})}},
		"batch_model_conflict":                         {"model": "other", "requests": []any{good}},
		"batch_streaming_not_supported":                {"requests": []any{body(map[string]any{"input": "x", "model": "m", "stream": true})}},
		"batch_responses_input_required":               {"requests": []any{body(map[string]any{"model": "m"})}},
		"invalid_request_body":                         {"requests": []any{with(map[string]any{"body": "text"})}},
		"batch_endpoint_not_supported":                 {"endpoint": "/v1/embeddings", "requests": []any{good}},
		"openai_batch_completion_window_unsupported":   {"completion_window": "1h", "requests": []any{good}},
		"invalid_batch_metadata":                       {"metadata": map[string]any{"a": 1}, "requests": []any{good}},
		"batch_webhook_endpoint_required":              {"webhook": map[string]any{"url": "https://x"}, "requests": []any{good}},
		"invalid_batch_webhook":                        {"webhook": "x", "requests": []any{good}},
		"batch_webhook_endpoint_not_found_or_inactive": {"webhook_endpoint_id": gatewaytest.DefaultEndpointID, "requests": []any{good}},
		"batch_unbounded_cost_dimension_not_supported": {"requests": []any{body(map[string]any{"input": "x", "model": "m", "tools": 1})}},
		"batch_input_file_not_found_or_not_owned":      {"input_file_id": "file-nobody"},
	} {
		t.Run(reason, func(t *testing.T) {
			h := start(t, gatewaytest.Options{})
			got := h.post("/batches", body)
			require.Equal(t, reason, got.text("reason"), "%s", got.raw)
			require.Empty(t, h.BatchesOf(""))
		})
	}
}

func TestInlineHasNoUploadQuota(t *testing.T) {
	h := start(t, gatewaytest.Options{})
	for n := range 25 {
		got := h.post("/batches", map[string]any{"model": "m", "prompts": []any{fmt.Sprint("prompt ", n)}})
		require.Equal(t, http.StatusOK, got.status, "%s", got.raw)
	}
}

func TestAnswersRepeatAndSayWhatTheyAre(t *testing.T) {
	answers := func(seed uint64) map[string]string {
		h := start(t, gatewaytest.Options{Seed: seed})
		id := h.createOf(h.file(rows(30, map[int]string{2: "[[429]]", 3: "[[500]]", 4: "[[timeout]]", 5: "[[incomplete]]"})), "repeat", nil).id()
		h.Advance(time.Minute)
		got := h.get("/batches/" + id)
		all := map[string]string{}
		for _, l := range append(h.lines(got.text("output_file_id")), h.lines(got.text("error_file_id"))...) {
			raw, err := json.Marshal(l)
			require.NoError(t, err)
			all[l["custom_id"].(string)] = string(raw)
		}
		return all
	}
	first := answers(1)
	require.Len(t, first, 30)
	require.Equal(t, first, answers(2), "the answer is the row's alone")
	require.Contains(t, first["row-0"], "[emulator]")
	require.Contains(t, first["row-2"], `"status_code":429`)
	require.Contains(t, first["row-4"], `"response":null`)
	require.Contains(t, first["row-5"], `"status":"incomplete"`)
}

func TestChatRowsAreAnsweredInTheirShape(t *testing.T) {
	h := start(t, gatewaytest.Options{})
	parts := []any{map[string]any{"type": "text", "text": "Name a color."}}
	created := h.post("/batches", map[string]any{"model": "gpt-5-mini", "endpoint": "/v1/chat/completions", "requests": []any{
		map[string]any{"custom_id": "a", "body": map[string]any{"messages": []any{map[string]any{"role": "user", "content": parts}}}},
		map[string]any{"custom_id": "b", "body": map[string]any{"messages": []any{map[string]any{"role": "user", "content": "[[incomplete]]"}}}},
	}})
	require.Equal(t, http.StatusOK, created.status, "%s", created.raw)
	h.Advance(time.Minute)
	raw := string(h.get("/files/" + h.get("/batches/"+created.id()).text("output_file_id") + "/content").raw)
	require.Contains(t, raw, `Name a color.`)
	require.Contains(t, raw, `"finish_reason":"length"`)
	require.Contains(t, raw, `"prompt_tokens"`)
}

// A row whose failures pass is answered in the batch after them.
func TestFailuresThatPass(t *testing.T) {
	h := start(t, gatewaytest.Options{})
	for attempt, status := range []int{429, 429, 200, 200} {
		id := h.createOf(h.file(rows(1, map[int]string{0: "[[429x2]]"})), fmt.Sprint("try ", attempt), nil).id()
		h.Advance(time.Minute)
		got := h.get("/batches/" + id)
		file := got.text("output_file_id")
		if status != 200 {
			file = got.text("error_file_id")
		}
		lines := h.lines(file)
		require.Len(t, lines, 1)
		require.EqualValues(t, status, lines[0]["response"].(map[string]any)["status_code"], "attempt %d", attempt)
	}
}

func TestTokenLimit(t *testing.T) {
	content := rows(10, nil)
	h := start(t, gatewaytest.Options{TokenLimit: int64(len(content))/4*2 + 2})
	var ids []string
	for n := range 3 {
		ids = append(ids, h.createOf(h.file(content), fmt.Sprint(n), nil).id())
	}
	h.Advance(time.Minute)
	for n, status := range []string{"completed", "completed", "failed"} {
		got := h.get("/batches/" + ids[n])
		require.Equal(t, status, got.text("status"))
		require.Equal(t, status == "failed", strings.Contains(string(got.raw), "token_limit_exceeded"))
	}
	again := h.createOf(h.file(content), "later", nil).id()
	h.Advance(time.Minute)
	require.Equal(t, "completed", h.get("/batches/"+again).text("status"), "there is room once the others have ended")
}
