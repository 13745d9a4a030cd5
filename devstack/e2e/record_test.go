package e2e_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/stretchr/testify/require"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/temporalproto"

	"batchkeeper/batch"
)

// recordTo names the directory into which the runs' histories are written, for
// the replay tests: later code must still be able to replay them.
const recordTo = "BATCHKEEPER_RECORD"

// recordHistory writes the history of a run that has ended, and of each that it
// continued as, under the run's id.
func (r *run) recordHistory() {
	dir := os.Getenv(recordTo)
	if dir == "" {
		return
	}
	r.w.t.Helper()
	for i, h := range r.histories() {
		name := r.ID()
		if i > 0 {
			name += fmt.Sprintf(".%d", i+1)
		}
		r.w.record(filepath.Join(dir, name+".json"), h)
	}
}

// recordBulk does the same for a bulk run, unless it is a long one, and for the
// governor that it asked.
func (r *run) recordBulk(result batch.Result) {
	dir := os.Getenv(recordTo)
	if dir == "" || len(r.ids) > longestRecorded {
		return
	}
	r.w.t.Helper()
	r.recordHistory()
	if id := result.Bulk.Governor; id != "" {
		r.w.record(filepath.Join(dir, r.ID()+".governor.json"), r.w.history(id, ""))
	}
}

// longestRecorded is the most rows of a bulk run whose history is kept.
const longestRecorded = 1000

func (w *world) record(path string, h *historypb.History) {
	w.t.Helper()
	require.NoError(w.t, os.MkdirAll(filepath.Dir(path), 0o755))
	host, err := os.Hostname()
	require.NoError(w.t, err)
	raw, err := temporalproto.CustomJSONMarshalOptions{Indent: " "}.Marshal(h)
	require.NoError(w.t, err)
	raw = bytes.ReplaceAll(raw, []byte("@"+host), []byte("@host")) // a history is about the run, not about this machine
	require.NoError(w.t, os.WriteFile(path, append(raw, '\n'), 0o644))
}
