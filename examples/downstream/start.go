package main

import (
	"context"
	"fmt"
	"io"

	"go.temporal.io/sdk/client"

	"batchkeeper"
	"batchkeeper/batch"
	"batchkeeper/examples/downstream/ingest"
)

// startBulk starts a bulk run that hands its pages to this program, and waits for its end.
func startBulk(ctx context.Context, c client.Client, input string, out io.Writer) error {
	job := batch.Job{Input: input, BulkJob: batch.BulkJob{
		Downstream: &batch.Downstream{Workflow: ingest.WorkflowName, TaskQueue: ingest.TaskQueue},
	}}
	run, err := batchkeeper.Start(ctx, c, job, batchkeeper.WithType(batch.WorkflowBulk))
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintln(out, "started", run.ID())
	result, err := run.Wait(ctx)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintln(out, "outcome:", result.Outcome)
	if result.Bulk != nil && result.Bulk.Pages != nil {
		_, _ = fmt.Fprintf(out, "%d of %d pages are in the table answers\n", result.Bulk.Pages.Completed, result.Bulk.Pages.Started)
	}
	return nil
}
