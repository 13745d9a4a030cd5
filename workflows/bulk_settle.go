package workflows

import (
	"fmt"
	"slices"

	"go.temporal.io/sdk/workflow"

	"batchkeeper/activities"
	"batchkeeper/batch"
)

// settle sorts the rows of an ended unit, or puts it back where the gateway had
// no room for it.
func (b *bulk) settle(ctx workflow.Context, u batch.OpenUnit) {
	f := *u.Finished
	if code, refused := noRoom(f); refused {
		b.refused(ctx, u, code)
		return
	}
	out, err := call(ctx, longTransfer("settle "+u.WorkflowID, patience), act.SettleUnit, activities.SettleUnitInput{
		Files: b.files, Round: b.at.Round, Unit: u.Unit, Try: u.Try, Input: b.job.Input, Finished: f,
		CancelRequested: b.cancelRequested(), Prices: b.book.Profile.Prices, RowsPerPage: b.rowsPerPage(),
	})
	b.returnLease(ctx, u.WorkflowID, u.Ask)
	if err != nil {
		b.breakOff("settle "+u.WorkflowID, err)
		b.drop(u.Number)
		return
	}
	b.count(u, out)
	b.trip()
	if out.Pages > 0 {
		b.book.PageQueue = append(b.book.PageQueue, batch.UnitPages{
			Round: b.at.Round, Unit: u.Number, Try: u.Try, BatchID: out.BatchID, Next: 1, Count: out.Pages,
		})
	}
	b.drop(u.Number)
}

// noRoom tells that a batch ended without any answer since there was no room.
func noRoom(f batch.Finished) (code string, ok bool) {
	if f.Failure == nil || f.Results != nil && f.Results.Succeeded > 0 {
		return "", false
	}
	if f.Outcome != batch.OutcomeUpstreamFailed && f.Outcome != batch.OutcomeRejected {
		return "", false
	}
	return batch.RefusalIn(f.Failure.Message)
}

// manyRefusals are as many as a busy account explains badly.
const manyRefusals = 5

// refused tells the governor, which learns from it, and puts the unit back.
func (b *bulk) refused(ctx workflow.Context, u batch.OpenUnit, code string) {
	err := workflow.SignalExternalWorkflow(ctx, b.at.Governor, "", batch.SignalRefused,
		batch.Refusal{Holder: u.WorkflowID, Reason: code}).Get(ctx, nil)
	if err != nil {
		b.log.Info("tell of a refusal", "governor", b.at.Governor, "error", err)
	}
	problem := fmt.Sprintf("the gateway had no room, %d times: %s", u.Try, code)
	if u.Try >= manyRefusals {
		problem += ". If nothing else uses the account, the batch is too large for it: lower max_rows_per_batch, or max_tokens_per_batch in the limits file"
	}
	b.retry(ctx, u, batch.RoomAgain(u.Try), problem)
}

// count adds what a settled unit came to.
func (b *bulk) count(u batch.OpenUnit, out activities.SettleUnitOutput) {
	k := &b.book
	b.at.Ended++
	if k.RoundCounts.Sum() == 0 { // until then those of the round before are worth telling
		k.AgainCauses = nil
	}
	k.RoundCounts, k.RoundMoney = k.RoundCounts.Plus(out.Counts), k.RoundMoney.Plus(out.Money)
	k.RoundCauses = batch.AddCauses(k.RoundCauses, out.Causes, shownCauses)
	k.AgainCauses = batch.AddCauses(k.AgainCauses, out.AgainCauses, shownCauses)
	b.at.Causes = batch.AddCauses(b.at.Causes, out.Causes, shownCauses)
	b.at.Money = b.at.Money.Plus(out.Money)
	switch {
	case out.Money.Unpriced > 0:
		b.unpriced(u)
	case out.Money.TotalTokens > 0:
		k.RowsSpent += u.Rows
	case batch.MayBePaid(out.Outcome):
		may, _ := b.hold(u.Unit)
		b.at.AtRiskNanos += may
	}
	b.at.Counts = b.at.Counts.Plus(out.Counts)
	b.at.Counts.Open -= u.Rows
	if c := b.at.Cancelled; c != nil {
		switch out.Outcome {
		case batch.OutcomeCancelled:
			c.Cancelled++
		case batch.OutcomeCancelUnconfirmed:
			c.Unconfirmed++
		default:
			c.TooLate++
		}
	}
	b.state.Progress = b.percent()
}

// trip pauses the run where one permanent cause takes too many rows, while there
// is something to hold back.
func (b *bulk) trip() {
	k := &b.book
	unsent := slices.ContainsFunc(k.Units, func(u batch.OpenUnit) bool {
		return u.Stage == batch.UnitDeferred || u.Stage == batch.UnitWaiting || u.Stage == batch.UnitGranted
	})
	if b.held() || b.planDone() && !unsent {
		return
	}
	if reason, cause := batch.Breaker(k.RoundCounts.Sum(), k.RoundCauses, k.Passed); reason != "" {
		b.at.Paused, k.PauseCause = reason, cause
	}
}

// unpriced pauses a run whose budget cannot be held: nobody tells what a batch
// has cost. A resume lets that pass.
func (b *bulk) unpriced(u batch.OpenUnit) {
	const cause = "unpriced"
	if b.at.Budget <= 0 || b.held() || slices.Contains(b.book.Passed, cause) {
		return
	}
	b.book.PauseCause = cause
	b.at.Paused = fmt.Sprintf("budget_usd cannot be held: the gateway does not tell what %s has cost, and profile %s has no price. "+
		"Resume goes on without knowing", u.WorkflowID, b.book.Profile.Name)
}

const shownCauses = 10

func (b *bulk) percent() int {
	rows := b.at.Counts.Sum()
	if rows == 0 {
		return 0
	}
	return int((rows - b.at.Counts.Open) * 100 / rows)
}

// findLost asks how the live batches stand of which nothing was heard.
func (b *bulk) findLost(ctx workflow.Context) {
	var ids []string
	for _, u := range b.book.Units {
		if u.Stage == batch.UnitRunning && !b.busy[u.WorkflowID] {
			ids = append(ids, u.WorkflowID)
		}
	}
	if len(ids) == 0 {
		return
	}
	out, err := call(ctx, quickRead("look for batches whose end was not heard"), act.Ends, activities.EndsInput{WorkflowIDs: ids})
	if err != nil {
		b.log.Warn("look for ended batches", "error", err)
		return
	}
	for _, f := range out.Ended {
		b.hear(f)
	}
	for _, id := range out.Missing {
		b.hear(batch.Finished{WorkflowID: id, Outcome: batch.OutcomeResultsUnavailable, Failure: &batch.Failure{
			Type: batch.KindResultsUnavailable, Message: "the batch's workflow is not on the server any more",
		}})
	}
}
