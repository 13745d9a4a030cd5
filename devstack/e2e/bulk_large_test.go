package e2e_test

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper/batch"
)

// What a run of any size may use.
const (
	maxWorkerMemory = 200 << 20
	maxHistory      = 2500
)

// largeRows is the size of the run: BATCHKEEPER_LARGE rows of about a KiB, or a
// twentieth of what make test-large takes.
func largeRows(t *testing.T) int {
	t.Helper()
	text := os.Getenv("BATCHKEEPER_LARGE")
	if text == "" {
		return 50_000
	}
	rows, err := strconv.Atoi(text)
	require.NoError(t, err)
	return rows
}

// writeLargeInput puts rows of about a KiB into the store, one in a thousand of
// which fails at first.
func (w *world) writeLargeInput(n int) []string {
	w.t.Helper()
	path := filepath.Join(w.store(), inputKey)
	require.NoError(w.t, os.MkdirAll(filepath.Dir(path), 0o755))
	file, err := os.Create(path)
	require.NoError(w.t, err)
	out := bufio.NewWriter(file)
	ids := make([]string, n)
	text := strings.Repeat("All work and no play makes Jack a dull boy. ", 20)
	for i := range ids {
		ids[i] = fmt.Sprintf("row-%08d", i)
		mark := ""
		if i%1000 == 7 {
			mark = "[[429x1]] "
		}
		_, err := fmt.Fprintf(out, `{"custom_id":%q,"method":"POST","url":"/v1/responses","body":`+
			`{"model":"gpt-5-mini-2025-08-07","input":%q,"max_output_tokens":32}}`+"\n", ids[i], mark+text)
		require.NoError(w.t, err)
	}
	require.NoError(w.t, out.Flush())
	require.NoError(w.t, file.Close())
	return ids
}

// peak is the most memory that a process has held, in bytes; 0 where the system
// does not tell.
func (p *process) peak() int64 {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(raw)) {
		if text, found := strings.CutPrefix(line, "VmHWM:"); found {
			kib, _ := strconv.ParseInt(strings.Fields(text)[0], 10, 64)
			return kib << 10
		}
	}
	return 0
}

// longestHistory is the number of events of the longest history that the run and
// its batches have left.
func (r *run) longestHistory() int64 {
	r.w.t.Helper()
	longest := int64(0)
	for _, h := range r.histories() {
		longest = max(longest, int64(len(h.GetEvents())))
	}
	for _, b := range r.w.gateway.BatchesOf("") {
		id, _, _ := strings.Cut(b.SessionID, "~")
		d, err := r.w.client.DescribeWorkflowExecution(r.w.t.Context(), id, "")
		require.NoError(r.w.t, err)
		longest = max(longest, d.GetWorkflowExecutionInfo().GetHistoryLength())
	}
	return longest
}

// A large input needs more time and more disk, and no more memory.
func TestBulkLarge(t *testing.T) {
	t.Parallel()
	rows := largeRows(t)
	w := newWorld(t, endsAfter(2*time.Second))
	ids := w.writeLargeInput(rows)
	began := time.Now()
	r := w.startBulk(ids, func(j *batch.Job) { j.MaxInFlight = 4 })
	result := r.waitWithin(bulkPatience + time.Duration(rows)*4*time.Millisecond)
	took := time.Since(began)
	peak, longest := w.worker.peak(), r.longestHistory()
	t.Logf("%d rows in %s, %.0f rows/s; the worker's peak %d MiB; the longest of %d batches' histories and the run's %d: %d events", rows,
		took.Round(time.Second), float64(rows)/took.Seconds(), peak>>20, len(w.gateway.BatchesOf("")), len(r.histories()), longest)
	require.Equal(t, batch.OutcomeCompleted, result.Outcome)
	require.EqualValues(t, rows, result.Bulk.Counts.Answered)
	require.Equal(t, 2, result.Bulk.Round)
	if len(buildFlags) == 0 { // the race detector multiplies memory
		require.Less(t, peak, int64(maxWorkerMemory))
	}
	require.Less(t, longest, int64(maxHistory))
	r.holds(result)
}
