package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper/batch"
)

// finishBatches ends the batches of a bulk run at the provider as they come.
func finishBatches(t *testing.T, id string, n int) {
	t.Helper()
	done := map[string]bool{}
	require.Eventually(t, func() bool {
		for _, b := range gateway.BatchesOf("") {
			if strings.HasPrefix(b.SessionID, id+"/") && !done[b.ID] && gateway.Finish(b.ID, string(batch.StatusCompleted), -1) == nil {
				done[b.ID] = true
			}
		}
		return len(done) == n
	}, 40*time.Second, 50*time.Millisecond, "the batches of %s", id)
}

func TestBulkRun(t *testing.T) {
	t.Parallel()
	input, dir := rows(t, 9), t.TempDir()
	args := []string{"run", input, "--id", "in-bulk", "--max-rows-per-batch", "4", "--max-in-flight", "2", "--poll-min", "1s", "--poll-max", "1s"}
	wait := launch(t.Context(), newWorld(), append(args, "--output", dir)...)
	finishBatches(t, "in-bulk", 3)
	got := wait()
	require.Equal(t, exitOK, got.code, got.err)
	require.Contains(t, got.out, "9: 9 succeeded")
	require.Contains(t, got.out, "estimated: ")
	require.Contains(t, got.out, "round 1")
	requireRows(t, dir, 9)
	require.Equal(t, 3, requireManifest(t, dir).Bulk.Shards)

	for range 2 {
		got = starter(t, "results", "in-bulk", "--output", dir)
		require.Equal(t, exitOK, got.code, got.err)
		requireRows(t, dir, 9)
		requireManifest(t, dir)
	}
	got = starter(t, "results", "in-bulk", "--output", dir, "--refetch")
	require.Equal(t, exitUsage, got.code)
	require.Contains(t, got.err, "starter results in-bulk/r1/s00001 --output DIR --refetch")
	require.Contains(t, got.err, listBatches("in-bulk"))
	got = starter(t, "status", "in-bulk")
	require.Contains(t, got.out, "shards")
	require.Equal(t, exitOK, starter(t, "watch", "in-bulk").code)
	requireWorkMayGo(t, "in-bulk", 9)
}

// requireWorkMayGo demands that a run's results need nothing below work/, nor
// does it take another fetch of a batch whose rows are a range of the input.
func requireWorkMayGo(t *testing.T, id string, n int) {
	t.Helper()
	store := strings.TrimPrefix(vars["BATCHKEEPER_STORE"], "file://")
	require.NoError(t, os.RemoveAll(filepath.Join(store, stateOf(t, id).Results.Prefix, "work")))
	require.NoError(t, os.CopyFS(filepath.Join(store, id+"-forgotten"), os.DirFS(filepath.Join(store, id))))
	for _, known := range []string{id, id + "-forgotten"} {
		dir := t.TempDir()
		got := starter(t, "results", known, "--output", dir)
		require.Equal(t, exitOK, got.code, got.err)
		requireRows(t, dir, n)
		requireManifest(t, dir)
		require.Equal(t, exitOK, starter(t, "status", known).code)
	}
	unit := batch.ChildID(id, 1, 1, 1)
	require.Equal(t, exitFailed, starter(t, "results", unit, "--output", t.TempDir()).code)
	got := starter(t, "results", unit, "--output", t.TempDir(), "--refetch")
	require.Equal(t, exitOK, got.code, got.err)
}

func TestPaceIsShown(t *testing.T) {
	began := noon.Add(-30 * time.Minute)
	s := batch.State{Bulk: &batch.Bulk{StartedAt: began, Round: 1, Rounds: 3, Units: 4, Ended: 2, Counts: batch.BulkCounts{Answered: 900, Open: 900}}}
	require.Contains(t, progressText(s, 0, noon), "2/4 batches  900/1800 rows answered  1800 rows/h, about 30m0s left")
	require.Contains(t, statusTable(s, "nightly-1", memory(t), noon), "pace    1800 rows/h, about 30m0s left")
	s.Bulk.Paused, s.Bulk.Counts.Answered = "paused", 90_000
	require.Contains(t, progressText(s, 0, noon), "50 rows/s")
	require.NotContains(t, progressText(s, 0, noon), "left")
	s.Bulk.Paused, s.Bulk.Cancelled = "", &batch.CancelSummary{}
	require.Contains(t, progressText(s, 0, noon), "50 rows/s")
	require.NotContains(t, progressText(s, 0, noon), "left")
	s.Bulk.Counts.Open = 0
	require.Empty(t, pace(s, noon))
}

