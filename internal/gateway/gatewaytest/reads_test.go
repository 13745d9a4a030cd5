package gatewaytest_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/gateway/gatewaytest"
)

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
