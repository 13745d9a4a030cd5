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
		activities.ReadPagesInput{Files: b.files, Round: q.Round, Unit: q.Unit, From: q.Next, Count: room})
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
		RunID: b.info.WorkflowExecution.ID, Prefix: b.files.Prefix, Round: q.Round, Unit: q.Unit, BatchID: q.BatchID, Number: number,
		Key:    path.Join(b.files.Unit(q.Round, q.Unit, q.Try), batch.FileResults),
		Offset: s.Range.Offset, Length: s.Range.Length, Rows: s.Rows,
	}
}

// runPage runs the user's workflow over a page. A user's workflow does not
// notify, so that only this execution hears its end.
func (b *bulk) runPage(ctx workflow.Context, p batch.Page) {
	id := fmt.Sprintf("%s/p%04d", batch.ChildID(p.RunID, p.Round, p.Unit, 1), p.Number)
	ctx, cancel := workflow.WithCancel(ctx)
	b.pages = append(b.pages, openPage{id, cancel})
	b.at.Pages.Started++
	b.at.Pages.Running = len(b.pages)
	workflow.Go(ctx, func(ctx workflow.Context) {
		defer cancel()
		err := b.startPage(ctx, id, p)
		for tries := 1; temporal.IsWorkflowExecutionAlreadyStartedError(err); tries++ {
			// A page of before this run was reset: once it has ended, the page is
			// delivered again.
			if err = workflow.Sleep(ctx, batch.RoomAgain(tries)); err == nil {
				err = b.startPage(ctx, id, p)
			}
		}
		b.endPage(id, err)
		b.changed = true
	})
}

func (b *bulk) startPage(ctx workflow.Context, id string, p batch.Page) error {
	d := b.job.Downstream
	return workflow.ExecuteChildWorkflow(workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID: id, TaskQueue: d.TaskQueue, WorkflowExecutionTimeout: d.PageTimeout.Or(batch.DefaultPageTimeout),
		WaitForCancellation: true, ParentClosePolicy: enumspb.PARENT_CLOSE_POLICY_REQUEST_CANCEL,
		StaticSummary: fmt.Sprintf("page %d of %s, %d rows", p.Number, p.Key, p.Rows),
	}), d.Workflow, p).Get(ctx, nil)
}

func (b *bulk) endPage(id string, err error) {
	at := slices.IndexFunc(b.pages, func(p openPage) bool { return p.id == id })
	if at < 0 {
		return // it was given up
	}
	b.pages = slices.Delete(b.pages, at, at+1)
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
	b.namePage(id)
}

// namePage notes a page that did not complete.
func (b *bulk) namePage(id string) {
	if s := b.at.Pages; len(s.Failures) < shownPages {
		s.Failures = append(s.Failures, id)
	}
}

// awaitPages waits until every page has ended; those of a cancelled run no
// longer than cancel_grace.
func (b *bulk) awaitPages(ctx workflow.Context) error {
	for len(b.book.PageQueue) > 0 || b.working > 0 || len(b.pages) > 0 {
		b.changed = false
		b.drain(ctx)
		renew := b.renewDue(ctx)
		b.passCancelOn(ctx)
		if !renew {
			b.advancePages(ctx)
		}
		b.show(ctx)
		if renew && b.idle() {
			return b.continueAsNew(ctx)
		}
		if err := b.awaitChange(ctx); err != nil {
			return err
		}
	}
	return nil
}

// awaitChange waits until something happens; of a cancelled run the pages are
// given up once cancel_grace is over.
func (b *bulk) awaitChange(ctx workflow.Context) error {
	changed := func() bool { return b.changed }
	c := b.state.Cancellation
	if c == nil || len(b.pages) == 0 {
		return workflow.Await(ctx, changed)
	}
	left := c.RequestedAt.Add(b.job.CancelGrace.Std()).Sub(workflow.Now(ctx))
	heard, err := workflow.AwaitWithOptions(ctx, workflow.AwaitOptions{
		Timeout: max(left, 0), TimerOptions: workflow.TimerOptions{Summary: "give up the pages that do not stop"},
	}, changed)
	if err == nil && !heard {
		b.giveUpPages()
	}
	return err
}

// giveUpPages leaves the pages that do not stop to themselves.
func (b *bulk) giveUpPages() {
	for _, p := range b.pages {
		b.at.Pages.Unconfirmed++
		b.namePage(p.id)
	}
	b.pages, b.at.Pages.Running = nil, 0
}

// idle tells that nothing is in hand that this execution alone knows of.
func (b *bulk) idle() bool { return b.working == 0 && len(b.pages) == 0 }
