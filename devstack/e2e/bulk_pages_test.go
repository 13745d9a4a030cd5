package e2e_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"batchkeeper/batch"
)

// reader is a user's own worker: its workflow takes pages of answered rows in.
type reader struct {
	mu    sync.Mutex
	pages []batch.Page
}

// startReader starts it on a task queue of its own. One that holds keeps each
// page until it is cancelled.
func (w *world) startReader(holds bool) *reader {
	w.t.Helper()
	r := &reader{}
	own := worker.New(w.client, w.queue+"-pages", worker.Options{})
	own.RegisterActivityWithOptions(r.take, activity.RegisterOptions{Name: "take"})
	own.RegisterWorkflowWithOptions(func(ctx workflow.Context, p batch.Page) error {
		ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
		if err := workflow.ExecuteActivity(ctx, "take", p).Get(ctx, nil); err != nil || !holds {
			return err
		}
		return workflow.Await(ctx, func() bool { return false })
	}, workflow.RegisterOptions{Name: "IngestPage"})
	require.NoError(w.t, own.Start())
	w.t.Cleanup(own.Stop)
	return r
}

func (r *reader) take(_ context.Context, p batch.Page) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pages = append(r.pages, p)
	return nil
}

func (w *world) downstream(j *batch.Job) {
	j.Downstream = &batch.Downstream{Workflow: "IngestPage", TaskQueue: w.queue + "-pages", RowsPerPage: 30, MaxParallel: 4}
}

func (w *world) read(key string) string {
	w.t.Helper()
	raw, err := os.ReadFile(filepath.Join(w.store(), filepath.FromSlash(key)))
	require.NoError(w.t, err)
	return string(raw)
}

// Each answered row is in exactly one page, whichever round answered it.
func TestBulkPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t, endsAfter(time.Second))
	reader := w.startReader(false)
	ids := w.writeInput(marked(500, map[int]string{3: "[[429x1]]", 400: "[[fail]]"})...)
	result := w.startBulk(ids, inShards(100, 3), w.downstream).waitBulk()
	require.Equal(t, batch.OutcomeCompletedWithFailures, result.Outcome)
	require.Zero(t, result.Bulk.Pages.Failed+result.Bulk.Pages.Running+result.Bulk.Pages.NotRun)
	require.Len(t, reader.pages, result.Bulk.Pages.Completed)
	var read []string
	for _, p := range reader.pages {
		lines := strings.Split(strings.TrimSuffix(w.read(p.Key)[p.Offset:p.Offset+p.Length], "\n"), "\n")
		require.Len(t, lines, int(p.Rows))
		for _, line := range lines {
			_, id, _ := strings.Cut(line, `"custom_id":"`)
			id, _, _ = strings.Cut(id, `"`)
			read = append(read, id)
		}
	}
	slices.Sort(read)
	require.Equal(t, slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return id == "row-000400" }), read)
}

// A cancelled run starts no new page, and stops those that run.
func TestBulkPagesCancelled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, endsAfter(time.Second))
	reader := w.startReader(true)
	r := w.startBulk(w.writeInput(prompts(300)...), inShards(100, 3), w.downstream)
	r.await("pages run", func(s batch.State) bool { return s.Bulk != nil && s.Bulk.Pages != nil && s.Bulk.Pages.Running == 4 })
	r.await("all batches have ended", func(s batch.State) bool { return s.Bulk.Ended == 3 })
	_, err := r.Cancel(t.Context(), batch.CancelRequest{RequestedBy: "somebody"})
	require.NoError(t, err)
	result := r.waitBulk()
	require.Equal(t, batch.OutcomeCancelled, result.Outcome)
	pages := result.Bulk.Pages
	require.Zero(t, pages.Running+pages.Failed+pages.Completed)
	require.Equal(t, 4, pages.Cancelled)
	require.Positive(t, pages.NotRun)
	require.LessOrEqual(t, len(reader.pages), 4)
}

// Nobody polls for the pages: the run waits for them no longer than page_timeout.
func TestBulkPagesNobodyTakes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, endsAfter(time.Second))
	r := w.startBulk(w.writeInput(prompts(60)...), inShards(30, 2), func(j *batch.Job) {
		j.Downstream = &batch.Downstream{Workflow: "Nobody", TaskQueue: w.queue + "-nobody", PageTimeout: batch.Duration(3 * time.Second)}
	})
	result := r.waitBulk()
	require.Equal(t, batch.OutcomeCompleted, result.Outcome, "the rows are answered all the same")
	require.Equal(t, 2, result.Bulk.Pages.Failed)
	require.Len(t, result.Bulk.Pages.Failures, 2, "the pages are named")
}