func TestStatusOfABulkRun(t *testing.T) {
	s := batch.State{
		Stage: batch.StageCancelling, LifecycleStatus: batch.Running,
		Bulk: &batch.Bulk{
			StartedAt: noon, Shards: 9, Round: 2, Rounds: 3, Units: 4, Ended: 1, MaxFlight: 7, Budget: 0.002, Governor: "governor~acct/phaseo",
			Past:      []batch.RoundSummary{{Round: 1, Batches: 9, Rows: 90, Answered: 50, Again: 40}},
			Counts:    batch.BulkCounts{Answered: 60, Open: 30},
			Cancelled: &batch.CancelSummary{Told: 2, Cancelled: 1}, Paused: "paused: lunch",
			Causes: []batch.Cause{{Cause: "batch_cancelled", Rows: 30}},
			Pages:  &batch.DownstreamState{Started: 5, Running: 2, Completed: 3},
			Live:   []batch.LiveBatch{{WorkflowID: "b/r2/s00002", Stage: batch.UnitRunning, Rows: 10, Problem: "slow"}},
		},
		Cancellation: &batch.Cancellation{RequestedBy: "me", Reason: "wrong file"},
	}
	require.Equal(t, lines(
		"run        b",
		"stage      cancelling",
		"shards     9",
		"round 1    9 batches, 90 rows: 50 answered, 40 worth another try, 0.0000 USD",
		"round      2 of 3: 1 of 4 batches ended, at most 7 at a time",
		"counts     60 answered, 0 failed, 0 invalid, 0 cancelled, 30 open",
		"money      0.0000 USD, 0 tokens",
		"budget     0.002 USD",
		"paused     lunch",
		"cancelled  2 batches told: 1 cancelled, 0 too late, 0 unconfirmed; 0 never sent",
		"pages      5 started: 2 running, 3 completed, 0 failed, 0 cancelled; 0 not run",
		"no answer  30 rows: batch_cancelled",
		"governor   governor~acct/phaseo",
		"live       b/r2/s00002: running, 10 rows: slow",
		"cancel     requested by me: wrong file (no answer yet)",
	), statusTable(s, "b", memory(t), noon))
}

func TestDryRunStartsNothing(t *testing.T) {
	t.Parallel()
	input := rows(t, 9)
	args := []string{"run", input, "--dry-run", "--id", "never", "--max-rows-per-batch", "4"}
	got := starter(t, args...)
	require.Equal(t, exitOK, got.code, got.err)
	require.Contains(t, got.out, "9 rows")
	require.Contains(t, got.out, "bulk: 3 batches, the rows travel in the create calls")
	require.Contains(t, got.out, "no price")
	require.Contains(t, got.err, "nothing was started")
	require.Contains(t, starter(t, "status", "never").err, "no such run")

	got = starter(t, append(args, "--json")...)
	require.Equal(t, exitOK, got.code, got.err)
	var found findings
	require.NoError(t, json.Unmarshal([]byte(got.out), &found))
	require.Equal(t, []any{true, typeBulk, 3, batch.CreateInline, int64(9)}, []any{found.Valid, found.Type, found.Batches, found.CreateMode, found.Rows})
	require.Positive(t, found.Estimate.InputTokens)
	require.Equal(t, 3, found.Estimate.Unpriced)

	limits := write(t, `{"metered":{"dialect":"phaseo","input_usd_per_million_tokens":100,"output_usd_per_million_tokens":1000,"creates_per_hour":1}}`)
	w := withLimits(limits)
	got = launch(t.Context(), w, append(args, "--profile", "metered", "--budget-usd", "0.01")...)()
	require.Equal(t, exitOK, got.code, got.err)
	for _, want := range []string{"about 0.", "0.01 USD, less than the first batch may cost: nothing would be sent", "at least 2h0m0s"} {
		require.Contains(t, got.out, want)
	}
	got = launch(t.Context(), w, append(args, "--profile", "metered", "--budget-usd", "0.3")...)()
	require.Contains(t, got.out, "0.30 USD, less than the estimate")
	require.Equal(t, exitUsage, starter(t, "adopt", "batch_1", "--dry-run").code)
}

