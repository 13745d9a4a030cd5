package gatewaytest_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/gateway/gatewaytest"
)

func createFault(kind gatewaytest.FaultKind, f gatewaytest.Fault) gatewaytest.Rule {
	f.Kind = kind
	return gatewaytest.Rule{Op: gatewaytest.OpCreate, From: 1, To: 1, Fault: f}
}

func accepted(infos []gatewaytest.BatchInfo) int {
	count := 0
	for _, info := range infos {
		if info.Accepted {
			count++
		}
	}
	return count
}

func TestCreateFaults(t *testing.T) {
	for name, tc := range map[string]struct {
		kind   gatewaytest.FaultKind
		fault  gatewaytest.Fault
		status int // 0: the connection broke
		has    string
		exist  int // batches at the provider
	}{
		"drop":                   {gatewaytest.FaultDrop, gatewaytest.Fault{}, 0, "", 0},
		"effect drop":            {gatewaytest.FaultEffectDrop, gatewaytest.Fault{}, 0, "", 1},
		"rejected":               {gatewaytest.FaultProviderRejects, gatewaytest.Fault{Status: 429, Header: map[string]string{"Retry-After": "7"}}, 429, `"message"`, 0},
		"unknown":                {gatewaytest.FaultOutcomeUnknown, gatewaytest.Fault{Status: 503}, 502, "batch_provider_create_http_503_outcome_unknown", 0},
		"unknown yet there":      {gatewaytest.FaultOutcomeUnknown, gatewaytest.Fault{Effect: true}, 502, "upstream_outcome_unknown", 1},
		"persistence":            {gatewaytest.FaultPersistenceFailed, gatewaytest.Fault{}, 502, "native_batch_id", 1},
		"503":                    {gatewaytest.FaultNamed, gatewaytest.Fault{Value: "submission_persistence_failed"}, 503, "batch_submission_persistence_failed", 0},
		"edge":                   {gatewaytest.FaultNamed, gatewaytest.Fault{Value: "html_error", Status: 524}, 524, "<html>", 0},
		"edge after it happened": {gatewaytest.FaultAnswer, gatewaytest.Fault{Status: 502, Body: "<html>", Effect: true}, 502, "<html>", 1},
		"scripted":               {gatewaytest.FaultAnswer, gatewaytest.Fault{Status: 418, Body: `{"a":1}`}, 418, `"a"`, 0},
	} {
		t.Run(name, func(t *testing.T) {
			h := start(t, gatewaytest.Options{})
			h.Script(createFault(tc.kind, tc.fault))
			got := h.create(name, 1, nil)
			require.Equal(t, tc.status, got.status)
			require.Equal(t, tc.status == 0, got.err != nil)
			require.Contains(t, string(got.raw), tc.has)
			require.Equal(t, tc.exist, accepted(h.BatchesOf(name)))
			require.Equal(t, http.StatusOK, h.create(name, 1, nil).status, "the second call is no longer concerned")
		})
	}
}

func TestEveryNamedErrorAnswers(t *testing.T) {
	for _, name := range gatewaytest.NamedErrors() {
		t.Run(name, func(t *testing.T) {
			h := start(t, gatewaytest.Options{})
			h.Script(gatewaytest.Rule{Op: gatewaytest.OpUpload, Fault: gatewaytest.Fault{
				Kind: gatewaytest.FaultNamed, Value: name, Header: map[string]string{"Retry-After": "3"},
			}})
			got := h.upload("x")
			require.NoError(t, got.err)
			require.GreaterOrEqual(t, got.status, 300)
			require.Equal(t, "3", got.header.Get("Retry-After"))
		})
	}
}

func TestUnknownSubmissionIsFoundLater(t *testing.T) {
	h := start(t, gatewaytest.Options{})
	h.Script(createFault(gatewaytest.FaultOutcomeUnknown, gatewaytest.Fault{Effect: true, Delay: gatewaytest.Duration(3 * time.Second)}))
	refused := h.create("found", 2, nil)
	id := refused.body["error"].(map[string]any)["batch_id"].(string)
	early := h.get("/batches/" + id)
	require.Equal(t, http.StatusNotFound, early.status)
	require.Contains(t, early.body["error"], "message", "the provider's 404, passed on")
	listed := h.get("/batches?limit=10").body["data"].([]any)[0].(map[string]any)
	require.Equal(t, "submission_unknown", listed["status"])
	require.Equal(t, "found", listed["session_id"])
	require.Nil(t, listed["cancel_url"])
	h.Advance(4 * time.Second)
	require.Equal(t, "in_progress", h.get("/batches/"+id).text("status"))
	h.Advance(time.Minute)
	require.Equal(t, "completed", h.get("/batches/"+id).text("status"))
}

