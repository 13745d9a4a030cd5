package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"batchkeeper"
	"batchkeeper/batch"
	"batchkeeper/internal/gateway/gatewaytest"
)

// Every wait of these tests is on a condition; these bound it.
const (
	waitFor = 30 * time.Second
	tick    = 50 * time.Millisecond
)

// finishedRun runs an input to a completed end.
func finishedRun(t *testing.T, id string, n int) {
	t.Helper()
	end := launch(t.Context(), newWorld(), "run", rows(t, n), "--id", id, "--poll-min", "1s", "--poll-max", "1s")
	require.NoError(t, gateway.Finish(batchOf(t, id), "completed", -1))
	got := end()
	require.Equal(t, exitOK, got.code, got.err)
	require.Contains(t, got.out, "outcome  completed")
	require.Contains(t, got.out, "starter results "+id+" --output DIR")
}

// It comes before the parallel tests: its faults are for every create.
func TestSettle(t *testing.T) {
	gateway.Script(gatewaytest.Rule{Op: gatewaytest.OpCreate, Fault: gatewaytest.Fault{Kind: gatewaytest.FaultDrop}})
	got := starter(t, "run", rows(t, 2), "--id", "doubtful", "--detach")
	require.Equal(t, exitOK, got.code, got.err)
	require.Eventually(t, func() bool {
		s := stateOf(t, "doubtful")
		return s.Submission != nil && s.Submission.Ambiguous
	}, waitFor, tick)
	got = starter(t, "run", rows(t, 2), "--id", "doubtful-bulk", "--type", "bulk", "--detach", "--poll-min", "1s", "--poll-max", "1s")
	require.Equal(t, exitOK, got.code, got.err)
	unit := batch.ChildID("doubtful-bulk", 1, 1, 1)
	require.Eventually(t, func() bool { return strings.Contains(starter(t, "status", unit).out, "to settle") }, waitFor, tick)
	gateway.ClearScript()

	got = starter(t, "settle", "doubtful-bulk", "--resubmit")
	require.Equal(t, exitUsage, got.code)
	require.Contains(t, got.err, "doubtful-bulk is a bulk run: a batch of it is settled by its own id; ambiguous: "+unit)
	require.Equal(t, exitOK, starter(t, "settle", unit, "--resubmit").code)
	require.Contains(t, starter(t, "settle", "doubtful-bulk", "--resubmit").err, "live: "+unit)
	finishBatches(t, "doubtful-bulk", 1)
	require.Equal(t, exitOK, starter(t, "watch", "doubtful-bulk").code)
	require.Contains(t, starter(t, "settle", "doubtful-bulk", "--resubmit").err, "none is live")

	status := starter(t, "status", "doubtful")
	require.Contains(t, status.out, "starter settle doubtful --batch-id ID, or --resubmit")
	require.Contains(t, status.out, "doubtful~")
	for _, args := range [][]string{{"settle", "doubtful"}, {"settle", "doubtful", "--resubmit", "--batch-id", "b"}} {
		require.Equal(t, exitUsage, starter(t, args...).code)
	}
	require.Equal(t, exitFailed, starter(t, "settle", "doubtful", "--batch-id", "batch_of_nobody").code)
	got = starter(t, "settle", "doubtful", "--resubmit", "--json")
	require.Equal(t, exitOK, got.code, got.err)
	require.NoError(t, gateway.Finish(batchOf(t, "doubtful"), "completed", -1))

	got = starter(t, "settle", "doubtful", "--resubmit")
	require.Equal(t, exitFailed, got.code)
	for _, args := range [][]string{{"pause", "doubtful"}, {"resume", "doubtful"}, {"set", "doubtful", "--rounds", "2"}} {
		got = starter(t, args...)
		require.Equal(t, exitUsage, got.code)
		require.Contains(t, got.err, args[0]+" is for a BulkWorkflow")
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	got := starter(t, "run", rows(t, 3), "--id", "cancel", "--detach")
	require.Equal(t, exitOK, got.code, got.err)
	batchOf(t, "cancel")
	got = starter(t, "cancel", "cancel", "--reason", "wrong file", "--wait")
	require.Equal(t, exitOK, got.code, got.err)
	require.Contains(t, got.out, "requested by tester: wrong file (accepted)")
	require.Equal(t, exitCancelled, starter(t, "watch", "cancel").code)

	got = starter(t, "cancel", "cancel", "--json")
	require.Equal(t, exitOK, got.code, "what has finished needs no cancel")
	require.Contains(t, got.err, "already finished")
	var s batch.State
	require.NoError(t, json.Unmarshal([]byte(got.out), &s))
	require.Equal(t, batch.OutcomeCancelled, s.Outcome)
}

func TestCancelWithoutAWorkerIsLeftWithTheRun(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.app.lookup = func(name string) (string, bool) {
		if name == "BATCHKEEPER_TASK_QUEUE" {
			return "deserted", true
		}
		return lookup(name)
	}
	require.Equal(t, exitOK, launch(t.Context(), w, "run", rows(t, 1), "--id", "deserted", "--detach")().code)
	got := starter(t, "status", "deserted")
	require.Equal(t, exitFailed, got.code)
	require.Contains(t, got.err, "no worker answers on task queue deserted")
	got = starter(t, "cancel", "deserted")
	require.Equal(t, exitOK, got.code, got.err)
	require.Contains(t, got.err, "takes effect when one runs")
}

func TestResultsMayBeRepeated(t *testing.T) {
	t.Parallel()
	finishedRun(t, "collected", 3)
	dir := t.TempDir()
	stale := filepath.Join(dir, batch.FileUnmatched)
	require.NoError(t, os.WriteFile(stale, []byte("of another run\n"), 0o600))
	for range 2 {
		got := starter(t, "results", "collected", "--output", dir)
		require.Equal(t, exitOK, got.code, got.err)
		requireRows(t, dir, 3)
		require.NoFileExists(t, stale)
	}
	got := starter(t, "results", "collected", "--output", dir, "--refetch", "--json")
	require.Equal(t, exitOK, got.code, got.err)
	require.Contains(t, got.err, "collecting again as collected-refetch-1")
	requireRows(t, dir, 3)
	got = starter(t, "results", "collected", "--output", dir, "--refetch")
	require.Contains(t, got.err, "collecting again as collected-refetch-2")

	// A file that is not what the manifest says of it is not handed out.
	var result batch.Result
	require.NoError(t, json.Unmarshal([]byte(starter(t, "status", "collected", "--json").out), &result))
	store := strings.TrimPrefix(vars["BATCHKEEPER_STORE"], "file://")
	require.NoError(t, os.WriteFile(filepath.Join(store, result.Results.Prefix, batch.FileResults), []byte("{}\n"), 0o600))
	got = starter(t, "results", "collected", "--output", dir)
	require.Equal(t, exitFailed, got.code)
	require.Contains(t, got.err, "not the file that the manifest describes")
	require.NoFileExists(t, filepath.Join(dir, batch.FileManifest), "no manifest, no result")
}

func TestARunThatTemporalHasForgotten(t *testing.T) {
	t.Parallel()
	finishedRun(t, "before", 2)
	store := strings.TrimPrefix(vars["BATCHKEEPER_STORE"], "file://")
	require.NoError(t, os.CopyFS(filepath.Join(store, "forgotten"), os.DirFS(filepath.Join(store, "before"))))
	dir := t.TempDir()
	got := starter(t, "results", "forgotten", "--output", dir)
	require.Equal(t, exitOK, got.code, got.err)
	requireRows(t, dir, 2)
	got = starter(t, "status", "forgotten")
	require.Equal(t, exitOK, got.code, got.err)
	require.Contains(t, got.out, "2: 2 succeeded")
}

func TestARunThatWasTerminated(t *testing.T) {
	t.Parallel()
	require.Equal(t, exitOK, starter(t, "run", rows(t, 2), "--id", "terminated", "--detach").code)
	id := batchOf(t, "terminated")
	require.Eventually(t, func() bool { return stateOf(t, "terminated").BatchID == id }, waitFor, tick)
	require.NoError(t, temporal.Client().TerminateWorkflow(t.Context(), "terminated", "", "for the test"))

	require.Equal(t, exitFailed, starter(t, "watch", "terminated").code)
	require.Equal(t, exitOK, starter(t, "cancel", "terminated").code)
	status := starter(t, "status", "terminated")
	require.Contains(t, status.err, "ended from outside")
	require.Contains(t, status.out, id)
	dir := t.TempDir()
	got := starter(t, "results", "terminated", "--output", dir)
	require.Equal(t, exitFailed, got.code)
	require.Contains(t, got.err, "--refetch")

	require.NoError(t, gateway.Finish(id, "completed", -1))
	got = starter(t, "results", "terminated", "--output", dir, "--refetch")
	require.Equal(t, exitOK, got.code, got.err)
	requireRows(t, dir, 2)
}

func TestABulkRunThatWasTerminated(t *testing.T) {
	t.Parallel()
	const id = "stopped"
	got := starter(t, "run", rows(t, 4), "--id", id, "--max-rows-per-batch", "2", "--poll-min", "1s", "--poll-max", "1s", "--detach")
	require.Equal(t, exitOK, got.code, got.err)
	own := []string{"list", "--all", "--query", "WorkflowId STARTS_WITH '" + id + "/'"}
	require.Eventually(t, func() bool { return strings.Contains(starter(t, own...).out, batch.ChildID(id, 1, 2, 1)) }, waitFor, tick)
	require.NoError(t, temporal.Client().TerminateWorkflow(t.Context(), id, "", "for the test"))

	list := []string{"list", "--query", "WorkflowId = '" + id + "'"}
	require.Eventually(t, func() bool { return strings.Contains(starter(t, list...).out, "terminated") }, waitFor, tick)
	require.NotContains(t, starter(t, append(list, "--status", "running")...).out, id)
	dir := t.TempDir()
	for _, args := range [][]string{{"status", id}, {"results", id, "--output", dir}, {"results", id, "--output", dir, "--refetch"}} {
		got = starter(t, args...)
		require.Contains(t, got.err, listBatches(id))
		require.Contains(t, got.err, "temporal workflow reset --workflow-id stopped --type FirstWorkflowTask")
	}
	_, err := temporal.Client().ResetWorkflowExecution(t.Context(), &workflowservice.ResetWorkflowExecutionRequest{
		Namespace: "default", WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: id}, Reason: "for the test",
		WorkflowTaskFinishEventId: 4, RequestId: id, // the first workflow task's end
		ResetReapplyExcludeTypes: []enumspb.ResetReapplyExcludeType{enumspb.RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL, enumspb.RESET_REAPPLY_EXCLUDE_TYPE_UPDATE},
	})
	require.NoError(t, err)
	wait := launch(t.Context(), newWorld(), "watch", id, "--output", dir)
	finishRest(t, id, wait)
	requireRows(t, dir, 4)
	sent := 0
	for _, b := range gateway.BatchesOf("") {
		if strings.HasPrefix(b.SessionID, id+"/") {
			sent++
		}
	}
	require.Equal(t, 2, sent, "nothing is sent twice")
}

