package workflows

import (
	"cmp"
	"fmt"
	"path"
	"slices"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"batchkeeper/activities"
	"batchkeeper/batch"
)

// openPage is a downstream workflow that runs.
type openPage struct {
	id     string
	cancel workflow.CancelFunc
}

// shownPages bounds the pages without success that the state names.
const shownPages = 20

func (b *bulk) rowsPerPage() int64 {
	if d := b.job.Downstream; d != nil {
		return cmp.Or(d.RowsPerPage, batch.DefaultRowsPerPage)
	}
	return 0
}

// cancelPages starts no more downstream workflows and asks those that run to stop.
func (b *bulk) cancelPages() {
	b.dropPages()
	for _, p := range b.pages {
		p.cancel()
	}
}

// advancePages starts the downstream workflows of pages that wait, as many as
// may run at a time.
func (b *bulk) advancePages(ctx workflow.Context) {
	if b.at.Pages == nil || b.cancelRequested() {
		return
	}
	room := cmp.Or(b.job.Downstream.MaxParallel, batch.DefaultMaxParallel) - len(b.pages)
	if b.reading || room <= 0 || len(b.book.PageQueue) == 0 {
		return
	}
	b.reading = true
	b.working++
	workflow.Go(ctx, func(ctx workflow.Context) {
		b.readPages(ctx, b.book.PageQueue[0], room)
		b.reading = false
		b.working--
		b.changed = true
	})
}

// dropPages gives up the pages that have not been started.
func (b *bulk) dropPages() {
	for _, q := range b.book.PageQueue {
		b.at.Pages.NotRun += q.Count - q.Next + 1
		b.book.Undone = true
	}
	b.book.PageQueue = nil
}

// readPages finds out where the next pages are, and starts their workflows.
func (b *bulk) readPages(ctx workflow.Context, q batch.UnitPages, room int) {
	out, err := call(ctx, longTransfer(fmt.Sprintf("find the pages of unit %d of round %d", q.Unit, q.Round), patience), act.ReadPages,
		activities.ReadPagesInput{Prefix: b.prefix, Round: q.Round, Unit: q.Unit, From: q.Next, Count: room})
	if err == nil && len(out.Pages) == 0 {
		err = fmt.Errorf("page %d of %d is not in its record", q.Next, q.Count)
	}
	switch {
	case err != nil:
		b.breakOff("find pages", err)
		b.dropPages()
		return
	case b.cancelRequested() || len(b.book.PageQueue) == 0: // while they were read
		return
	}
	for i, s := range out.Pages {
		b.runPage(ctx, b.page(q, q.Next+i, s))
	}
	if q.Next += len(out.Pages); q.Next > q.Count {
		b.book.PageQueue = b.book.PageQueue[1:]
	} else {
		b.book.PageQueue[0] = q
	}
}

func (b *bulk) page(q batch.UnitPages, number int, s batch.PageSegment) batch.Page {
	return batch.Page{
		RunID: b.info.WorkflowExecution.ID, Prefix: b.prefix, Round: q.Round, Unit: q.Unit, BatchID: q.BatchID, Number: number,
		Key:    path.Join(batch.UnitPrefix(b.prefix, q.Round, q.Unit, q.Try), batch.FileResults),
		Offset: s.Range.Offset, Length: s.Range.Length, Rows: s.Rows,
	}
}

// runPage runs the user's workflow over a page. It counts as work in hand until
// it has ended: a user's workflow does not notify, so that only this execution
// hears its end.
func (b *bulk) runPage(ctx workflow.Context, p batch.Page) {
	d := b.job.Downstream
	id := fmt.Sprintf("%s/p%04d", batch.ChildID(p.RunID, p.Round, p.Unit, 1), p.Number)
	ctx, cancel := workflow.WithCancel(ctx)
	child := workflow.ExecuteChildWorkflow(workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID: id, TaskQueue: d.TaskQueue, WaitForCancellation: true, ParentClosePolicy: enumspb.PARENT_CLOSE_POLICY_REQUEST_CANCEL,
		StaticSummary: fmt.Sprintf("page %d of %s, %d rows", p.Number, p.Key, p.Rows),
	}), d.Workflow, p)
	b.pages = append(b.pages, openPage{id, cancel})
	b.at.Pages.Started++
	b.at.Pages.Running = len(b.pages)
	b.working++
	workflow.Go(ctx, func(ctx workflow.Context) {
		b.endPage(id, child.Get(ctx, nil))
		cancel()
		b.working--
		b.changed = true
	})
}

func (b *bulk) endPage(id string, err error) {
	b.pages = slices.DeleteFunc(b.pages, func(p openPage) bool { return p.id == id })
	s := b.at.Pages
	s.Running = len(b.pages)
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
	for len(b.book.PageQueue) > 0 || b.working > 0 {
		b.changed = false
		b.drain(ctx)
		renew := b.renewDue(ctx)
		b.passCancelOn(ctx)
		if !renew {
			b.advancePages(ctx)
		}
		b.show(ctx)
		if renew && b.working == 0 {
			if err := b.continueAsNew(ctx); err != nil {
				return err
			}
			continue
		}
		if err := workflow.Await(ctx, func() bool { return b.changed }); err != nil {
			return err
		}
	}
	return nil
}
