package e2e_test

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"batchkeeper/batch"
)

// atMostOneBatch holds the run to the first promise, by the gateway's account.
func (r *run) atMostOneBatch() {
	r.w.t.Helper()
	state, err := r.State(r.w.t.Context())
	require.NoError(r.w.t, err)
	accepted := 0
	for _, b := range r.w.gateway.BatchesOf(state.SessionID) {
		if b.Accepted {
			accepted++
		}
	}
	require.LessOrEqual(r.w.t, accepted, 1, "batches of session %s", state.SessionID)
}

// everyRowOnce holds the results to the second promise: each row stands in
// exactly one of the files, in the order of the input. Without a manifest there
// is no result to hold to it.
func (r *run) everyRowOnce(result batch.Result) {
	t := r.w.t
	t.Helper()
	if result.Results == nil {
		return
	}
	dir := filepath.Join(r.w.store(), filepath.FromSlash(result.Results.Prefix))
	require.FileExists(t, filepath.Join(dir, batch.FileManifest))
	answered, others := r.customIDs(filepath.Join(dir, batch.FileResults)), r.customIDs(filepath.Join(dir, batch.FileFailures))
	require.True(t, slices.IsSorted(answered), "the results are in the order of the input")
	require.True(t, slices.IsSorted(others), "the failures are in the order of the input")
	all := slices.Sorted(slices.Values(append(slices.Clone(answered), others...)))
	require.Equal(t, r.ids, all, "every row, once")
	require.EqualValues(t, len(r.ids), result.Results.Rows)
	require.EqualValues(t, len(answered), result.Results.Succeeded)
	require.EqualValues(t, len(others), result.Results.Failed+result.Results.Missing)
}

// customIDs are those of a file's lines; a file that is not there has none.
func (r *run) customIDs(path string) []string {
	t := r.w.t
	t.Helper()
	f, err := os.Open(path)
	if os.IsNotExist(err) {
		return nil
	}
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	var ids []string
	lines := bufio.NewScanner(f)
	for lines.Buffer(nil, 1<<20); lines.Scan(); {
		var line struct {
			CustomID string `json:"custom_id"`
		}
		require.NoError(t, json.Unmarshal(lines.Bytes(), &line))
		ids = append(ids, line.CustomID)
	}
	require.NoError(t, lines.Err())
	return ids
}

// histories are those of the run and of all that it continued as.
func (r *run) histories() []*historypb.History {
	t := r.w.t
	t.Helper()
	var all []*historypb.History
	for id := r.RunID(); id != ""; {
		h := r.w.history(r.ID(), id)
		all = append(all, h)
		last := h.GetEvents()[len(h.GetEvents())-1]
		id = last.GetWorkflowExecutionContinuedAsNewEventAttributes().GetNewExecutionRunId()
	}
	return all
}

// history is that of one execution; the newest where it is not named.
func (w *world) history(workflowID, runID string) *historypb.History {
	w.t.Helper()
	h := &historypb.History{}
	events := w.client.GetWorkflowHistory(w.t.Context(), workflowID, runID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		require.NoError(w.t, err)
		h.Events = append(h.Events, event)
	}
	return h
}

// noSecretInHistory searches what Temporal keeps of the run.
func (r *run) noSecretInHistory() {
	r.w.t.Helper()
	for _, h := range r.histories() {
		require.NoError(r.w.t, searchText(h.String()))
	}
}

// events counts the events of a type.
func (r *run) events(kind enumspb.EventType) int {
	r.w.t.Helper()
	n := 0
	for _, h := range r.histories() {
		for _, e := range h.GetEvents() {
			if e.GetEventType() == kind {
				n++
			}
		}
	}
	return n
}

// temporalStatus is how the server shows the run.
func (r *run) temporalStatus() enumspb.WorkflowExecutionStatus {
	r.w.t.Helper()
	d, err := r.w.client.DescribeWorkflowExecution(r.w.t.Context(), r.ID(), "")
	require.NoError(r.w.t, err)
	return d.GetWorkflowExecutionInfo().GetStatus()
}

// pending tells whether a worker has an activity of the run in hand.
func (r *run) pending(activity string) bool {
	r.w.t.Helper()
	d, err := r.w.client.DescribeWorkflowExecution(r.w.t.Context(), r.ID(), "")
	require.NoError(r.w.t, err)
	for _, a := range d.GetPendingActivities() {
		if a.GetActivityType().GetName() == activity && a.GetState() == enumspb.PENDING_ACTIVITY_STATE_STARTED {
			return true
		}
	}
	return false
}
