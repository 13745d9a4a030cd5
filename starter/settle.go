package main

import (
	"context"
	"errors"
	"fmt"
	"time"

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
	if err != nil && asking.Err() != nil && ctx.Err() == nil {
		return errors.Join(fmt.Errorf("no answer for %s: is a worker running? starter status %s shows what became of it", settleTime, c.ID), err)
	}
	if err != nil {
		return err
	}
	return a.printState(ctx, state, c.ID, c.JSON)
}