func TestRejectedSubmissionStaysAsAHiddenRow(t *testing.T) {
	h := start(t, gatewaytest.Options{})
	h.Script(createFault(gatewaytest.FaultProviderRejects, gatewaytest.Fault{Reason: "billing_hard_limit_reached"}))
	require.Equal(t, http.StatusBadRequest, h.create("hidden", 1, nil).status)
	info := h.BatchesOf("hidden")[0]
	require.True(t, info.Hidden)
	listed := h.get("/batches?limit=10").body["data"].([]any)[0].(map[string]any)
	require.Equal(t, "failed", listed["status"])
	require.Equal(t, http.StatusNotFound, h.get("/batches/"+info.ID).status)
}

func TestOutcomes(t *testing.T) {
	for value, want := range map[string]struct {
		status           string
		answered, failed int
	}{
		"completed": {"completed", 4, 0}, "failed": {"failed", 0, 0}, "expired": {"expired", 3, 1}, "cancelled": {"cancelled", 3, 1},
		"expired_without_files": {"expired", 0, 0}, "all_failed": {"completed", 0, 4}, "stuck": {"finalizing", 0, 0},
	} {
		t.Run(value, func(t *testing.T) {
			h := start(t, gatewaytest.Options{})
			h.Script(createFault(gatewaytest.FaultOutcome, gatewaytest.Fault{Value: value, Rows: 3}))
			id := h.create(value, 4, nil).id()
			h.Advance(25 * time.Hour)
			got := h.get("/batches/" + id)
			require.Equal(t, want.status, got.text("status"))
			count := func(name string) int {
				if got.body[name] == nil {
					return 0
				}
				return len(h.lines(got.text(name)))
			}
			require.Equal(t, want.answered, count("output_file_id"))
			require.Equal(t, want.failed, count("error_file_id"))
		})
	}
}

func TestReadFaults(t *testing.T) {
	h := start(t, gatewaytest.Options{})
	id := h.create("reads", 2, nil).id()
	h.Advance(time.Minute)
	path := "/batches/" + id
	once := func(f gatewaytest.Fault) gatewaytest.Rule {
		return gatewaytest.Rule{Op: gatewaytest.OpRetrieve, BatchID: id, From: 1, To: 1, Fault: f}
	}
	for _, tc := range []struct {
		fault gatewaytest.Fault
		field string
		want  any
	}{
		{gatewaytest.Fault{Kind: gatewaytest.FaultShow, Value: "finalizing"}, "lifecycle_status", "pending"},
		{gatewaytest.Fault{Kind: gatewaytest.FaultShow, Value: "dreaming"}, "status", "dreaming"},
		{gatewaytest.Fault{Kind: gatewaytest.FaultNoOutput}, "output_file_id", nil},
		{gatewaytest.Fault{Kind: gatewaytest.FaultCounts}, "request_counts", nil},
		{gatewaytest.Fault{Kind: gatewaytest.FaultCounts, Body: `{"total":2}`}, "request_counts", map[string]any{"total": 2.0}},
		{gatewaytest.Fault{Kind: gatewaytest.FaultNamed, Value: "batch_not_found"}, "reason", "batch_not_found_or_not_owned"},
	} {
		h.Script(once(tc.fault))
		require.Equal(t, tc.want, h.get(path).body[tc.field], "%+v", tc.fault)
		h.ClearScript()
		require.Equal(t, "completed", h.get(path).text("status"))
	}
}

func TestStaleRead(t *testing.T) {
	h := start(t, gatewaytest.Options{})
	path := "/batches/" + h.create("stale", 2, nil).id()
	h.Script(gatewaytest.Rule{Op: gatewaytest.OpRetrieve, From: 2, To: 2, Fault: gatewaytest.Fault{Kind: gatewaytest.FaultStale}})
	require.Equal(t, "validating", h.get(path).text("status"))
	h.Advance(time.Minute)
	require.Equal(t, "validating", h.get(path).text("status"))
	require.Equal(t, "completed", h.get(path).text("status"))
}

func TestCancelFaults(t *testing.T) {
	for kind, want := range map[gatewaytest.FaultKind]struct {
		status int
		end    string
	}{
		gatewaytest.FaultCancelRefused: {409, "completed"}, gatewaytest.FaultCancelTooLate: {200, "completed"},
		gatewaytest.FaultCancelStuck: {200, "cancelling"},
	} {
		t.Run(string(kind), func(t *testing.T) {
			h := start(t, gatewaytest.Options{})
			h.Script(gatewaytest.Rule{Op: gatewaytest.OpCancel, Fault: gatewaytest.Fault{Kind: kind}})
			id := h.create("c", 2, nil).id()
			require.Equal(t, want.status, h.post("/batches/"+id+"/cancel", nil).status)
			h.Advance(10 * time.Minute)
			require.Equal(t, want.end, h.get("/batches/"+id).text("status"))
		})
	}
}

