package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"batchkeeper"
	"batchkeeper/batch"
	"batchkeeper/devstack/stack"
	"batchkeeper/internal/blobstore"
)

// demoCmd runs one input.
type demoCmd struct {
	Input string `arg:"" optional:"" default:"examples/requests.jsonl" help:"The requests to run."`
	Keep  bool   `help:"Keep everything up afterwards, until Ctrl-C."`
}

func (d demoCmd) run(ctx context.Context, s *stack.Stack, e environment) int {
	show(e.out, s)
	result, err := d.batch(ctx, s, e)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		_, _ = fmt.Fprintln(e.err, "devstack: interrupted")
		return exitInterrupted
	default:
		_, _ = fmt.Fprintln(e.err, "devstack: demo:", err)
		return exitFailure
	}
	if d.Keep {
		if code := keepUp(ctx, s, e); code != 0 {
			return code
		}
	}
	if result.Outcome != batch.OutcomeCompleted {
		return exitFailure
	}
	return 0
}

// batch starts the run, follows it and prints what came of it.
func (d demoCmd) batch(ctx context.Context, s *stack.Stack, e environment) (batch.Result, error) {
	input, err := filepath.Abs(d.Input)
	if err != nil {
		return batch.Result{}, fmt.Errorf("input: %w", err)
	}
	if _, err := os.Stat(input); err != nil {
		return batch.Result{}, fmt.Errorf("input: %w: run it from the repository's root, or name a file", err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() { cancel(s.Wait(ctx)) }() // a stack that breaks ends the demo
	began := time.Now()
	run, err := batchkeeper.Start(ctx, s.Client, batch.Job{
		Input: blobstore.FileURL(input), WebhookEndpointID: s.WebhookEndpointID(),
		Poll: demoPolls(s),
	}, batchkeeper.WithTaskQueue(s.Config.TaskQueue))
	if err != nil {
		return batch.Result{}, err
	}
	_, _ = fmt.Fprintf(e.out, "\nRun %s\n\n", run.ID())
	p := progress{out: e.out, began: began}
	if err := run.Watch(ctx, p.note); err != nil {
		return batch.Result{}, errors.Join(err, context.Cause(ctx))
	}
	if p.last.Outcome == "" {
		return p.last, errors.New("the run ended without an outcome")
	}
	printOutcome(e.out, s, run, p.last, time.Since(began))
	return p.last, nil
}

// demoPolls makes an emulated batch of some seconds show a few polls; for the
// real gateway the defaults are right.
func demoPolls(s *stack.Stack) batch.PollPolicy {
	if !s.Emulated() {
		return batch.PollPolicy{}
	}
	return batch.PollPolicy{Min: batch.Duration(time.Second), Max: batch.Duration(2 * time.Second)}
}
