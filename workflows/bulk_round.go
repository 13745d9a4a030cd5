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
	askAgainEvery = time.Hour
	// readAhead is how many units of the plan are read at a time.
	readAhead = 50
	// maxWorking bounds the short steps of units at a time.
	maxWorking = 10
	// longHistory is how many events make a run continue as new, however many more
	// the server would take: each worker that takes the run over reads them all.
	longHistory = 2000
)

// round keeps the window full until every unit of the round has ended.
func (b *bulk) round(ctx workflow.Context) error {
	for {
		b.changed = false
		b.drain(ctx)
		renew := b.renewDue(ctx)
		if !renew {
			if err := b.fill(ctx); err != nil {
				return err
			}
			b.advance(ctx)
		}
		b.show(ctx)
		switch {
		case b.roundOver() && b.book.Broken != "":
			return end(batch.OutcomeResultsUnavailable, b.book.Broken)
		case b.roundOver():
			return nil
		case renew && b.working == 0:
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

// roundOver tells that nothing of the round is under way or still to be begun.
func (b *bulk) roundOver() bool {
	return len(b.book.Units) == 0 && b.working == len(b.pages) && (b.stopped() || b.planDone())
}

func (b *bulk) planDone() bool { return len(b.book.Queue) == 0 && b.book.Cursor >= b.book.PlanSize }

// rest waits until something happens, a unit may ask for capacity, or it is time
// to look for what was not heard.
func (b *bulk) rest(ctx workflow.Context) error {
	now := workflow.Now(ctx)
	until, what := b.book.CheckAt, "look for batches whose end was not heard"
	for _, u := range b.book.Units {
		asks := u.Stage == batch.UnitDeferred && b.at.Paused == "" || u.Stage == batch.UnitWaiting
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

// advance gives each unit that can go on to a goroutine of its own.
func (b *bulk) advance(ctx workflow.Context) {
	now := workflow.Now(ctx)
	for _, u := range slices.Clone(b.book.Units) {
		if b.busy[u.WorkflowID] || len(b.busy) >= maxWorking {
			continue
		}
		if step := b.next(now, u); step != nil {
			b.begin(ctx, u, step)
		}
	}
	b.advancePages(ctx)
}

// next is what a unit can do now; nil: nothing.
func (b *bulk) next(now time.Time, u batch.OpenUnit) func(workflow.Context, batch.OpenUnit) {
	held := b.stopped() || b.at.Paused != ""
	switch u.Stage {
	case batch.UnitDeferred:
		switch {
		case b.stopped():
			b.drop(u.Number) // it was never sent, and holds nothing
		case !held && !now.Before(u.NotBefore):
			return b.ask
		}
	case batch.UnitWaiting:
		switch {
		case held:
			return b.yield
		case !now.Before(u.NotBefore):
			return b.ask
		}
	case batch.UnitGranted:
		if held {
			return b.yield
		}
		return b.send
	case batch.UnitRunning:
		if b.cancelRequested() && !u.Told {
			return b.tellCancel
		}
	case batch.UnitEnded:
		return b.settle
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

// continueAsNew hands the whole memory to a fresh history. The batches and the
// pages that are open go on: they are abandoned to themselves on purpose, and
// their ends are heard by the next run.
func (b *bulk) continueAsNew(ctx workflow.Context) error {
	b.drain(ctx)
	next := b.job
	next.Carried = &batch.Carried{Token: b.token, State: b.state, Bulk: &b.book}
	return workflow.NewContinueAsNewError(ctx, batch.WorkflowBulk, next)
}
