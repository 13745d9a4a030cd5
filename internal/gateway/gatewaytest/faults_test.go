package gatewaytest_test

import (
	"context"
	"net/http"
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
		"rejected":               {gatewaytest.FaultProviderRejects, gatewaytest.Fault{Status: 429}, 429, `"message"`, 0},
		"unknown":                {gatewaytest.FaultOutcomeUnknown, gatewaytest.Fault{Status: 503}, 502, "batch_provider_create_http_503_outcome_unknown", 0},
		"unknown yet there":      {gatewaytest.FaultOutcomeUnknown, gatewaytest.Fault{Effect: true}, 502, "upstream_outcome_unknown", 1},
		"persistence":            {gatewaytest.FaultPersistenceFailed, gatewaytest.Fault{}, 502, "native_batch_id", 1},
		"503":                    {gatewaytest.FaultNamed, gatewaytest.Fault{Value: "submission_persistence_failed"}, 503, "gateway_error", 0},
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
