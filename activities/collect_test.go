package activities_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper/activities"
	"batchkeeper/batch"
	"batchkeeper/internal/gateway/gatewaytest"
)

// finished is a batch of n rows that is terminal, as read from the gateway.
func (w *world) finished(n int, status string, answered int) batch.Snapshot {
	w.t.Helper()
	id := w.created(n)
	require.NoError(w.t, w.emulator.Finish(id, status, answered))
	out := must(w, w.acts.Poll, activities.PollInput{Dialect: batch.DialectPhaseo, BatchID: id})
	require.NotNil(w.t, out.Batch, out.Problem)
	require.Equal(w.t, status, string(out.Batch.Status))
	return *out.Batch
}

func (w *world) fetch(fileID, name string) activities.NamedRef {
	w.t.Helper()
	out := must(w, w.acts.Download, activities.DownloadInput{Dialect: batch.DialectPhaseo, FileID: fileID, Key: "res/raw/" + name + ".jsonl"})
	w.fresh()
	return activities.NamedRef{Name: name, Ref: out.Ref}
}

func (w *world) join(b batch.Snapshot, n int) activities.ReconcileOutput {
	w.t.Helper()
	in := w.joinInput(b, n)
	return must(w, w.acts.Reconcile, in)
}

func (w *world) joinInput(b batch.Snapshot, n int) activities.ReconcileInput {
	in := activities.ReconcileInput{
		Input: "in.jsonl", Status: b.Status, Prefix: "res", Facts: batch.InputFacts{Rows: int64(n)},
		Manifest: batch.Manifest{WorkflowID: "nightly-1", BatchIDs: []string{b.BatchID}},
	}
	if b.OutputFileID != "" {
		in.Answers = append(in.Answers, w.fetch(b.OutputFileID, "output"))
	}
	if b.ErrorFileID != "" {
		in.Answers = append(in.Answers, w.fetch(b.ErrorFileID, "errors"))
	}
	return in
}

// ids are the custom ids of a result file, in order.
func (w *world) ids(name string) []string {
	w.t.Helper()
	var out []string
	for line := range strings.Lines(w.text("res/" + name)) {
		var row struct {
			CustomID string `json:"custom_id"`
		}
		require.NoError(w.t, json.Unmarshal([]byte(line), &row))
		out = append(out, row.CustomID)
	}
	return out
}

func TestPollAndCancel(t *testing.T) {
	w := newWorld(t, gatewaytest.Options{})
	id := w.created(2)
	in := activities.PollInput{Dialect: batch.DialectPhaseo, BatchID: id}
	out := must(w, w.acts.Poll, in)
	require.True(t, out.Batch.CancelURL)
	require.Equal(t, session, out.Batch.SessionID)

	script(t, w, gatewaytest.OpRetrieve, gatewaytest.Fault{Kind: gatewaytest.FaultNamed, Value: "batch_not_found"})
	out = must(w, w.acts.Poll, in)
	require.True(t, out.NotFound)
	require.Contains(t, out.Problem, "batch_not_found_or_not_owned")
	script(t, w, gatewaytest.OpRetrieve, gatewaytest.Fault{Kind: gatewaytest.FaultNamed, Value: "rate_limited", Header: map[string]string{"Retry-After": "17"}})
	out = must(w, w.acts.Poll, in)
	require.Equal(t, 17*time.Second, out.RetryAfter)
	require.False(t, out.NotFound)

	cancel := activities.CancelInput{Dialect: batch.DialectPhaseo, BatchID: id}
	for status, want := range map[int]activities.CancelOutput{
		409: {Refused: true}, 501: {NotSupported: true}, 500: {}, 404: {}, 401: {},
	} {
		script(t, w, gatewaytest.OpCancel, gatewaytest.Fault{Kind: gatewaytest.FaultCancelRefused, Status: status})
		got := must(w, w.acts.Cancel, cancel)
		require.NotEmpty(t, got.Message)
		got.Message = ""
		require.Equal(t, want, got, status)
	}
	got := must(w, w.acts.Cancel, cancel)
	require.True(t, got.Accepted)
	require.Equal(t, batch.StatusCancelling, got.Batch.Status)

	in.Dialect, cancel.Dialect = "soap", "soap"
	require.Contains(t, must(w, w.acts.Poll, in).Problem, "soap")
	require.False(t, must(w, w.acts.Cancel, cancel).Accepted)
}

