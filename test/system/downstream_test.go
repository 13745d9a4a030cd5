//go:build system

package system_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"batchkeeper"
	"batchkeeper/batch"
	"batchkeeper/devstack/stack"
	"batchkeeper/examples/downstream/ingest"
	"batchkeeper/internal/blobstore"
)

// Each answered row of a bulk run comes into PostgreSQL once, as it is in the
// results, though the server crashes under it and every page comes twice.
func TestPagesComeIntoPostgreSQL(t *testing.T) {
	server := newPostgres(t)
	w := newWorld(t, func(o *stack.Options) { o.BatchDuration = time.Second })
	said := w.startDownstream(server)
	run := w.startBulk()
	table := newTable(t, server)

	table.awaitRows()
	server.stop(syscall.SIGQUIT)
	w.awaitRetries(2)
	server.start()

	result := w.waitBulk(run)
	require.Equal(t, batch.OutcomeCompletedWithFailures, result.Outcome)
	require.Equal(t, batch.BulkCounts{Answered: 199, RowErrors: 1}, result.Bulk.Counts)
	require.Equal(t, batch.DownstreamState{Started: result.Bulk.Pages.Started, Completed: result.Bulk.Pages.Started}, *result.Bulk.Pages)
	rows := table.rows()
	require.Len(t, rows, 199)
	require.Equal(t, w.answers(run, result.Results.Prefix), contents(rows))

	for i, page := range w.pages(result.Bulk.Pages.Started) {
		require.Equal(t, ingest.Result{Rows: page.Rows}, w.deliverAgain(i, page))
	}
	require.Equal(t, rows, table.rows(), "a page that comes again writes nothing")

	require.NotContains(t, said.String(), server.password)
	w.noHistoryHas(server.password)
}

// startDownstream builds the example and runs it as its README says.
func (w *world) startDownstream(server *postgres) *record {
	w.t.Helper()
	program := filepath.Join(w.t.TempDir(), "downstream")
	out, err := exec.CommandContext(w.t.Context(), "go", "build", "-o", program, "batchkeeper/examples/downstream").CombinedOutput()
	require.NoError(w.t, err, "%s", out)
	said, gone := &record{}, make(chan error, 1)
	cmd := exec.Command(program)
	cmd.Stdout, cmd.Stderr = said, said
	cmd.Env = append(server.env(), "HOME="+w.t.TempDir(), "TEMPORAL_ADDRESS="+w.stack.Address, "TEMPORAL_NAMESPACE="+w.stack.Namespace,
		"BATCHKEEPER_STORE="+w.stack.Config.StoreURL)
	require.NoError(w.t, cmd.Start())
	go func() { gone <- cmd.Wait() }()
	w.t.Cleanup(func() {
		require.NoError(w.t, cmd.Process.Signal(syscall.SIGTERM), said)
		select {
		case err := <-gone:
			require.NoError(w.t, err, said)
		case <-time.After(patience):
			_ = cmd.Process.Kill()
			w.t.Errorf("the example did not stop in %s:\n%s", patience, said)
		}
	})
	require.Eventually(w.t, func() bool { return strings.Contains(said.String(), "taking pages") }, patience, 50*time.Millisecond, said)
	return said
}

