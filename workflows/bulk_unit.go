package workflows

import (
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"batchkeeper/activities"
	"batchkeeper/batch"
)

// foreignWait is how long a unit waits whose workflow id is taken by another run.
const foreignWait = time.Minute

// ask asks the governor for a lease; the answer comes as a signal.
func (b *bulk) ask(ctx workflow.Context, u batch.OpenUnit) {
	req := batch.LeaseRequest{RunID: b.info.WorkflowExecution.ID, Holder: u.WorkflowID, Tokens: u.Tokens}
	if b.book.Mode != batch.CreateInline {
		req.Uploads, req.UploadBytes = 1, u.Bytes
	}
	// Waiting before the call, since the answer may be quicker than its end.
	b.stage(u.Number, batch.UnitWaiting, "")
	_, err := call(ctx, quickRead("ask for capacity for "+u.WorkflowID), act.AskGovernor, activities.AskGovernorInput{
		Account: b.book.Account, Profile: b.book.Profile.Name, Capacity: b.book.Profile.Capacity(), Request: req,
	})
	if err != nil && b.unit(u.Number) != nil && b.unit(u.Number).Stage == batch.UnitWaiting {
		b.putOff(ctx, u.Number, foreignWait, "ask for capacity: "+reason(err))
	}
}

// release gives a lease, or the wish for one, back and takes the unit out.
func (b *bulk) release(ctx workflow.Context, u batch.OpenUnit) {
	b.returnLease(ctx, u.WorkflowID)
	b.withdraw(u.Number)
}

// returnLease tells the governor that a unit needs its capacity no more. A
// governor that is gone has nothing to return to.
func (b *bulk) returnLease(ctx workflow.Context, holder string) {
	err := workflow.SignalExternalWorkflow(ctx, b.at.Governor, "", batch.SignalRelease, batch.LeaseRelease{Holder: holder}).Get(ctx, nil)
	if err != nil {
		b.log.Info("return a lease", "governor", b.at.Governor, "holder", holder, "error", err)
	}
}

// send starts the batch of a unit, unless it was started before.
func (b *bulk) send(ctx workflow.Context, u batch.OpenUnit) {
	out, err := call(ctx, longTransfer("prepare "+u.WorkflowID, patience), act.Prepare, activities.PrepareInput{
		Prefix: b.prefix, Round: b.at.Round, Unit: u.Unit, Try: u.Try, Input: b.job.Input, WorkflowID: u.WorkflowID,
	})
	switch {
	case err != nil:
		b.returnLease(ctx, u.WorkflowID)
		b.hear(batch.Finished{WorkflowID: u.WorkflowID, Outcome: batch.OutcomeRejected, Failure: &batch.Failure{
			Type: batch.KindBatchRejected, Message: "prepare: " + reason(err),
		}})
	case out.Foreign != "":
		b.retry(ctx, u, foreignWait, out.Foreign)
	case out.Collected:
		b.hear(batch.Finished{WorkflowID: u.WorkflowID, Outcome: batch.OutcomeCompleted})
	case out.Open:
		b.stage(u.Number, batch.UnitRunning, "")
	default:
		b.start(ctx, u, out.Key)
	}
}

// start starts the child and waits until it runs, no longer: the batch outlives
// this execution, and says itself when it has ended.
func (b *bulk) start(ctx workflow.Context, u batch.OpenUnit, key string) {
	job := b.childJob(u, key)
	if b.stopped() {
		b.release(ctx, u)
		return
	}
	b.stage(u.Number, batch.UnitRunning, "")
	child := workflow.ExecuteChildWorkflow(workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID: u.WorkflowID, ParentClosePolicy: enumspb.PARENT_CLOSE_POLICY_ABANDON,
		Memo:          map[string]any{batch.MemoJob: job.Fingerprint()},
		StaticSummary: fmt.Sprintf("round %d, %d rows, for %s", b.at.Round, u.Rows, b.info.WorkflowExecution.ID),
	}), batch.WorkflowBatch, job)
	if err := child.GetChildWorkflowExecution().Get(ctx, nil); err != nil {
		if temporal.IsWorkflowExecutionAlreadyStartedError(err) {
			return // it runs, or has just ended: the next look at the live ones tells
		}
		b.retry(ctx, u, foreignWait, "start the batch: "+reason(err))
	}
}

// childJob is the job of a unit's batch.
func (b *bulk) childJob(u batch.OpenUnit, key string) batch.Job {
	j := b.job
	j.BulkJob = batch.BulkJob{}
	j.Endpoint, j.Model, j.CreateMode = b.book.Endpoint, b.job.Model, b.book.Mode
	j.ResultsPrefix = batch.UnitPrefix(b.prefix, b.at.Round, u.Number, u.Try)
	j.Notify = &batch.Notify{WorkflowID: b.info.WorkflowExecution.ID, Signal: batch.SignalFinished}
	if b.book.StaleAfter != nil {
		j.StaleAfter = *b.book.StaleAfter
	}
	if key != "" {
		j.Input = key
		return j
	}
	r := u.Shard.Range
	j.InputRange = &r
	return j
}