func TestEveryRowIsAccountedFor(t *testing.T) {
	for status, tc := range map[string]struct {
		answered int
		outcome  batch.Outcome
		want     batch.Results
	}{
		"completed": {5, batch.OutcomeCompleted, batch.Results{Rows: 5, Succeeded: 5}},
		"expired":   {2, batch.OutcomeExpired, batch.Results{Rows: 5, Succeeded: 2, Failed: 3}},
		"cancelled": {1, batch.OutcomeCancelled, batch.Results{Rows: 5, Succeeded: 1, Failed: 4}},
		"failed":    {0, batch.OutcomeUpstreamFailed, batch.Results{Rows: 5, Missing: 5}},
	} {
		t.Run(status, func(t *testing.T) {
			w := newWorld(t, gatewaytest.Options{})
			b := w.finished(5, status, tc.answered)
			out := w.join(b, 5)
			require.Equal(t, tc.outcome, out.Outcome)
			ref := out.Results.Manifest
			require.NotNil(t, ref)
			out.Results.Manifest, tc.want.Prefix = nil, "res"
			require.Equal(t, tc.want, out.Results)
			require.Len(t, append(w.ids(batch.FileResults), w.ids(batch.FileFailures)...), 5)

			m := manifest(t, w.text("res/manifest.json"))
			require.Equal(t, ref.Size, int64(len(w.text("res/manifest.json"))))
			require.Equal(t, int64(5), m.Counts.Rows)
			require.Equal(t, tc.outcome, m.Outcome)
			require.Equal(t, []string{b.BatchID}, m.BatchIDs)
			for _, f := range m.Files {
				require.Len(t, w.text("res/"+f.Name), int(f.Size))
			}
		})
	}
}

func TestSpoiledOutputFiles(t *testing.T) {
	inOrder := []string{"row-0", "row-1", "row-2", "row-3", "row-4"}
	for mutation, tc := range map[string]struct {
		results []string
		want    batch.Results
	}{
		"shuffle":          {inOrder, batch.Results{Rows: 5, Succeeded: 5}},
		"duplicate_row":    {inOrder, batch.Results{Rows: 5, Succeeded: 5, Duplicates: 1}},
		"unknown_row":      {inOrder, batch.Results{Rows: 5, Succeeded: 5, Unmatched: 1}},
		"missing_row":      {nil, batch.Results{Rows: 5, Succeeded: 4, Missing: 1}},
		"crlf":             {inOrder, batch.Results{Rows: 5, Succeeded: 5}},
		"blank_lines":      {inOrder, batch.Results{Rows: 5, Succeeded: 5}},
		"no_final_newline": {inOrder, batch.Results{Rows: 5, Succeeded: 5}},
		"flip_byte":        {nil, batch.Results{Rows: 5, Succeeded: 4, Missing: 1, Malformed: 1}},
	} {
		t.Run(mutation, func(t *testing.T) {
			w := newWorld(t, gatewaytest.Options{})
			w.emulator.Script(gatewaytest.Rule{Op: gatewaytest.OpContent, Fault: gatewaytest.Fault{Kind: gatewaytest.FaultMutate, Value: mutation}})
			b := w.finished(5, "completed", 5)
			in := w.joinInput(b, 5)
			out := must(w, w.acts.Reconcile, in)
			out.Results.Manifest, tc.want.Prefix = nil, "res"
			require.Equal(t, tc.want, out.Results)
			if tc.results != nil {
				require.Equal(t, tc.results, w.ids(batch.FileResults))
			}
			w.fresh()
			first := w.text("res/results.jsonl") + w.text("res/failures.jsonl") + w.text("res/manifest.json")
			must(w, w.acts.Reconcile, in)
			require.Equal(t, first, w.text("res/results.jsonl")+w.text("res/failures.jsonl")+w.text("res/manifest.json"), "a repeat gives the same bytes")
		})
	}
}

