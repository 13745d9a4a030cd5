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
	require.Contains(t, got.out, "round 1")
	requireRows(t, dir, 9)
	var m batch.Manifest
	raw, err := os.ReadFile(filepath.Join(dir, batch.FileManifest))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(raw, &m))
	require.Equal(t, 3, m.Bulk.Shards)

	for range 2 {
		got = starter(t, "results", "in-bulk", "--output", dir)
		require.Equal(t, exitOK, got.code, got.err)
		requireRows(t, dir, 9)
	}
	got = starter(t, "status", "in-bulk")
	require.Contains(t, got.out, "shards")
	require.Equal(t, exitOK, starter(t, "watch", "in-bulk").code)
}

func TestControlOfABulkRun(t *testing.T) {
	t.Parallel()
	got := starter(t, "run", rows(t, 9), "--id", "controlled", "--max-rows-per-batch", "3", "--max-in-flight", "1",
		"--poll-min", "1s", "--poll-max", "1s", "--detach")
	require.Equal(t, exitOK, got.code, got.err)
	finishBatches(t, "controlled", 1)
	got = starter(t, "pause", "controlled", "--reason", "lunch")
	require.Equal(t, exitOK, got.code, got.err)
	require.Contains(t, got.out, "paused: lunch")
	got = starter(t, "pause", "controlled")
	require.Equal(t, exitFailed, got.code)
	require.Contains(t, got.err, "paused already")
	got = starter(t, "set", "controlled", "--max-in-flight", "2", "--rounds", "1", "--json")
	require.Equal(t, exitOK, got.code, got.err)
	var s batch.State
	require.NoError(t, json.Unmarshal([]byte(got.out), &s))
	require.Equal(t, 2, s.Bulk.MaxFlight)
	require.Equal(t, exitUsage, starter(t, "set", "controlled").code)
	require.Equal(t, exitUsage, starter(t, "set", "controlled", "--rounds", "0").code)
	require.Equal(t, exitOK, starter(t, "resume", "controlled").code)
	require.Equal(t, exitFailed, starter(t, "resume", "controlled").code)
	wait := launch(t.Context(), newWorld(), "watch", "controlled")
	finishRest(t, "controlled", wait)
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
