// Package ingest takes pages of answered rows into PostgreSQL. It is an example
// of what can stand downstream of a bulk run: a workflow that the run starts for
// each page, and the activity that does the work.
package ingest

import (
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"batchkeeper/batch"
)

// The names that a bulk job gives as downstream.workflow and downstream.task_queue.
const (
	WorkflowName = "IngestPage"
	TaskQueue    = "ingest-pages"
)

// takePage is the activity's registered name.
const takePage = "TakePage"

// Result says what became of a page.
type Result struct {
	Rows    int64 `json:"rows"`    // of the page
	Written int64 `json:"written"` // of them new, or other than before
}

// Register makes a worker host the workflow and its activity.
func Register(r worker.Registry, p *Pages) {
	r.RegisterWorkflowWithOptions(Page, workflow.RegisterOptions{Name: WorkflowName})
	r.RegisterActivityWithOptions(p.Take, activity.RegisterOptions{Name: takePage})
}

// Page takes one page in. While the database or the store is away it is tried
// again, for as long as that takes: the bulk run waits for its pages.
func Page(ctx workflow.Context, page batch.Page) (result Result, err error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 10 * time.Minute, // hundreds of times what a page takes
		HeartbeatTimeout:    time.Minute,      // a server that hangs, or a worker that died, is noticed by then
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, MaximumInterval: 30 * time.Second},
	})
	err = workflow.ExecuteActivity(ctx, takePage, page).Get(ctx, &result)
	return result, err
}
