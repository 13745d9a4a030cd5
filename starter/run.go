package main

import (
	"cmp"
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

// startFlags say how a run of an input is started and followed.
type startFlags struct {
	followFlags
	Type   string `help:"The workflow: batch, or bulk for an input of any size. By default what the input needs." placeholder:"batch|bulk"`
	DryRun bool   `help:"Check the input, say what a run of it would take, and start nothing."`
}

// followFlags say how any run is started and followed.
type followFlags struct {
	ID     string `name:"id" help:"The run's workflow id; the same id and job attach to the run that exists. By default a new one." placeholder:"ID"`
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
	cfg, store, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	if err := makeOutput(f.Output); err != nil {
		return err
	}
	in, found, err := f.checkedInput(ctx, a, cfg, store, job)
	if err != nil {
		return err
	}
	if f.DryRun {
		return f.planned(a, job, in.name, found)
	}
	if err := f.accept(a, in, found); err != nil {
		return err
	}
	c, err := a.dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	r, err := f.send(ctx, cfg, c, job, in, found)
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
	if f.DryRun && job.Input == "" {
		return usage("--dry-run: it needs an INPUT to look at")
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
// that takes it, and refuses rows that would be refused. Of an input in the store
// that is run in bulk the rows are not read twice over the network: the survey
// looks at all of them near the data before anything is sent.
func (f startFlags) checkedInput(ctx context.Context, a *app, cfg env.Config, store *blobstore.Store, job batch.Job) (*input, findings, error) {
	profile, err := profileOf(cfg, job)
	if err != nil || job.Input == "" {
		return nil, findings{Valid: true, Type: cmp.Or(f.Type, typeBatch)}, err
	}
	in, err := findInput(ctx, store, job.Input, job.InputRange)
	if err != nil {
		return nil, findings{}, err
	}
	kind, err := in.kind(ctx, profile, job, f.Type)
	if err != nil {
		return nil, findings{}, err
	}
	if kind == typeBulk && !in.local && !f.DryRun {
		return &in, findings{Valid: true, Type: typeBulk}, nil
	}
	found, err := a.check(ctx, in, profile, job, kind, nil)
	return &in, found, err
}

// accept says no to an input that would be refused.
func (f startFlags) accept(a *app, in *input, found findings) error {
	switch {
	case found.Valid && found.Excess != "":
		a.say("%s: %s: it is run in bulk", in.name, found.Excess)
		return nil
	case found.Valid:
		return nil
	case found.Excess != "":
		return usage("nothing was started: %s: %s. Leave --type out, or give --type bulk, to cut it into batches", in.name, found.Excess)
	default:
		return usage("nothing was started:\n%s%s", found.named(), found.verdict(in.name))
	}
}

// workflowOf is the name under which the workflow of a type is registered.
func workflowOf(kind string) string {
	if kind == typeBulk {
		return batch.WorkflowBulk
	}
	return batch.WorkflowBatch
}

// send brings the input into the store and starts the run.
func (f startFlags) send(ctx context.Context, cfg env.Config, c client.Client, job batch.Job, in *input, found findings) (*batchkeeper.Run, error) {
	base := job
	if in != nil {
		name, err := in.publish(ctx, found)
		if err != nil {
			return nil, err
		}
		job.Input = name
	}
	opts := []batchkeeper.Option{batchkeeper.WithTaskQueue(cfg.TaskQueue), batchkeeper.WithID(f.ID), batchkeeper.WithType(workflowOf(found.Type))}
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