func TestDownloadTrouble(t *testing.T) {
	for name, f := range map[string]gatewaytest.Fault{
		"missing":       {Kind: gatewaytest.FaultNamed, Value: "file_not_found"},
		"cut":           {Kind: gatewaytest.FaultCut, Bytes: 100},
		"cut cleanly":   {Kind: gatewaytest.FaultCut, Bytes: 100, Value: "clean"},
		"cut in a line": {Kind: gatewaytest.FaultMutate, Value: "cut_last_line"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, gatewaytest.Options{})
			b := w.finished(5, "completed", 5)
			w.fresh()
			in := activities.DownloadInput{Dialect: batch.DialectPhaseo, FileID: b.OutputFileID, Key: "res/raw/output.jsonl"}
			script(t, w, gatewaytest.OpContent, f)
			_, err := do(w, w.acts.Download, in)
			k, again := kind(t, err)
			require.Equal(t, batch.KindDownloadTruncated, k)
			require.True(t, again)
			_, statErr := w.store.Stat(t.Context(), in.Key)
			require.Error(t, statErr, "nothing of a bad transfer is visible")
			must(w, w.acts.Download, in)
		})
	}
	w := newWorld(t, gatewaytest.Options{})
	w.env.SetHeartbeatDetails(map[string]int{"count": 6})
	_, err := do(w, w.acts.Download, activities.DownloadInput{Dialect: batch.DialectPhaseo, FileID: "file-gone", Key: "res/raw/output.jsonl"})
	k, again := kind(t, err)
	require.Equal(t, batch.KindResultsUnavailable, k, "a file that stays away is the answer")
	require.False(t, again)
}

// A file that stays shorter than the gateway says is not the whole result: what
// it lacks must not be called missing.
func TestAShortFileIsNeverBelieved(t *testing.T) {
	w := newWorld(t, gatewaytest.Options{})
	b := w.finished(5, "completed", 5)
	w.fresh()
	whole := must(w, w.acts.Download, activities.DownloadInput{Dialect: batch.DialectPhaseo, FileID: b.OutputFileID, Key: "res/raw/output.jsonl"})
	w.fresh()
	w.emulator.Script(gatewaytest.Rule{Op: gatewaytest.OpContent, Fault: gatewaytest.Fault{
		Kind: gatewaytest.FaultCut, Bytes: whole.Ref.Size / 5, Value: "clean",
	}})
	w.env.SetHeartbeatDetails(map[string]int{"count": 6})
	_, err := do(w, w.acts.Download, activities.DownloadInput{Dialect: batch.DialectPhaseo, FileID: b.OutputFileID, Key: "res/raw/output.jsonl"})
	k, again := kind(t, err)
	require.Equal(t, batch.KindResultsUnavailable, k)
	require.False(t, again)
}

func TestCutLastLineIsBelievedInTheEnd(t *testing.T) {
	w := newWorld(t, gatewaytest.Options{})
	b := w.finished(5, "completed", 5)
	w.fresh()
	w.emulator.Script(gatewaytest.Rule{Op: gatewaytest.OpContent, Fault: gatewaytest.Fault{Kind: gatewaytest.FaultMutate, Value: "cut_last_line"}})
	w.env.SetHeartbeatDetails(map[string]int{"count": 6})
	out := w.join(b, 5)
	require.Equal(t, int64(1), out.Results.Malformed)
	require.Equal(t, int64(1), out.Results.Missing)
}

func TestReconcileFailsLoudlyWhenRowsDoNotAddUp(t *testing.T) {
	w := newWorld(t, gatewaytest.Options{})
	in := w.joinInput(w.finished(5, "completed", 5), 7)
	_, err := do(w, w.acts.Reconcile, in)
	k, again := kind(t, err)
	require.Equal(t, batch.KindInputInvalid, k)
	require.False(t, again)
	_, err = w.store.Stat(t.Context(), "res/manifest.json")
	require.Error(t, err, "no manifest, no result")

	in.Answers[0].Ref.Key = "res/raw/absent.jsonl"
	_, err = do(w, w.acts.Reconcile, in)
	k, _ = kind(t, err)
	require.Equal(t, batch.KindInputUnavailable, k)
}
