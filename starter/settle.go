package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"batchkeeper"
	"batchkeeper/batch"
)

type settleCmd struct {
	ID       string `arg:"" help:"The run's workflow id."`
	BatchID  string `name:"batch-id" help:"Adopt this batch." placeholder:"ID" xor:"word"`
	Resubmit bool   `help:"There is no batch: create it again." xor:"word"`
	JSON     bool   `help:"Print the state as one JSON object."`
}

// settleTime bounds the look at the gateway that a settle takes.
const settleTime = 2 * time.Minute

// Run gives an operator's word on an ambiguous create.
func (c *settleCmd) Run(ctx context.Context, a *app) error {
	if (c.BatchID != "") == c.Resubmit {
		return usage("settle: give either --batch-id or --resubmit")
	}
	r, done, err := a.attach(ctx, c.ID)
	if err != nil {
		return err
	}
	defer done()
	asking, stop := context.WithTimeout(ctx, settleTime)
	defer stop()
	state, err := r.Settle(asking, batch.SettleRequest{BatchID: c.BatchID, Resubmit: c.Resubmit})
	if errors.Is(err, batchkeeper.ErrOtherType) {
		return a.settleOneOf(asking, r)
	}
	if err != nil && asking.Err() != nil && ctx.Err() == nil {
		return errors.Join(fmt.Errorf("no answer for %s: is a worker running? starter status %s shows what became of it", settleTime, c.ID), err)
	}
	if err != nil {
		return err
	}
	return a.printState(ctx, state, c.ID, c.JSON)
}

// settleOneOf says which batches of a bulk run there are to settle: those whose
// create is ambiguous, or those that are live where no run tells of one.
func (a app) settleOneOf(ctx context.Context, r *batchkeeper.Run) error {
	advice := fmt.Sprintf("settle: %s is a bulk run: a batch of it is settled by its own id", r.ID())
	state, err := r.State(ctx)
	if err != nil || state.Bulk == nil {
		return usage("%s, such as %s", advice, batch.ChildID(r.ID(), 1, 1, 1))
	}
	var live []string
	for _, l := range state.Bulk.Live {
		if l.Stage == batch.UnitRunning {
			live = append(live, l.WorkflowID)
		}
	}
	if len(live) == 0 {
		return usage("%s; none is live", advice)
	}
	if ambiguous := a.ambiguous(ctx, live[:min(len(live), shownLive)]); len(ambiguous) > 0 {
		return usage("%s; ambiguous: %s", advice, strings.Join(ambiguous, ", "))
	}
	text := strings.Join(live[:min(len(live), shownLive)], ", ")
	if more := len(live) - shownLive; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return usage("%s; live: %s", advice, text)
}

// ambiguous are those of the runs of which it is unknown whether they made a batch.
func (a app) ambiguous(ctx context.Context, ids []string) []string {
	c, err := a.dial(ctx)
	if err != nil {
		return nil
	}
	defer c.Close()
	var out []string
	for _, id := range ids {
		r, err := batchkeeper.Attach(ctx, c, id, "")
		if err != nil {
			continue
		}
		if state, err := r.State(ctx); err == nil && state.Submission != nil && state.Submission.Ambiguous {
			out = append(out, id)
		}
	}
	return out
}