// startBulk runs 200 rows, of which one is answered in the second round and one
// never, a batch of 50 at a time: while pages come in, there are more to come.
func (w *world) startBulk() *batchkeeper.Run {
	w.t.Helper()
	var b strings.Builder
	for i := range 200 {
		mark := map[int]string{7: "[[429x1]] ", 120: "[[fail]] "}[i]
		fmt.Fprintf(&b, `{"custom_id":"row \"%d\" é","method":"POST","url":"/v1/responses","body":`+
			`{"model":"gpt-5-mini-2025-08-07","input":"%sSay %d in words.","max_output_tokens":32}}`+"\n", i, mark, i)
	}
	path := filepath.Join(w.t.TempDir(), "rows.jsonl")
	require.NoError(w.t, os.WriteFile(path, []byte(b.String()), 0o600))
	second := batch.Duration(time.Second)
	job := batch.Job{
		Input: blobstore.FileURL(path), WebhookEndpointID: w.stack.WebhookEndpointID(), Poll: batch.PollPolicy{Min: second, Max: second},
		BulkJob: batch.BulkJob{MaxRowsPerBatch: 50, MaxInFlight: 1, Downstream: &batch.Downstream{
			Workflow: ingest.WorkflowName, TaskQueue: ingest.TaskQueue, RowsPerPage: 20, MaxParallel: 2,
		}},
	}
	run, err := batchkeeper.Start(w.t.Context(), w.stack.Client, job, batchkeeper.WithTaskQueue(w.stack.Config.TaskQueue),
		batchkeeper.WithType(batch.WorkflowBulk), batchkeeper.WithID("bulk"))
	require.NoError(w.t, err)
	return run
}

func (w *world) waitBulk(run *batchkeeper.Run) batch.Result {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 4*patience) // six batches, and retries that are 30 s apart at most
	defer cancel()
	result, err := run.Wait(ctx)
	require.NoError(w.t, err)
	return result
}

// awaitRetries waits until a page has been tried in vain so many times.
func (w *world) awaitRetries(attempts int32) {
	w.t.Helper()
	require.Eventually(w.t, func() bool {
		for _, id := range w.ingests() {
			d, err := w.stack.Client.DescribeWorkflowExecution(w.t.Context(), id, "")
			if err != nil {
				return false
			}
			for _, step := range d.GetPendingActivities() {
				if step.GetAttempt() > attempts && step.GetLastFailure() != nil {
					return true
				}
			}
		}
		return false
	}, patience, 100*time.Millisecond)
}

// ingests are the ids of the downstream workflows that the server lists.
func (w *world) ingests() (ids []string) {
	list, err := w.stack.Client.ListWorkflow(w.t.Context(), &workflowservice.ListWorkflowExecutionsRequest{
		Query: fmt.Sprintf("WorkflowType = '%s'", ingest.WorkflowName),
	})
	if err != nil { // who looks looks again
		return nil
	}
	for _, e := range list.GetExecutions() {
		ids = append(ids, e.GetExecution().GetWorkflowId())
	}
	return ids
}

// pages are what so many downstream workflows were started with.
func (w *world) pages(many int) []batch.Page {
	w.t.Helper()
	var ids []string
	require.Eventually(w.t, func() bool { // the server lists them a moment later
		ids = w.ingests()
		return len(ids) == many
	}, patience, 100*time.Millisecond)
	var out []batch.Page
	for _, id := range ids {
		events := w.stack.Client.GetWorkflowHistory(w.t.Context(), id, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		first, err := events.Next()
		require.NoError(w.t, err)
		var page batch.Page
		input := first.GetWorkflowExecutionStartedEventAttributes().GetInput()
		require.NoError(w.t, converter.GetDefaultDataConverter().FromPayloads(input, &page))
		out = append(out, page)
	}
	return out
}

// deliverAgain gives the example a page that it has had.
func (w *world) deliverAgain(i int, page batch.Page) (result ingest.Result) {
	w.t.Helper()
	started, err := w.stack.Client.ExecuteWorkflow(w.t.Context(), client.StartWorkflowOptions{
		ID: fmt.Sprintf("again-%d", i), TaskQueue: ingest.TaskQueue,
	}, ingest.WorkflowName, page)
	require.NoError(w.t, err)
	require.NoError(w.t, started.Get(w.t.Context(), &result))
	return result
}

// noHistoryHas looks for a word in all that the server keeps of the pages.
func (w *world) noHistoryHas(word string) {
	w.t.Helper()
	for _, id := range w.ingests() {
		events := w.stack.Client.GetWorkflowHistory(w.t.Context(), id, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for events.HasNext() {
			event, err := events.Next()
			require.NoError(w.t, err)
			require.NotContains(w.t, event.String(), word)
		}
	}
}
