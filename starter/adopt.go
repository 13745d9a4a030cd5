package main

import (
	"context"

	"batchkeeper/batch"
)

type adoptCmd struct {
	BatchID string `arg:"" help:"The gateway's id of the batch."`
	Input   string `help:"The rows that it was made from; by default the gateway's copy of them." placeholder:"INPUT"`
	followFlags
	jobFlags
}

// Run starts a run of a batch that exists. Its id is made from the batch's, so
// that two of these do not follow the same batch.
func (c *adoptCmd) Run(ctx context.Context, a *app) error {
	job, err := c.job()
	if err != nil {
		return err
	}
	job.BatchID = c.BatchID
	if c.Input != "" {
		job.Input = c.Input
	}
	if c.ID == "" {
		c.ID = batch.AdoptID(c.BatchID)
		if err := batch.CheckWorkflowID(c.ID); err != nil {
			return usage("adopt: %w", err)
		}
	}
	return startFlags{followFlags: c.followFlags}.start(ctx, a, job)
}
