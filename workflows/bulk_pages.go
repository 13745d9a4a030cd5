package workflows

import (
	"cmp"
	"fmt"
	"slices"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"batchkeeper/batch"
)

func (b *bulk) rowsPerPage() int64 {
	if d := b.job.Downstream; d != nil {
		return cmp.Or(d.RowsPerPage, batch.DefaultRowsPerPage)
	}
	return 0
}

// queuePages takes the pages of a settled unit in.
func (b *bulk) queuePages(u batch.OpenUnit, segments []batch.PageSegment) {
	for i, s := range segments {
		b.book.Pages = append(b.book.Pages, batch.OpenPage{
			Page: batch.Page{
				RunID: b.info.WorkflowExecution.ID, Prefix: b.prefix, Round: b.at.Round, Unit: u.Number, Number: i + 1,
				Key: b.resultsKey(u), Offset: s.Range.Offset, Length: s.Range.Length, Rows: s.Rows,
			},
			WorkflowID: fmt.Sprintf("%s/p%04d", u.WorkflowID, i+1),
		})
	}
}

// advancePages starts the downstream workflows of pages that wait, as many as
// may run at a time; a cancelled run starts none and asks the running ones to stop.
func (b *bulk) advancePages(ctx workflow.Context) {
	if b.at.Pages == nil {
		return
	}
	running := 0
	for i := range b.book.Pages {
		p := &b.book.Pages[i]
		switch {
		case p.Started:
			running++
			if b.cancelRequested() && !p.Told {
				p.Told = true
				b.tellPage(ctx, p.WorkflowID)
			}
		case b.cancelRequested():
		case running < cmp.Or(b.job.Downstream.MaxParallel, batch.DefaultMaxParallel):
			p.Started = true
			running++
			b.at.Pages.Started++
			b.runPage(ctx, *p)
		}
	}
	if b.cancelRequested() {
		before := len(b.book.Pages)
		b.book.Pages = slices.DeleteFunc(b.book.Pages, func(p batch.OpenPage) bool { return !p.Started })
		b.at.Pages.NotRun += before - len(b.book.Pages)
	}
	b.at.Pages.Running = running
}

func (b *bulk) tellPage(ctx workflow.Context, id string) {
	workflow.Go(ctx, func(ctx workflow.Context) {
		if err := workflow.RequestCancelExternalWorkflow(ctx, id, "").Get(ctx, nil); err != nil {
			b.log.Info("cancel a page", "workflow_id", id, "error", err)
		}
	})
}

// runPage runs the user's workflow over a page. It counts as work in hand until
// it has ended: a user's workflow does not notify, so that only this execution
// hears its end.
func (b *bulk) runPage(ctx workflow.Context, p batch.OpenPage) {
	d := b.job.Downstream
	b.working++
	workflow.Go(ctx, func(ctx workflow.Context) {
		child := workflow.ExecuteChildWorkflow(workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
			WorkflowID: p.WorkflowID, TaskQueue: d.TaskQueue, ParentClosePolicy: enumspb.PARENT_CLOSE_POLICY_REQUEST_CANCEL,
			StaticSummary: fmt.Sprintf("page %d of %s, %d rows", p.Number, p.Key, p.Rows),
		}), d.Workflow, p.Page)
		b.endPage(p.WorkflowID, child.Get(ctx, nil))
		b.working--
		b.changed = true
	})
}

// shownPages bounds the failed pages that the state names.
const shownPages = 20

func (b *bulk) endPage(id string, err error) {
	b.book.Pages = slices.DeleteFunc(b.book.Pages, func(p batch.OpenPage) bool { return p.WorkflowID == id })
	s := b.at.Pages
	switch {
	case err == nil:
		s.Completed++
		return
	case temporal.IsCanceledError(err):
		s.Cancelled++
	default:
		s.Failed++
	}
	if len(s.Failures) < shownPages {
		s.Failures = append(s.Failures, id)
	}
}

// awaitPages waits until every page has ended.
func (b *bulk) awaitPages(ctx workflow.Context) error {
	for b.at.Pages != nil && len(b.book.Pages) > 0 {
		b.changed = false
		b.advancePages(ctx)
		b.show(ctx)
		if err := workflow.Await(ctx, func() bool { return b.changed || len(b.book.Pages) == 0 }); err != nil {
			return err
		}
	}
	return nil
}
