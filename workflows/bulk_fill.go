package workflows

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"batchkeeper/activities"
	"batchkeeper/batch"
)

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

// maxPageBacklog is how many settled units may wait for the downstream: what is
// answered must be taken in.
const maxPageBacklog = 200

// mayBegin tells whether new units may be begun at all.
func (b *bulk) mayBegin() bool {
	return !b.stopped() && b.at.Paused == "" && len(b.book.PageQueue) < maxPageBacklog
}

// affordable tells whether a unit fits the budget. While what a batch costs is
// not known, one is tried alone.
func (b *bulk) affordable(next batch.Unit) bool {
	if b.at.Budget <= 0 {
		return true
	}
	cost, known := b.hold(next)
	held := int64(0)
	for _, u := range b.book.Units {
		more, _ := b.hold(u.Unit)
		held += more
	}
	alone := len(b.book.Units) == 0
	if batch.WithinBudget(b.at.Budget, b.at.Money, held, cost) && (known || alone) {
		return true
	}
	if alone { // what was held has been settled: it stays unaffordable
		b.book.BudgetReached = true
		b.state.Problem = fmt.Sprintf("budget_usd %.4f: %.4f spent, the next batch would exceed it", b.at.Budget, b.at.Money.USD())
	}
	return false
}

func (b *bulk) hold(u batch.Unit) (int64, bool) {
	return batch.Hold(b.book.Profile.Prices, u, b.at.Money, b.book.RowsSpent)
}

func (b *bulk) readPlan(ctx workflow.Context) error {
	out, err := call(ctx, quickRead(fmt.Sprintf("read the plan of round %d", b.at.Round)), act.ReadPlan,
		activities.ReadPlanInput{Files: b.files, Round: b.at.Round, Offset: b.book.Cursor, Count: readAhead})
	if err != nil {
		return end(batch.OutcomeResultsUnavailable, fmt.Sprintf("read the plan of round %d: %s", b.at.Round, reason(err)))
	}
	b.book.Queue, b.book.Cursor = append(b.book.Queue, out.Units...), out.Next
	if len(out.Units) == 0 {
		b.book.Cursor = b.book.PlanSize
	}
	return nil
}
