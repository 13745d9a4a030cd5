package workflows_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"batchkeeper/activities"
	"batchkeeper/batch"
)

// pages lets each settled unit have some, and runs them for a time.
func (f *floor) pages(each int, takes time.Duration) *[]batch.Page {
	f.pageTakes = takes
	happy := f.settle
	f.settle = func(in activities.SettleUnitInput) (activities.SettleUnitOutput, error) {
		out, err := happy(in)
		out.Pages, out.BatchID = each, fmt.Sprintf("batch_%d", in.Unit.Number)
		return out, err
	}
	f.env.OnActivity("ReadPages", mock.Anything, mock.Anything).Return(
		func(_ context.Context, in activities.ReadPagesInput) (activities.ReadPagesOutput, error) {
			out := activities.ReadPagesOutput{}
			for n := in.From; n < in.From+in.Count && n <= each; n++ {
				out.Pages = append(out.Pages, batch.PageSegment{Range: batch.Range{Offset: int64(n)}, Rows: 1})
			}
			return out, nil
		}).Maybe()
	return &f.read
}

const pagedJob = `{"input":"in.jsonl","max_in_flight":3,"downstream":{"workflow":"Ingest","task_queue":"ingest","max_parallel":2}}`

func TestBulkPages(t *testing.T) {
	f := newFloor(t, 4)
	read := f.pages(5, time.Minute)
	e := f.runBulk(pagedJob)
	require.Equal(t, batch.OutcomeCompleted, e.Outcome)
	require.Equal(t, &batch.DownstreamState{Started: 20, Completed: 20}, e.Bulk.Pages)
	seen := map[string]bool{}
	for _, p := range *read {
		require.EqualValues(t, p.Number, p.Offset)
		require.Equal(t, fmt.Sprintf("batch_%d", p.Unit), p.BatchID)
		seen[p.Key+string(rune(p.Number))] = true
	}
	require.Len(t, seen, 20)
}

func TestBulkPagesCancelled(t *testing.T) {
	f := newFloor(t, 3)
	read := f.pages(5, 100*time.Hour)
	f.at(10*time.Hour, func() { f.update(batch.UpdateCancel, bulkCancel) })
	e := f.runBulk(pagedJob)
	require.Equal(t, batch.OutcomeCancelled, e.Outcome)
	require.Len(t, *read, 2)
	require.Equal(t, 2, e.Bulk.Pages.Cancelled)
	require.Equal(t, 13, e.Bulk.Pages.NotRun)
}

// A renewal waits for the pages that run, and starts the others afterwards.
func TestBulkPagesContinueAsNew(t *testing.T) {
	f := newFloor(t, 1)
	read := f.pages(5, time.Minute)
	f.at(batchTakes+30*time.Second, func() { f.env.SetContinueAsNewSuggested(true) })
	f.runBulk(pagedJob)
	first := len(*read)
	require.Less(t, first, 5)
	next, job := f.renewed()
	rest := next.pages(5, time.Minute)
	e := next.runBulk(job)
	require.Equal(t, batch.OutcomeCompleted, e.Outcome)
	require.Equal(t, 5, first+len(*rest))
	require.Equal(t, 5, e.Bulk.Pages.Completed)
}

// A page that does not stop holds a cancelled run no longer than cancel_grace.
func TestBulkPageThatDoesNotStop(t *testing.T) {
	f := newFloor(t, 1)
	f.pages(3, 100*time.Hour)
	f.pageDeaf = true
	f.at(10*time.Hour, func() { f.update(batch.UpdateCancel, bulkCancel) })
	began, happy := f.env.Now(), f.publish
	var took time.Duration
	f.publish = func(in activities.PublishShardsInput) (activities.PublishShardsOutput, error) {
		took = f.env.Now().Sub(began)
		return happy(in)
	}
	e := f.runBulk(pagedJob)
	require.Equal(t, 2, e.Bulk.Pages.Unconfirmed)
	require.Equal(t, 1, e.Bulk.Pages.NotRun)
	require.Len(t, e.Bulk.Pages.Failures, 2, "they are named")
	require.Equal(t, 10*time.Hour+batch.DefaultCancelGrace, took.Round(time.Minute))
}

// A run that breaks still waits for its pages.
func TestBulkBrokenRunWaitsForPages(t *testing.T) {
	f := newFloor(t, 3)
	f.pages(1, 10*time.Hour)
	happy := f.settle
	f.settle = func(in activities.SettleUnitInput) (activities.SettleUnitOutput, error) {
		if in.Unit.Number == 3 {
			return activities.SettleUnitOutput{}, temporal.NewNonRetryableApplicationError("gone", string(batch.KindResultsUnavailable), nil)
		}
		return happy(in)
	}
	e := f.runBulk(pagedJob)
	require.Equal(t, batch.OutcomeResultsUnavailable, e.Outcome)
	require.Contains(t, e.Failure.Message, "settle "+child(1, 3)+": gone")
	require.Equal(t, &batch.DownstreamState{Started: 2, Completed: 2}, e.Bulk.Pages)
}

// Pages that a cancel kept from being run are something that was left undone,
// also where every batch had ended before.
func TestBulkCancelDropsPages(t *testing.T) {
	for _, at := range []time.Duration{30 * time.Minute, 2 * time.Hour} {
		f := newFloor(t, 1)
		f.takes = func(string) time.Duration { return 0 }
		f.pages(5, 10*time.Hour)
		f.at(at, func() { f.update(batch.UpdateCancel, bulkCancel) })
		e := f.runBulk(pagedJob)
		require.Equal(t, batch.OutcomeCancelled, e.Outcome, at)
		require.Equal(t, 3, e.Bulk.Pages.NotRun)
	}
}
