package main

import (
	"context"
	"errors"
	"time"

	"batchkeeper"
	"batchkeeper/batch"
)

type statusCmd struct {
	ID   string `arg:"" help:"The run's workflow id."`
	JSON bool   `help:"Print the state as one JSON object."`
}

// Run shows where a run stands.
func (c *statusCmd) Run(ctx context.Context, a *app) error {
	r, done, err := a.attach(ctx, c.ID)
	if errors.Is(err, batchkeeper.ErrNotFound) {
		return c.forgotten(ctx, a, err)
	}
	if err != nil {
		return err
	}
	defer done()
	state, err := r.State(ctx)
	if err != nil {
		return err
	}
	if open, err := r.Open(ctx); err == nil && !open && state.Outcome == "" {
		a.say("%s was ended from outside: this is its last state", c.ID)
		if r.Type() == batch.WorkflowBulk {
			a.say("%s", bulkGoesOn(c.ID))
		}
	}
	return a.printState(ctx, state, c.ID, c.JSON)
}

// forgotten tells of a run that Temporal has no more, by its manifest.
func (c *statusCmd) forgotten(ctx context.Context, a *app, missing error) error {
	_, store, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	prefix, err := latestPrefix(ctx, store, c.ID)
	if err != nil || prefix == "" {
		return errors.Join(missing, err)
	}
	_, manifest, err := readManifest(ctx, store, prefix)
	if err != nil {
		return exit{exitFailed, err}
	}
	a.say("Temporal has no run %s any more; this is its manifest in the store", c.ID)
	if c.JSON {
		return a.printJSON(manifest)
	}
	return a.print("%s", manifestTable(manifest, ""))
}

// printState prints a state, as a table or as JSON.
func (a app) printState(ctx context.Context, state batch.State, id string, asJSON bool) error {
	if asJSON {
		return a.printJSON(state)
	}
	_, store, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	return a.print("%s", statusTable(state, id, store, time.Now()))
}
