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
