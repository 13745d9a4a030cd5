package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"go.temporal.io/sdk/client"

	"batchkeeper"
	"batchkeeper/batch"
	"batchkeeper/internal/blobstore"
	"batchkeeper/internal/env"
)

type resultsCmd struct {
	ID      string `arg:"" help:"The run's workflow id."`
	Output  string `help:"The directory to copy into." required:"" placeholder:"DIR"`
	Refetch bool   `help:"Fetch the batch's files from the gateway again and collect anew."`
	JSON    bool   `help:"Print the result, or the manifest of a run that Temporal has forgotten, as one JSON object."`
}

// Run copies a run's results.
func (c *resultsCmd) Run(ctx context.Context, a *app) error {
	if err := batch.CheckWorkflowID(c.ID); err != nil {
		return usage("%w", err)
	}
	cfg, store, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	cl, err := a.dial(ctx)
	if err != nil {
		return err
	}
	defer cl.Close()
	r, err := batchkeeper.Attach(ctx, cl, c.ID, "")
	if errors.Is(err, batchkeeper.ErrNotFound) && !c.Refetch {
		return c.fromStore(ctx, a, store, err)
	}
	if err != nil {
		return err
	}
	result, err := finished(ctx, r, c.Refetch)
	if err != nil {
		return err
	}
	if c.Refetch {
		if r, result, err = a.refetch(ctx, cfg, cl, r, result); err != nil {
			return err
		}
	}
	return c.deliver(ctx, a, r, store, result)
}

func (c *resultsCmd) deliver(ctx context.Context, a *app, r *batchkeeper.Run, store *blobstore.Store, result batch.Result) error {
	if err := a.copyResults(ctx, r, store, result, c.Output); err != nil {
		return exit{exitFailed, err}
	}
	if result.Results == nil && !hasManifest(c.Output) {
		return exit{exitFailed, fmt.Errorf("%s ended %s and left no results", r.ID(), result.Outcome)}
	}
	if c.JSON {
		return a.printJSON(result)
	}
	return a.print("%s", outcomeTable(result, r.ID(), store, c.Output))
}

// hasManifest tells whether a directory holds a result.
func hasManifest(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, batch.FileManifest))
	return err == nil
}

// finished is the result of a run that has ended, or what is known of one that
// was ended from outside where that is enough.
func finished(ctx context.Context, r *batchkeeper.Run, refetch bool) (batch.Result, error) {
	open, err := r.Open(ctx)
	if err != nil {
		return batch.Result{}, err
	}
	state, err := r.State(ctx)
	switch {
	case err != nil:
		return state, err
	case state.Outcome == "" && !open && r.Type() == batch.WorkflowBulk:
		return state, fmt.Errorf("%s was ended from outside and left no result. %s", r.ID(), bulkGoesOn(r.ID()))
	case open:
		return state, fmt.Errorf("%s has not finished: it is %s. %s", r.ID(), state.Stage, hints(r.ID()))
	case state.Outcome == "" && !refetch:
		return state, fmt.Errorf("%s was ended from outside and left no result: starter results %s --output DIR --refetch collects its batch", r.ID(), r.ID())
	}
	return state, nil
}

// bulkGoesOn says what there is to do about a bulk run that was ended from outside.
func bulkGoesOn(id string) string {
	return fmt.Sprintf("Its batches go on: %s shows them. %s resumes it, and sends nothing twice", listBatches(id), resumeBulk(id))
}

// listBatches is the command that shows the batches of a bulk run.
func listBatches(id string) string {
	quoted := "'" + strings.ReplaceAll(id, "'", "''") + "/'"
	return `starter list --all --query "WorkflowId STARTS_WITH ` + quoted + `"`
}

// resumeBulk is the command that lets a bulk run find again what it has sent.
func resumeBulk(id string) string {
	return "temporal workflow reset --workflow-id " + id + " --type FirstWorkflowTask --reapply-exclude All --reason TEXT"
}

// fromStore serves a run that Temporal has forgotten, by its manifest.
func (c *resultsCmd) fromStore(ctx context.Context, a *app, store *blobstore.Store, missing error) error {
	prefix, err := latestPrefix(ctx, store, c.ID)
	if err != nil {
		return exit{exitFailed, err}
	}
	if prefix == "" {
		return fmt.Errorf("%w, and the store has no results of it", missing)
	}
	manifest, err := copyTo(ctx, store, prefix, c.Output)
	if err != nil {
		return exit{exitFailed, err}
	}
	a.say("Temporal has no run %s any more; these are its results in the store", c.ID)
	if c.JSON {
		return a.printJSON(manifest)
	}
	return a.print("%s", manifestTable(manifest, c.Output))
}

// maxRefetches bounds the search for a free id.
const maxRefetches = 1000

// refetch collects the batch of a run again: another run adopts the batch and
// writes its results in the same place.
func (a app) refetch(ctx context.Context, cfg env.Config, c client.Client, r *batchkeeper.Run, old batch.Result) (*batchkeeper.Run, batch.Result, error) {
	if r.Type() == batch.WorkflowBulk {
		return nil, old, usage("refetch: %s is a bulk run: its batches are fetched again one by one, such as %s; %s shows them", r.ID(),
			"starter results "+batch.ChildID(r.ID(), 1, 1, 1)+" --output DIR --refetch", listBatches(r.ID()))
	}
	if old.BatchID == "" {
		return nil, old, fmt.Errorf("refetch: %s ended %s, without a batch", r.ID(), old.Outcome)
	}
	before, err := r.Job(ctx)
	if err != nil {
		return nil, old, err
	}
	job := batch.Job{
		BatchID: old.BatchID, Input: before.Input, InputRange: before.InputRange, Provider: before.Provider, Profile: before.Profile,
		ResultsPrefix: resultsPrefix(r.ID(), before, old), Poll: before.Poll,
	}
	again, err := startFree(ctx, cfg, c, r.ID(), job)
	if err != nil {
		return nil, old, err
	}
	a.say("collecting again as %s", again.ID())
	result, err := a.toTheEnd(ctx, again)
	if ctx.Err() != nil {
		return nil, old, exit{exitInterrupted, errors.New("interrupted; the run goes on. " + hints(again.ID()))}
	}
	return again, result, err
}

// startFree starts under the first number that is free, or attaches to a
// refetch that is still under way.
func startFree(ctx context.Context, cfg env.Config, c client.Client, id string, job batch.Job) (*batchkeeper.Run, error) {
	for n := 1; n <= maxRefetches; n++ {
		r, err := batchkeeper.Start(ctx, c, job, batchkeeper.WithTaskQueue(cfg.TaskQueue),
			batchkeeper.WithID(fmt.Sprintf("%s-refetch-%d", id, n)))
		if errors.Is(err, batchkeeper.ErrOtherJob) {
			continue
		}
		if err != nil || !r.Attached() {
			return r, err
		}
		if state, err := r.State(ctx); err != nil || state.Outcome == "" {
			return r, err
		}
	}
	return nil, fmt.Errorf("refetch: the ids %s-refetch-1 to %d are all taken", id, maxRefetches)
}

// resultsPrefix is where a run's results are, whether or not it got to say so.
func resultsPrefix(id string, job batch.Job, result batch.Result) string {
	if result.Results != nil && result.Results.Prefix != "" {
		return result.Results.Prefix
	}
	_, token, _ := batch.SplitSessionID(result.SessionID)
	return batch.ResultsPrefix(job, id, token)
}
