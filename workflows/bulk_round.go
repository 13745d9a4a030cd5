package workflows

import (
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"batchkeeper/batch"
)

const (
	// checkEvery is how often a run looks for notifications that were lost: rarely,
	// since they seldom are, and a batch takes hours.
	checkEvery = 5 * time.Minute
	// askAgainEvery is how often a unit that waits for capacity says so again: a
	// governor that was terminated has forgotten it.
	askAgainEvery = 15 * time.Minute
	// unitsAtATime is how many units of the plan are read at a time.
	unitsAtATime = 50
	// maxWorking bounds the short steps of units at a time.
	maxWorking = 10
	// longHistory is how many events make a run continue as new, however many more
	// the server would take: each worker that takes the run over reads them all.
	longHistory = 2000
	// pagedHistory is how long the history may grow while a renewal waits for
	// downstream workflows.
	pagedHistory = 10_000
)

// round keeps the window full until every unit of the round has ended.
func (b *bulk) round(ctx workflow.Context) error {
	for {
		b.changed = false
		b.drain(ctx)
		renew := b.renewDue(ctx)
		b.passCancelOn(ctx)
		if !renew || b.pagesHold(ctx) {
			b.fill(ctx)
			b.advance(ctx)
		}
		if !renew {
			b.advancePages(ctx)
		}
		b.show(ctx)
		switch {
		case b.roundOver():
			return nil
		case renew && b.idle():
			return b.continueAsNew(ctx)
		}
		if err := b.rest(ctx); err != nil {
			return err
		}
	}
}

// renewDue tells that nothing more is begun, so that the run can continue as new
// as soon as nothing is in hand. A handler that waits is let finish first: what
// it waits for may have to be begun.
func (b *bulk) renewDue(ctx workflow.Context) bool {
	info := workflow.GetInfo(ctx)
	return (info.GetContinueAsNewSuggested() || info.GetCurrentHistoryLength() > longHistory) && workflow.AllHandlersFinished(ctx)
}

// pagesHold tells that batches may go on although a renewal is due: it waits for
// downstream workflows, which may take long, and no more of them are started.
func (b *bulk) pagesHold(ctx workflow.Context) bool {
	return len(b.pages) > 0 && workflow.GetInfo(ctx).GetCurrentHistoryLength() < pagedHistory
}

// roundOver tells that nothing of the round is under way, nor still to be begun.
func (b *bulk) roundOver() bool {
	switch {
	case b.working > 0:
		return false
	case b.stopped() && !b.looksBack():
		return !slices.ContainsFunc(b.book.Units, func(u batch.OpenUnit) bool { return u.Stage != batch.UnitDeferred })
	default:
		return len(b.book.Units) == 0 && b.planDone()
	}
}

func (b *bulk) planDone() bool { return len(b.book.Queue) == 0 && b.book.Cursor >= b.book.PlanSize }

// rest waits until something happens, a unit may ask for capacity, or it is time
// to look for what was not heard.
func (b *bulk) rest(ctx workflow.Context) error {
	now := workflow.Now(ctx)
	until, what := b.book.CheckAt, "look for batches whose end was not heard"
	if at := b.book.BeginAt; at.After(now) && at.Before(until) && !b.held() {
		until, what = at, "let the provider recover"
	}
	for _, u := range b.book.Units {
		asks := u.Stage == batch.UnitDeferred && !b.held() || u.Stage == batch.UnitWaiting
		if asks && u.NotBefore.After(now) && u.NotBefore.Before(until) {
			until, what = u.NotBefore, "ask for capacity again"
		}
	}
	if until.After(now) {
		timed, cancel := workflow.WithCancel(ctx)
		defer cancel()
		_, err := workflow.AwaitWithOptions(timed, workflow.AwaitOptions{
			Timeout: until.Sub(now), TimerOptions: workflow.TimerOptions{Summary: what},
		}, func() bool { return b.changed })
		if err != nil {
			return err
		}
	}
	if now = workflow.Now(ctx); !now.Before(b.book.CheckAt) {
		b.book.CheckAt = now.Add(checkEvery)
		b.findLost(ctx)
	}
	return nil
}

// passCancelOn tells the live batches, and the pages that run, of a request to
// cancel, whatever else is in hand.
func (b *bulk) passCancelOn(ctx workflow.Context) {
	if !b.cancelRequested() {
		return
	}
	for _, u := range slices.Clone(b.book.Units) {
		if u.Stage == batch.UnitRunning && !u.Told && !b.busy[u.WorkflowID] {
			b.begin(ctx, u, b.tellCancel)
		}
	}
	b.cancelPages()
}

// advance gives each unit that can go on to a goroutine of its own.
func (b *bulk) advance(ctx workflow.Context) {
	now := workflow.Now(ctx)
	for _, u := range slices.Clone(b.book.Units) {
		if b.busy[u.WorkflowID] {
			continue
		}
		if u.Stage == batch.UnitWaiting && (b.held() || b.crowded(u)) ||
			u.Stage == batch.UnitGranted && (b.held() || b.crowded(u) || b.afford(u) != batch.Affordable) {
			b.begin(ctx, u, b.yield)
			continue
		}
		if step := b.next(now, u); step != nil && len(b.busy) < maxWorking {
			b.begin(ctx, u, step)
		}
	}
}

// held tells that no batch is started now.
func (b *bulk) held() bool { return b.stopped() || b.at.Paused != "" }

// next is what a unit that is not held back can do now; nil: nothing.
func (b *bulk) next(now time.Time, u batch.OpenUnit) func(workflow.Context, batch.OpenUnit) {
	switch u.Stage {
	case batch.UnitDeferred:
		if b.looksBack() {
			return b.lookUp
		}
		if !b.held() && !now.Before(u.NotBefore) && b.mayAsk(u) {
			return b.ask
		}
	case batch.UnitWaiting:
		if !now.Before(u.NotBefore) {
			return b.ask
		}
	case batch.UnitGranted:
		return b.send
	case batch.UnitEnded:
		return b.settle
	case batch.UnitRunning:
	}
	return nil
}

// begin runs a short step of a unit beside the others.
func (b *bulk) begin(ctx workflow.Context, u batch.OpenUnit, step func(workflow.Context, batch.OpenUnit)) {
	id := u.WorkflowID
	b.busy[id] = true
	b.working++
	workflow.Go(ctx, func(ctx workflow.Context) {
		step(ctx, u)
		delete(b.busy, id)
		b.working--
		b.changed = true
	})
}

// unit finds a unit under way by its number; nil: it is not.
func (b *bulk) unit(number int) *batch.OpenUnit {
	for i := range b.book.Units {
		if b.book.Units[i].Number == number {
			return &b.book.Units[i]
		}
	}
	return nil
}

func (b *bulk) byID(workflowID string) *batch.OpenUnit {
	for i := range b.book.Units {
		if b.book.Units[i].WorkflowID == workflowID {
			return &b.book.Units[i]
		}
	}
	return nil
}

func (b *bulk) drop(number int) {
	b.book.Units = slices.DeleteFunc(b.book.Units, func(u batch.OpenUnit) bool { return u.Number == number })
	b.changed = true
}

// continueAsNew hands the whole memory to a fresh history. The batches that are
// open go on: they are abandoned to themselves on purpose, and their ends are
// heard by the next run.
func (b *bulk) continueAsNew(ctx workflow.Context) error {
	b.drain(ctx)
	next := b.job
	next.Carried = &batch.Carried{Token: b.token, State: b.state, Bulk: &b.book}
	return workflow.NewContinueAsNewError(ctx, batch.WorkflowBulk, next)
}
