package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"batchkeeper/activities"
	"batchkeeper/batch"
)

// fill takes units into the window while there is room in it.
func (b *bulk) fill(ctx workflow.Context) {
	if workflow.Now(ctx).Before(b.book.BeginAt) && !b.looksBack() { // what was sent before a reset is looked for at once
		return
	}
	if !b.book.BeginAt.IsZero() {
		b.book.BeginAt, b.state.Problem = time.Time{}, ""
	}
	for len(b.book.Units) < b.at.MaxFlight && b.mayBegin() {
		if len(b.book.Queue) == 0 {
			b.readAhead(ctx)
			return
		}
		u := b.book.Queue[0]
		b.book.Queue = b.book.Queue[1:]
		if u.Rows == 0 { // a shard of bad rows alone: nothing to send
			continue
		}
		b.book.Units = append(b.book.Units, batch.OpenUnit{
			Unit: u, Stage: batch.UnitDeferred, Try: 1, Since: workflow.Now(ctx),
			WorkflowID: batch.ChildID(b.info.WorkflowExecution.ID, b.at.Round, u.Number, 1),
		})
	}
}

// maxPageBacklog is how many settled units may wait for the downstream: what is
// answered must be taken in.
const maxPageBacklog = 200

// mayBegin tells whether new units may be begun at all.
func (b *bulk) mayBegin() bool {
	return (!b.stopped() || b.looksBack()) && b.at.Paused == "" && len(b.book.PageQueue) < maxPageBacklog
}

// mayAsk tells whether a unit may ask for capacity: there is room in the window,
// which may have been made smaller, and money.
func (b *bulk) mayAsk(u batch.OpenUnit) bool {
	if b.crowded(u) {
		return false
	}
	verdict := b.afford(u)
	if verdict == batch.Unaffordable {
		b.book.BudgetReached = true
		cost, _ := b.hold(u.Unit)
		b.state.Problem = fmt.Sprintf("budget_usd %s: %s spent, the next batch is expected to cost %s",
			batch.USD(b.at.Budget), batch.USD(b.at.Money.USD()), batch.USD(batch.Money{CostNanos: cost}.USD()))
		b.changed = true
	}
	return verdict == batch.Affordable
}

// begun tells that a unit has at least asked for capacity.
func (b *bulk) begun(u batch.OpenUnit) bool {
	return u.Stage != batch.UnitDeferred || b.busy[u.WorkflowID]
}

// afford tells whether a unit fits the budget beside those that are under way,
// and those that have asked: once it may be sent, only those before it.
func (b *bulk) afford(u batch.OpenUnit) batch.Affordability {
	held, ahead := int64(0), b.ahead(u)
	for _, other := range ahead {
		more, _ := b.hold(other.Unit)
		held += more
	}
	cost, known := b.hold(u.Unit)
	return batch.Afford(b.at.Budget, b.at.Money.CostNanos+b.at.AtRiskNanos, held, cost, known, len(ahead) == 0)
}

// crowded tells that a unit has no place in the window, which may have been made
// smaller.
func (b *bulk) crowded(u batch.OpenUnit) bool { return len(b.ahead(u)) >= b.at.MaxFlight }

// ahead are the units that count before another: those that are sent, and those
// that have asked for capacity; once it has asked itself, only the ones before it.
func (b *bulk) ahead(u batch.OpenUnit) []batch.OpenUnit {
	var out []batch.OpenUnit
	for _, other := range b.book.Units {
		sent := other.Stage == batch.UnitRunning || other.Stage == batch.UnitEnded
		before := b.begun(other) && (u.Stage == batch.UnitDeferred || other.Number < u.Number)
		if other.Number != u.Number && (sent || before) {
			out = append(out, other)
		}
	}
	return out
}

func (b *bulk) hold(u batch.Unit) (int64, bool) {
	return batch.Hold(b.book.Profile.Prices, u, b.at.Money, b.book.RowsSpent)
}

// readAhead reads the next part of the plan beside everything else: while the
// store is away, what is live must still be heard.
func (b *bulk) readAhead(ctx workflow.Context) {
	if b.planning || b.book.Cursor >= b.book.PlanSize {
		return
	}
	b.planning = true
	b.working++
	workflow.Go(ctx, func(ctx workflow.Context) {
		b.readPlan(ctx)
		b.planning = false
		b.working--
		b.changed = true
	})
}

func (b *bulk) readPlan(ctx workflow.Context) {
	what := fmt.Sprintf("read the plan of round %d", b.at.Round)
	out, err := call(ctx, longTransfer(what, patience), act.ReadPlan,
		activities.ReadPlanInput{Files: b.files, Round: b.at.Round, Offset: b.book.Cursor, Count: unitsAtATime})
	if err != nil {
		b.breakOff(what, err)
		return
	}
	b.book.Queue, b.book.Cursor = append(b.book.Queue, out.Units...), out.Next
	if len(out.Units) == 0 {
		b.book.Cursor = b.book.PlanSize
	}
}