// tellCancel passes a request to cancel on to a live batch.
func (b *bulk) tellCancel(ctx workflow.Context, u batch.OpenUnit) {
	c := b.state.Cancellation
	err := workflow.SignalExternalWorkflow(ctx, u.WorkflowID, "", batch.SignalCancel,
		batch.CancelRequest{Reason: c.Reason, RequestedBy: c.RequestedBy}).Get(ctx, nil)
	if open := b.unit(u.Number); open != nil {
		open.Told = true
	}
	if err != nil { // it has ended: its notification is here, or is looked for
		b.checkAt = workflow.Now(ctx).Add(5 * time.Second)
	}
}

// hear takes the end of a batch; a second notice of it, and one of another run's
// batch, changes nothing.
func (b *bulk) hear(f batch.Finished) {
	u := b.byID(f.WorkflowID)
	if u == nil || u.Stage == batch.UnitEnded {
		return
	}
	u.Stage, u.Finished, u.Problem, b.changed = batch.UnitEnded, &f, "", true
}

// settle sorts the rows of an ended unit, or puts it back where the gateway had
// no room for it.
func (b *bulk) settle(ctx workflow.Context, u batch.OpenUnit) {
	f := *u.Finished
	if code, refused := noRoom(f); refused && u.Try < batch.MaxUnitTries && !b.stopped() {
		b.refused(ctx, u, code)
		return
	}
	out, err := call(ctx, longTransfer("settle "+u.WorkflowID, patience), act.SettleUnit, activities.SettleUnitInput{
		Prefix: b.prefix, Round: b.at.Round, Unit: u.Unit, Try: u.Try, Input: b.job.Input, Finished: f,
		CancelRequested: b.cancelRequested(), Prices: b.book.Profile.Prices, RowsPerPage: b.rowsPerPage(),
	})
	b.returnLease(ctx, u.WorkflowID)
	if err != nil {
		b.fatal = end(batch.OutcomeResultsUnavailable, "settle "+u.WorkflowID+": "+reason(err))
		b.drop(u.Number)
		return
	}
	b.count(u, f, out)
	b.queuePages(u, out.Pages)
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

// refused tells the governor, which learns from it, and puts the unit back.
func (b *bulk) refused(ctx workflow.Context, u batch.OpenUnit, code string) {
	err := workflow.SignalExternalWorkflow(ctx, b.at.Governor, "", batch.SignalRefused,
		batch.Refusal{Holder: u.WorkflowID, Reason: code}).Get(ctx, nil)
	if err != nil {
		b.log.Info("tell of a refusal", "governor", b.at.Governor, "error", err)
	}
	b.retry(ctx, u, batch.RoomAgain(u.Try), "the gateway had no room: "+code)
}

// retry gives a unit back what it holds and asks again later, under a new id: a
// lease is for one batch.
func (b *bulk) retry(ctx workflow.Context, u batch.OpenUnit, wait time.Duration, problem string) {
	b.returnLease(ctx, u.WorkflowID)
	b.putOff(ctx, u.Number, wait, problem)
	if open := b.unit(u.Number); open != nil {
		open.Try++
		open.Finished = nil
		open.WorkflowID = batch.ChildID(b.info.WorkflowExecution.ID, b.at.Round, u.Number, open.Try)
	}
}

func (b *bulk) putOff(ctx workflow.Context, number int, wait time.Duration, problem string) {
	if u := b.unit(number); u != nil {
		u.NotBefore = workflow.Now(ctx).Add(wait)
	}
	b.stage(number, batch.UnitDeferred, problem)
}

func (b *bulk) stage(number int, s batch.UnitStage, problem string) {
	if u := b.unit(number); u != nil {
		u.Stage, u.Problem, b.changed = s, problem, true
	}
}

// count adds what a settled unit came to.
func (b *bulk) count(u batch.OpenUnit, f batch.Finished, out activities.SettleUnitOutput) {
	k := &b.book
	b.at.Ended++
	k.RoundCounts, k.RoundMoney = k.RoundCounts.Plus(out.Counts), k.RoundMoney.Plus(out.Money)
	k.RoundCauses = batch.AddCauses(k.RoundCauses, out.Causes, shownCauses)
	b.at.Causes = batch.AddCauses(b.at.Causes, out.Causes, shownCauses)
	b.at.Money = b.at.Money.Plus(out.Money)
	if out.Money.TotalTokens > 0 {
		k.RowsSpent += u.Rows
	}
	b.at.Counts = b.at.Counts.Plus(out.Counts)
	b.at.Counts.Open -= u.Rows
	if c := b.at.Cancelled; c != nil {
		switch f.Outcome {
		case batch.OutcomeCancelled:
			c.Cancelled++
		case batch.OutcomeCancelUnconfirmed:
			c.Unconfirmed++
		default:
			c.TooLate++
		}
	}
	settled := k.RoundCounts.Sum()
	if reason, cause := batch.Breaker(settled, k.RoundCauses, k.Passed); reason != "" && b.at.Paused == "" && !b.planDone() {
		b.at.Paused, k.PauseCause = reason, cause
	}
	b.state.Progress = b.percent()
}

const shownCauses = 10

func (b *bulk) planDone() bool { return len(b.book.Queue) == 0 && b.book.Cursor >= b.book.PlanSize }

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
