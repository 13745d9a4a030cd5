package main

import (
	"context"
	"time"

	"batchkeeper/batch"
)

type pauseCmd struct {
	ID     string `arg:"" help:"The run's workflow id."`
	Reason string `help:"Why, for whoever looks at the run." placeholder:"TEXT"`
	JSON   bool   `help:"Print the state as one JSON object."`
}

// Run keeps a bulk run from starting batches; live ones go on.
func (c *pauseCmd) Run(ctx context.Context, a *app) error {
	r, done, err := a.attach(ctx, c.ID)
	if err != nil {
		return err
	}
	defer done()
	state, err := r.Pause(ctx, batch.PauseRequest{Reason: c.Reason})
	if err != nil {
		return err
	}
	return a.printState(ctx, state, c.ID, c.JSON)
}

type resumeCmd struct {
	ID   string `arg:"" help:"The run's workflow id."`
	JSON bool   `help:"Print the state as one JSON object."`
}

// Run lets a paused bulk run go on.
func (c *resumeCmd) Run(ctx context.Context, a *app) error {
	r, done, err := a.attach(ctx, c.ID)
	if err != nil {
		return err
	}
	defer done()
	state, err := r.Resume(ctx)
	if err != nil {
		return err
	}
	return a.printState(ctx, state, c.ID, c.JSON)
}

type setCmd struct {
	ID          string         `arg:"" help:"The run's workflow id."`
	MaxInFlight *int           `help:"Batches at a time." placeholder:"N"`
	BudgetUSD   *float64       `name:"budget-usd" help:"Start no batch beyond it; 0: no limit." placeholder:"USD"`
	StaleAfter  *time.Duration `help:"Cancel a batch that has not ended after this long; for batches still to be started." placeholder:"36h"`
	Rounds      *int           `help:"How often a row is sent at most." placeholder:"N"`
	JSON        bool           `help:"Print the state as one JSON object."`
}

// Run changes a bulk run for what is still to be started.
func (c *setCmd) Run(ctx context.Context, a *app) error {
	req := batch.SetRequest{MaxInFlight: c.MaxInFlight, BudgetUSD: c.BudgetUSD, Rounds: c.Rounds}
	if c.StaleAfter != nil {
		after := batch.Duration(*c.StaleAfter)
		req.StaleAfter = &after
	}
	if err := req.Validate(); err != nil {
		return usage("%w", err)
	}
	r, done, err := a.attach(ctx, c.ID)
	if err != nil {
		return err
	}
	defer done()
	state, err := r.Set(ctx, req)
	if err != nil {
		return err
	}
	return a.printState(ctx, state, c.ID, c.JSON)
}