func TestAdopt(t *testing.T) {
	t.Parallel()
	finishedRun(t, "parent", 2)
	id, dir := batchOf(t, "parent"), t.TempDir()
	got := starter(t, "adopt", id, "--output", dir)
	require.Equal(t, exitOK, got.code, got.err)
	require.Contains(t, got.out, "adopt-"+id)
	requireRows(t, dir, 2)
	again := starter(t, "adopt", id, "--rerun", "--detach")
	require.Equal(t, exitOK, again.code, again.err)
	for _, flag := range []string{"--dry-run", "--type=batch"} {
		require.Contains(t, starter(t, "adopt", id, flag).err, "unknown flag")
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	require.Equal(t, exitOK, starter(t, "run", rows(t, 2), "--id", "list-1", "--detach").code)
	id := batchOf(t, "list-1")
	args := []string{"list", "--status", "pending", "--query", "WorkflowId = 'list-1'"}
	require.Eventually(t, func() bool { return strings.Contains(starter(t, args...).out, id) }, waitFor, tick)
	var runs []batchkeeper.Listed
	require.NoError(t, json.Unmarshal([]byte(starter(t, append(args, "--json")...).out), &runs))
	require.Len(t, runs, 1)
	require.Equal(t, int64(2), runs[0].Rows)
	require.JSONEq(t, "[]", starter(t, "list", "--outcome", "expired", "--query", "WorkflowId = 'list-1'", "--json").out)
	require.Equal(t, exitUsage, starter(t, "list", "--status", "x'").code)
	require.Equal(t, exitUsage, starter(t, "list", "--limit", "0").code)
	require.Equal(t, exitFailed, starter(t, "list", "--query", "Nonsense = 1").code)
}
