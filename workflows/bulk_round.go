package workflows

import (
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"batchkeeper/activities"
	"batchkeeper/batch"
)

const (
	// checkEvery is how often a run looks for notifications that were lost: rarely,
	// since they seldom are, and a batch takes hours.
	checkEvery = 5 * time.Minute
	// readAhead is how many units of the plan are read at a time.
	readAhead = 50
	// maxWorking bounds the short steps of units at a time.
	maxWorking = 10
)

// round keeps the window full until every unit of the round has ended.
func (b *bulk) round(ctx workflow.Context) error {
	for {
		b.changed = false
		b.drain(ctx)
		renew := workflow.GetInfo(ctx).GetContinueAsNewSuggested()
		if !renew {
			if err := b.fill(ctx); err != nil {
				return err
			}
			b.advance(ctx)
		}
		b.show(ctx)
		switch {
		case b.roundOver():
			return b.fatal
		case renew && b.working == 0 && workflow.AllHandlersFinished(ctx):
			return b.continueAsNew(ctx)
		}
		if err := b.rest(ctx); err != nil {
			return err
		}
	}
}

// roundOver tells that nothing of the round is under way or still to be begun.
func (b *bulk) roundOver() bool {
	return len(b.book.Units) == 0 && b.working == 0 && (b.stopped() || len(b.book.Queue) == 0 && b.book.Cursor >= b.book.PlanSize)
}

// rest waits until something happens, a unit may be asked for again, or it is
// time to look for what was not heard.
func (b *bulk) rest(ctx workflow.Context) error {
	until, what := b.checkAt, "look for batches whose end was not heard"
	for _, u := range b.book.Units {
		if u.Stage == batch.UnitDeferred && u.NotBefore.Before(until) {
			until, what = u.NotBefore, "ask for capacity again"
		}
	}
	now := workflow.Now(ctx)
	if until.After(now) {
		ctx, cancel := workflow.WithCancel(ctx)
		defer cancel()
		_, err := workflow.AwaitWithOptions(ctx, workflow.AwaitOptions{
			Timeout: until.Sub(now), TimerOptions: workflow.TimerOptions{Summary: what},
		}, func() bool { return b.changed })
		if err != nil {
			return err
		}
	}
	if !workflow.Now(ctx).Before(b.checkAt) {
		b.checkAt = workflow.Now(ctx).Add(checkEvery)
		b.findLost(ctx)
	}
	return nil
}

// fill begins units while there is room in the window and nothing holds them back.
func (b *bulk) fill(ctx workflow.Context) error {
	for len(b.book.Units) < b.at.MaxFlight && b.mayBegin() {
		if len(b.book.Queue) == 0 {
			if b.book.Cursor >= b.book.PlanSize {
				return nil
			}
			if err := b.readPlan(ctx); err != nil {
				return err
			}
			continue
		}
		u := b.book.Queue[0]
		if u.Rows == 0 { // a shard of bad rows alone: nothing to send
			b.book.Queue = b.book.Queue[1:]
			b.at.Ended++
			continue
		}
		if !b.affordable(u) {
			return nil
		}
		b.book.Queue = b.book.Queue[1:]
		b.book.Units = append(b.book.Units, batch.OpenUnit{
			Unit: u, Stage: batch.UnitDeferred, Try: 1, Since: workflow.Now(ctx),
			WorkflowID: batch.ChildID(b.info.WorkflowExecution.ID, b.at.Round, u.Number, 1),
		})
	}
	return nil
}

// mayBegin tells whether new units may be begun at all.
func (b *bulk) mayBegin() bool {
	const backlog = 4 // pages in wait, as a multiple of what may run: what is answered must be taken in
	if d := b.job.Downstream; d != nil && len(b.book.Pages) > backlog*max(d.MaxParallel, batch.DefaultMaxParallel)*10 {
		return false
	}
	return !b.stopped() && b.at.Paused == ""
}

// affordable tells whether a unit fits the budget; once one does not, none is begun.
func (b *bulk) affordable(next batch.Unit) bool {
	held := batch.Hold(b.book.Profile.Prices, next, b.at.Money, b.book.RowsSpent)
	for _, u := range b.book.Units {
		held += batch.Hold(b.book.Profile.Prices, u.Unit, b.at.Money, b.book.RowsSpent)
	}
	if batch.WithinBudget(b.at.Budget, b.at.Money, held-1) {
		return true
	}
	if len(b.book.Units) == 0 { // what is held has been settled: it stays unaffordable
		b.book.BudgetReached = true
		b.state.Problem = fmt.Sprintf("budget_usd %.2f: %.2f spent, the next batch would exceed it", b.at.Budget, b.at.Money.USD())
	}
	return false
}

func (b *bulk) readPlan(ctx workflow.Context) error {
	out, err := call(ctx, quickRead(fmt.Sprintf("read the plan of round %d", b.at.Round)), act.ReadPlan,
		activities.ReadPlanInput{Prefix: b.prefix, Round: b.at.Round, Offset: b.book.Cursor, Count: readAhead})
	if err != nil {
		return end(batch.OutcomeResultsUnavailable, fmt.Sprintf("read the plan of round %d: %s", b.at.Round, reason(err)))
	}
	b.book.Queue, b.book.Cursor = append(b.book.Queue, out.Units...), out.Next
	if len(out.Units) == 0 {
		b.book.Cursor = b.book.PlanSize
	}
	return nil
}

// advance gives each unit that can go on to a goroutine of its own.
func (b *bulk) advance(ctx workflow.Context) {
	now := workflow.Now(ctx)
	for _, u := range slices.Clone(b.book.Units) {
		if b.busy[u.WorkflowID] || b.working >= maxWorking {
			continue
		}
		switch u.Stage {
		case batch.UnitDeferred:
			if b.stopped() {
				b.withdraw(u.Number)
			} else if !now.Before(u.NotBefore) {
				b.begin(ctx, u, b.ask)
			}
		case batch.UnitWaiting:
			if b.stopped() {
				b.begin(ctx, u, b.release)
			}
		case batch.UnitGranted:
			if b.stopped() {
				b.begin(ctx, u, b.release)
			} else {
				b.begin(ctx, u, b.send)
			}
		case batch.UnitRunning:
			if b.cancelRequested() && !u.Told {
				b.begin(ctx, u, b.tellCancel)
			}
		case batch.UnitEnded:
			b.begin(ctx, u, b.settle)
		}
	}
	b.advancePages(ctx)
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

// withdraw takes a unit out that was never sent.
func (b *bulk) withdraw(number int) {
	b.drop(number)
	if b.at.Cancelled != nil {
		b.at.Cancelled.NotSent++
	}
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
