package main

import (
	"context"
	"fmt"
	"path"

	"go.temporal.io/sdk/client"

	"batchkeeper"
	"batchkeeper/batch"
	"batchkeeper/internal/blobstore"
	"batchkeeper/internal/env"
)

type runCmd struct {
	Input string `arg:"" optional:"" help:"A local path (copied into the store), a key of the store or a URL."`
	startFlags
	jobFlags
}

// What --type says.
const (
	typeBatch = "batch"
	typeBulk  = "bulk"
)

// startFlags say how a run is started and followed.
type startFlags struct {
	ID     string `name:"id" help:"The run's workflow id; the same id and job attach to the run that exists. By default a new one." placeholder:"ID"`
	Type   string `help:"The workflow: batch, or bulk for an input of any size. By default what the input needs." placeholder:"batch|bulk"`
	Rerun  bool   `help:"Start anew under an id that has ended. This pays again."`
	Detach bool   `help:"Print the workflow id and return."`
	Output string `help:"Copy the results into this directory." placeholder:"DIR"`
	JSON   bool   `help:"Print the final result, as one JSON object, alone on standard output."`
}

// Run starts a run and follows it.
func (c *runCmd) Run(ctx context.Context, a *app) error {
	job, err := c.job()
	if err != nil {
		return err
	}
	if c.Input != "" {
		job.Input = c.Input
	}
	if job.Input == "" && job.InputFileID == "" && job.BatchID == "" {
		return usage("run: give an INPUT, or a --job that names one")
	}
	return c.start(ctx, a, job)
}

// start checks what can be checked here, starts the run and follows it.
func (f startFlags) start(ctx context.Context, a *app, job batch.Job) error {
	if err := f.check(job); err != nil {
		return err
	}
	cfg, err := a.config()
	if err != nil {
		return err
	}
	store, err := a.store(ctx, cfg)
	if err != nil {
		return err
	}
	defer store.Close()
	if err := makeOutput(f.Output); err != nil {
		return err
	}
	in, workflow, err := f.checkedInput(ctx, a, cfg, store, job)
	if err != nil {
		return err
	}
	c, err := a.dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	r, err := f.send(ctx, cfg, c, job, in, workflow)
	if err != nil {
		return err
	}
	if f.Detach {
		return f.detach(a, r)
	}
	a.say("%s %s", map[bool]string{false: "started", true: "attached to"}[r.Attached()], r.ID())
	return a.follow(ctx, r, store, f.Output, f.JSON)
}

func (f startFlags) check(job batch.Job) error {
	switch f.Type {
	case "", typeBatch, typeBulk:
	default:
		return usage("--type: %q is neither batch nor bulk", f.Type)
	}
	if f.ID != "" {
		if err := batch.CheckWorkflowID(f.ID); err != nil {
			return usage("--id: %w", err)
		}
	}
	if f.Rerun && f.ID == "" {
		return usage("--rerun: it needs --id")
	}
	if f.Detach && f.Output != "" {
		return usage("--detach: it does not wait for the results that --output asks for; starter results copies them later")
	}
	if err := job.Validate(); err != nil {
		return usage("%w", err)
	}
	if job.ResultsPrefix != "" {
		if err := blobstore.CheckKey(path.Join(job.ResultsPrefix, batch.FileManifest)); err != nil {
			return usage("--results-prefix: %w", err)
		}
	}
	return nil
}

// checkedInput finds the input, nil where the job has none, and the workflow
// that takes it. The rows of a batch are checked here; those of a bulk run by its
// survey, which sends nothing before it has seen them all.
func (f startFlags) checkedInput(ctx context.Context, a *app, cfg env.Config, store *blobstore.Store, job batch.Job) (*input, string, error) {
	profile, err := profileOf(cfg, job)
	if err != nil || job.Input == "" {
		return nil, batch.WorkflowBatch, err
	}
	in, err := findInput(ctx, store, job.Input, job.InputRange)
	if err != nil {
		return nil, "", err
	}
	if f.Type == typeBulk || f.Type == "" && (job.ValidateSingle() != nil || in.exceeds(profile.BytesLimit(profile.Mode(job)))) {
		return &in, batch.WorkflowBulk, nil
	}
	found, err := a.check(ctx, in, profile, job)
	switch {
	case err != nil:
		return nil, "", err
	case found.Bad > 0:
		return nil, "", usage("nothing was started:\n%s", found.text(in.name))
	case found.Excess != "" && f.Type == "":
		a.say("%s: %s: it is run in bulk", in.name, found.Excess)
		return &in, batch.WorkflowBulk, nil
	case found.Excess != "":
		return nil, "", usage("nothing was started: %s: %s. Leave --type out, or give --type bulk, to cut it into batches", in.name, found.Excess)
	}
	return &in, batch.WorkflowBatch, nil
}

// send brings the input into the store and starts the run.
func (f startFlags) send(ctx context.Context, cfg env.Config, c client.Client, job batch.Job, in *input, workflow string) (*batchkeeper.Run, error) {
	base := job
	if in != nil {
		name, err := in.publish(ctx)
		if err != nil {
			return nil, err
		}
		job.Input = name
	}
	opts := []batchkeeper.Option{batchkeeper.WithTaskQueue(cfg.TaskQueue), batchkeeper.WithID(f.ID), batchkeeper.WithType(workflow)}
	if f.ID == "" { // named after the file, not after the hash under which it is stored
		opts = append(opts, batchkeeper.WithID(batchkeeper.NewID(base)))
	}
	if f.Rerun {
		opts = append(opts, batchkeeper.WithRerun())
	}
	return batchkeeper.Start(ctx, c, job, opts...)
}

func (f startFlags) detach(a *app, r *batchkeeper.Run) error {
	if f.JSON {
		return a.printJSON(map[string]any{"workflow_id": r.ID(), "run_id": r.RunID(), "attached": r.Attached()})
	}
	a.say("%s", hints(r.ID()))
	return a.print("%s", r.ID())
}

// hints say how to go on with a run.
func hints(id string) string {
	return fmt.Sprintf("watch it: starter watch %s · cancel it: starter cancel %s", id, id)
}