func TestBadRowsOfABulkRun(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(rows(t, 3))
	require.NoError(t, err)
	input := write(t, string(raw)+"nonsense\n")
	got := starter(t, "run", input, "--type", "bulk")
	require.Equal(t, exitUsage, got.code)
	require.Contains(t, got.err, "line 4: ")
	require.Contains(t, got.err, "1 of 4 rows are bad")

	got = starter(t, "validate", input, "--on-bad-rows", "quarantine")
	require.Equal(t, exitOK, got.code, got.err)
	require.Contains(t, got.out, "line 4: ")
	require.Contains(t, got.out, "they are set aside")
	require.Equal(t, exitUsage, starter(t, "validate", write(t, "nonsense\n"), "--on-bad-rows", "quarantine").code, "nothing is left to send")

	got = starter(t, "run", input, "--dry-run", "--on-bad-rows", "quarantine")
	require.Equal(t, exitOK, got.code, got.err)
	require.Contains(t, got.out, "1 batch,")
}

func TestControlOfABulkRun(t *testing.T) {
	t.Parallel()
	got := starter(t, "run", rows(t, 9), "--id", "controlled", "--max-rows-per-batch", "3", "--max-in-flight", "1",
		"--poll-min", "1s", "--poll-max", "1s", "--detach")
	require.Equal(t, exitOK, got.code, got.err)
	finishBatches(t, "controlled", 1)
	got = starter(t, "pause", "controlled", "--reason", "lunch")
	require.Equal(t, exitOK, got.code, got.err)
	require.Regexp(t, `paused +lunch\n`, got.out)
	got = starter(t, "pause", "controlled")
	require.Equal(t, exitFailed, got.code)
	require.Contains(t, got.err, "paused already")
	got = starter(t, "set", "controlled", "--max-in-flight", "2", "--rounds", "1", "--json")
	require.Equal(t, exitOK, got.code, got.err)
	var s batch.State
	require.NoError(t, json.Unmarshal([]byte(got.out), &s))
	require.Equal(t, 2, s.Bulk.MaxFlight)
	require.Equal(t, batch.Running, s.LifecycleStatus)
	require.Contains(t, starter(t, "status", "controlled").out, " of 3 batches ended, at most 2 at a time")
	requireListed(t, "controlled")
	require.Equal(t, exitUsage, starter(t, "set", "controlled").code)
	require.Equal(t, exitUsage, starter(t, "set", "controlled", "--rounds", "0").code)
	require.Equal(t, exitOK, starter(t, "resume", "controlled").code)
	require.Equal(t, exitFailed, starter(t, "resume", "controlled").code)
	wait := launch(t.Context(), newWorld(), "watch", "controlled")
	finishRest(t, "controlled", wait)
}

// requireListed demands that a bulk run is found by its status, and is not buried
// under its batches.
func requireListed(t *testing.T, id string) {
	t.Helper()
	query := []string{"list", "--query", "WorkflowId STARTS_WITH '" + id + "'"}
	require.Eventually(t, func() bool {
		return strings.Contains(starter(t, append(query, "--status", "running")...).out, id+" ")
	}, waitFor, tick)
	got := starter(t, query...)
	require.NotContains(t, got.out, id+"/r1/")
	require.Contains(t, got.err, "of bulk runs not shown: --all shows them")
	got = starter(t, append(query, "--all")...)
	require.Contains(t, got.out, batch.ChildID(id, 1, 1, 1))
	require.NotContains(t, got.err, "not shown")
}

// finishRest ends what batches come until the run has ended.
func finishRest(t *testing.T, id string, wait func() outcome) {
	t.Helper()
	ended := make(chan outcome, 1)
	go func() { ended <- wait() }()
	require.Eventually(t, func() bool {
		for _, b := range gateway.BatchesOf("") {
			if strings.HasPrefix(b.SessionID, id+"/") {
				_ = gateway.Finish(b.ID, string(batch.StatusCompleted), -1) // most have ended already
			}
		}
		select {
		case got := <-ended:
			require.Equal(t, exitOK, got.code, got.err)
			return true
		default:
			return false
		}
	}, 40*time.Second, 50*time.Millisecond, "the end of %s", id)
}
