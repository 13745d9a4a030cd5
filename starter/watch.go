package main

import "context"

type watchCmd struct {
	ID     string `arg:"" help:"The run's workflow id."`
	Output string `help:"Copy the results into this directory." placeholder:"DIR"`
	JSON   bool   `help:"Print the final result, as one JSON object, alone on standard output."`
}

// Run follows a run to its end and exits with its code.
func (c *watchCmd) Run(ctx context.Context, a *app) error {
	_, store, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	if err := makeOutput(c.Output); err != nil {
		return err
	}
	r, done, err := a.attach(ctx, c.ID)
	if ctx.Err() != nil {
		return interrupted(c.ID)
	}
	if err != nil {
		return err
	}
	defer done()
	return a.follow(ctx, r, store, c.Output, c.JSON)
}