func TestListFaults(t *testing.T) {
	h := start(t, gatewaytest.Options{})
	h.create("a", 1, nil)
	h.create("b", 1, nil)
	h.Script(gatewaytest.Rule{Op: gatewaytest.OpList, From: 1, To: 1, Fault: gatewaytest.Fault{Kind: gatewaytest.FaultHide, Value: "a"}},
		gatewaytest.Rule{Op: gatewaytest.OpList, From: 2, To: 2, Fault: gatewaytest.Fault{Kind: gatewaytest.FaultShortPage, Rows: 0}})
	for _, want := range []int{1, 0, 2} {
		require.Len(t, h.get("/batches?limit=9").body["data"], want)
	}
}

func TestContentFaults(t *testing.T) {
	h := start(t, gatewaytest.Options{})
	id := h.create("content", 10, nil).id()
	h.Advance(time.Minute)
	path := "/files/" + h.get("/batches/"+id).text("output_file_id") + "/content"
	whole := h.get(path).raw
	serve := func(f gatewaytest.Fault) reply {
		h.ClearScript()
		h.Script(gatewaytest.Rule{Op: gatewaytest.OpContent, SessionID: "content", From: 1, To: 1, Fault: f})
		return h.get(path)
	}
	mutated := func(value string) string {
		return string(serve(gatewaytest.Fault{Kind: gatewaytest.FaultMutate, Value: value, Bytes: 3 << 20}).raw)
	}
	sizes := map[string]int{"duplicate_row": 11, "unknown_row": 11, "missing_row": 9, "blank_lines": 30}
	for _, same := range []string{"shuffle", "crlf", "no_final_newline", "cut_last_line", "flip_byte", "huge_line"} {
		sizes[same] = 10
	}
	for _, value := range gatewaytest.Mutations() {
		got := mutated(value)
		require.NotEqual(t, string(whole), got, value)
		require.Len(t, strings.Split(strings.TrimSuffix(got, "\n"), "\n"), sizes[value], value)
	}
	cut := serve(gatewaytest.Fault{Kind: gatewaytest.FaultCut, Bytes: 700})
	require.Error(t, cut.err)
	require.Equal(t, whole[:700], cut.raw)
	clean := serve(gatewaytest.Fault{Kind: gatewaytest.FaultCut, Bytes: 700, Value: "clean"})
	require.NoError(t, clean.err)
	require.Equal(t, whole[:700], clean.raw)
	require.Equal(t, http.StatusNotFound, serve(gatewaytest.Fault{Kind: gatewaytest.FaultNamed, Value: "file_not_found"}).status)
	drip := serve(gatewaytest.Fault{Kind: gatewaytest.FaultDrip, Bytes: 2000, Delay: gatewaytest.Duration(time.Millisecond)})
	require.Equal(t, whole, drip.raw)
	require.Equal(t, whole, h.get(path).raw, "the next read is clean")
}

func TestHangsEndWithTheClientOrTheServer(t *testing.T) {
	h := start(t, gatewaytest.Options{})
	for _, kind := range []gatewaytest.FaultKind{gatewaytest.FaultHang, gatewaytest.FaultEffectHang} {
		h.ClearScript()
		h.Script(gatewaytest.Rule{Op: gatewaytest.OpList, Fault: gatewaytest.Fault{Kind: kind}})
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.URL()+"/batches", nil)
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer "+h.key)
		_, err = http.DefaultClient.Do(req) //nolint:bodyclose // there is none
		require.ErrorIs(t, err, context.DeadlineExceeded)
		cancel()
	}
	h.Script(gatewaytest.Rule{Op: gatewaytest.OpFile, Fault: gatewaytest.Fault{Kind: gatewaytest.FaultHang}})
	left := make(chan reply, 1)
	go func() { left <- h.get("/files/file-x") }()
	require.Eventually(t, func() bool {
		entries := h.Journal()
		return entries[len(entries)-1].Op == "file"
	}, 5*time.Second, time.Millisecond)
	h.Close()
	require.Error(t, (<-left).err)
}

func TestRulesThatCannotHappenAreRefused(t *testing.T) {
	h := start(t, gatewaytest.Options{})
	for _, r := range []gatewaytest.Rule{
		{Op: gatewaytest.OpCreate, Fault: gatewaytest.Fault{Kind: "mistyped"}},
		{Op: gatewaytest.OpList, Fault: gatewaytest.Fault{Kind: gatewaytest.FaultOutcome, Value: "expired"}},
		{Op: gatewaytest.OpCreate, Fault: gatewaytest.Fault{Kind: gatewaytest.FaultOutcome, Value: "mistyped"}},
		{Op: gatewaytest.OpCreate, Fault: gatewaytest.Fault{Kind: gatewaytest.FaultNamed, Value: "mistyped"}},
		{Op: gatewaytest.OpWebhook, Fault: gatewaytest.Fault{Kind: gatewaytest.FaultHang}},
		{Op: gatewaytest.OpCreate, From: 3, To: 2, Fault: gatewaytest.Fault{Kind: gatewaytest.FaultHang}},
	} {
		require.Panics(t, func() { h.Script(r) }, "%+v", r)
		_, err := gatewaytest.New(gatewaytest.Options{Rules: []gatewaytest.Rule{r}})
		require.Error(t, err)
	}
}
