package e2e_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"

	"batchkeeper"
	"batchkeeper/batch"
	"batchkeeper/internal/gateway/gatewaytest"
)

// bulkPatience bounds the wait for a run of many batches.
const bulkPatience = 5 * time.Minute

// startBulk runs what writeInput has written as a bulk run.
func (w *world) startBulk(ids []string, change ...func(*batch.Job)) *run {
	w.t.Helper()
	job := batch.Job{
		Input: inputKey, WebhookEndpointID: w.gateway.EndpointID(),
		Poll: batch.PollPolicy{Min: batch.Duration(time.Second), Max: batch.Duration(2 * time.Second)},
	}
	for _, c := range change {
		c(&job)
	}
	started, err := batchkeeper.Start(w.t.Context(), w.client, job, batchkeeper.WithID(w.id()), batchkeeper.WithTaskQueue(w.queue),
		batchkeeper.WithType(batch.WorkflowBulk))
	require.NoError(w.t, err)
	return &run{Run: started, w: w, ids: ids}
}

// waitBulk waits for the end of a bulk run and holds it to what every bulk run
// promises.
func (r *run) waitBulk() batch.Result {
	r.w.t.Helper()
	result := r.waitWithin(bulkPatience)
	r.holds(result)
	return result
}

// holds checks the promises of a bulk run that has ended.
func (r *run) holds(result batch.Result) {
	r.w.t.Helper()
	r.oneBatchAUnit()
	r.childrenClosed()
	r.partsConserve(result)
	r.noSecretInHistory()
	r.recordBulk(result)
}

// waitWithin waits for the end, and asks nothing of it.
func (r *run) waitWithin(patience time.Duration) batch.Result {
	t := r.w.t
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	result, err := r.Wait(ctx)
	if err != nil {
		state, _ := r.State(t.Context())
		seen, _ := json.Marshal(state)
		t.Logf("the last state: %s", seen)
	}
	require.NoError(t, err)
	return result
}

// unitOf finds the unit in a session: a try after the first has its number behind it.
var unitOf = regexp.MustCompile(`^(.*/r\d+/s\d+)(?:\.\d+)?~`)

// oneBatchAUnit holds a run to at most one batch for each unit of a round, by
// the gateway's account. One that failed at validation carried no row.
func (r *run) oneBatchAUnit() {
	t := r.w.t
	t.Helper()
	accepted := map[string]int{}
	for _, b := range r.w.gateway.BatchesOf("") {
		unit := unitOf.FindStringSubmatch(b.SessionID)
		require.NotNil(t, unit, "session %q", b.SessionID)
		if b.Accepted && b.Status != string(batch.StatusFailed) {
			accepted[unit[1]]++
		}
	}
	for unit, n := range accepted {
		require.LessOrEqual(t, n, 1, "batches of %s", unit)
	}
}

// childrenClosed waits until no workflow below the run is open: the last of them
// closes a moment after it has told of its end.
func (r *run) childrenClosed() {
	r.w.t.Helper()
	seen := map[string]bool{}
	for _, b := range r.w.gateway.BatchesOf("") {
		id, _, _ := strings.Cut(b.SessionID, "~")
		if seen[id] {
			continue
		}
		seen[id] = true
		r.w.eventually("workflow "+id+" is closed", func() bool {
			d, err := r.w.client.DescribeWorkflowExecution(r.w.t.Context(), id, "")
			return err == nil && d.GetWorkflowExecutionInfo().GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
		})
	}
}

// partsConserve holds the final files to the promise: every row of the input
// stands in exactly one of them, once, in the order of the input.
func (r *run) partsConserve(result batch.Result) {
	t := r.w.t
	t.Helper()
	if result.Results == nil {
		return
	}
	dir := filepath.Join(r.w.store(), filepath.FromSlash(result.Results.Prefix))
	m := readManifest(r.w, dir)
	c := m.Counts
	require.EqualValues(t, len(r.ids), c.Rows)
	require.Equal(t, c.Rows, c.Succeeded+c.RowErrors+c.Expired+c.Missing+c.Cancelled+c.Invalid, "the conservation law")
	require.Len(t, m.Files, 2*m.Bulk.Shards)
	var all []string
	answered := 0
	for shard := 1; shard <= m.Bulk.Shards; shard++ {
		good := r.customIDs(filepath.Join(dir, batch.PartName(batch.FolderResults, shard)))
		bad := r.customIDs(filepath.Join(dir, batch.PartName(batch.FolderFailures, shard)))
		require.True(t, slices.IsSorted(good), "results of shard %d are in the order of the input", shard)
		answered += len(good)
		part := slices.Concat(good, bad)
		slices.Sort(part)
		all = append(all, part...)
	}
	require.Equal(t, r.ids, all, "every row, once, shard after shard")
	require.EqualValues(t, answered, c.Succeeded)
}

func readManifest(w *world, dir string) batch.Manifest {
	w.t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, batch.FileManifest))
	require.NoError(w.t, err)
	var m batch.Manifest
	require.NoError(w.t, json.Unmarshal(raw, &m))
	return m
}

// mostLive is how many batches were live at a time, by the gateway's journal.
func (w *world) mostLive() int {
	live, most := 0, 0
	for _, e := range w.gateway.Journal() {
		switch {
		case effect(gatewaytest.EffectBatchCreated)(e):
			live++
		case effect(gatewaytest.EffectBatchFinished)(e):
			live--
		}
		most = max(most, live)
	}
	return most
}
