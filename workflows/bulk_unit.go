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
	if u.Stage == batch.UnitDeferred {
		u.Ask++
		b.unit(u.Number).Ask = u.Ask
	}
	req := batch.LeaseRequest{RunID: b.info.WorkflowExecution.ID, Holder: u.WorkflowID, Ask: u.Ask, Tokens: u.Tokens}
	if b.book.Mode != batch.CreateInline {
		req.Uploads, req.UploadBytes = 1, u.Bytes
	}
	// Waiting before the call, since the answer may be quicker than its end.
	b.unit(u.Number).NotBefore = workflow.Now(ctx).Add(askAgainEvery)
	b.stage(u.Number, batch.UnitWaiting, "")
	out, err := call(ctx, quickRead("ask for capacity for "+u.WorkflowID), act.AskGovernor, activities.AskGovernorInput{
		Account: b.book.Account, Profile: b.book.Profile.Name, Capacity: b.book.Profile.Capacity(), Request: req,
	})
	open := b.unit(u.Number)
	switch {
	case open == nil || open.Stage != batch.UnitWaiting: // the answer was quicker
	case err != nil:
		b.putOff(ctx, u.Number, foreignWait, "ask for capacity: "+reason(err))
	default:
		open.Problem = out.Waiting
	}
}

// yield gives a lease, or the wish for one, back.
func (b *bulk) yield(ctx workflow.Context, u batch.OpenUnit) {
	b.stage(u.Number, batch.UnitDeferred, "")
	b.unit(u.Number).NotBefore = workflow.Now(ctx)
	b.returnLease(ctx, u.WorkflowID, u.Ask)
}

// returnLease tells the governor that a unit needs its capacity no more. One that
// is gone has nothing to return to, and has forgotten who waits.
func (b *bulk) returnLease(ctx workflow.Context, holder string, ask int) {
	if b.at.Governor == "" { // a notice of before this run was reset
		return
	}
	err := workflow.SignalExternalWorkflow(ctx, b.at.Governor, "", batch.SignalRelease, batch.LeaseRelease{Holder: holder, Ask: ask}).Get(ctx, nil)
	if err == nil {
		return
	}
	b.log.Info("return a lease", "governor", b.at.Governor, "holder", holder, "error", err)
	for i := range b.book.Units {
		if b.book.Units[i].Stage == batch.UnitWaiting {
			b.book.Units[i].NotBefore = workflow.Now(ctx)
		}
	}
	b.changed = true
}

// send starts the batch of a unit, unless it was started before.
func (b *bulk) send(ctx workflow.Context, u batch.OpenUnit) {
	out, err := call(ctx, longTransfer("prepare "+u.WorkflowID, patience), act.Prepare, activities.PrepareInput{
		Files: b.files, Round: b.at.Round, Unit: u.Unit, Try: u.Try, Input: b.job.Input, WorkflowID: u.WorkflowID,
	})
	switch {
	case err != nil:
		b.ended(batch.Finished{WorkflowID: u.WorkflowID, Outcome: batch.OutcomeRejected, Failure: &batch.Failure{
			Type: batch.KindBatchRejected, Message: "prepare: " + reason(err),
		}})
	case out.Foreign != "":
		b.retry(ctx, u, foreignWait, out.Foreign)
	case !b.found(u, out):
		b.start(ctx, u, out.Key)
	}
}

// lookUp looks whether a unit was sent before this run was reset, and drops it
// where it was not.
func (b *bulk) lookUp(ctx workflow.Context, u batch.OpenUnit) {
	out, err := call(ctx, longTransfer("look for "+u.WorkflowID, patience), act.Prepare, activities.PrepareInput{
		Files: b.files, Round: b.at.Round, Unit: u.Unit, Try: u.Try, Input: b.job.Input, WorkflowID: u.WorkflowID, LookOnly: true,
	})
	if err != nil {
		b.breakOff("look for "+u.WorkflowID, err)
	}
	if err != nil || !b.found(u, out) {
		b.drop(u.Number)
	}
}

// found takes a unit on from where it was before this run was reset, if it was
// sent then.
func (b *bulk) found(u batch.OpenUnit, out activities.PrepareOutput) bool {
	switch {
	case out.Collected:
		b.ended(batch.Finished{WorkflowID: u.WorkflowID, Outcome: batch.OutcomeCompleted})
	case out.Ended != nil:
		b.ended(*out.Ended)
	case out.Open:
		b.stage(u.Number, batch.UnitRunning, "")
	default:
		return false
	}
	return true
}

// start starts the child and waits until it runs, no longer: the batch outlives
// this execution, and says itself when it has ended.
func (b *bulk) start(ctx workflow.Context, u batch.OpenUnit, key string) {
	if b.stopped() || b.at.Paused != "" { // while its rows were gathered
		return
	}
	job := b.childJob(u, key)
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
	j.ResultsPrefix = b.files.Unit(b.at.Round, u.Number, u.Try)
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
	if open := b.unit(u.Number); open != nil && !open.Told {
		open.Told = true
		b.at.Cancelled.Told++
	}
	if err != nil { // it has ended: its notification is here, or is looked for
		b.book.CheckAt = workflow.Now(ctx).Add(5 * time.Second)
	}
}

// hear takes the notice of a batch that runs: a second one, and one of a batch
// that another run has left behind under the same id, changes nothing.
func (b *bulk) hear(f batch.Finished) {
	if u := b.byID(f.WorkflowID); u != nil && u.Stage == batch.UnitRunning {
		b.ended(f)
	}
}

// ended makes a unit one to settle.
func (b *bulk) ended(f batch.Finished) {
	if u := b.byID(f.WorkflowID); u != nil && u.Stage != batch.UnitEnded {
		u.Stage, u.Finished, u.Problem, b.changed = batch.UnitEnded, &f, "", true
	}
}

// retry gives a unit back what it holds and asks again later, under a new id: a
// lease is for one batch.
func (b *bulk) retry(ctx workflow.Context, u batch.OpenUnit, wait time.Duration, problem string) {
	b.returnLease(ctx, u.WorkflowID, u.Ask)
	b.putOff(ctx, u.Number, wait, problem)
	if open := b.unit(u.Number); open != nil {
		open.Try++
		open.Ask = 0
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
