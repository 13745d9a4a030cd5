// Command start shows how application code starts a batch job and waits for it:
//
//	go run ./examples/start "file://$PWD/examples/requests.jsonl"
//
// It needs what any run needs: a Temporal server, a worker, and the variables
// that the worker has.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"

	"batchkeeper"
	"batchkeeper/batch"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: start INPUT (the URL of a JSONL file, or its key in the store)")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := start(ctx, os.Args[1])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "start:", err)
		os.Exit(1)
	}
}

func start(ctx context.Context, input string) error {
	options, err := envconfig.LoadDefaultClientOptions()
	if err != nil {
		return err
	}
	c, err := client.DialContext(ctx, options)
	if err != nil {
		return err
	}
	defer c.Close()

	// The id is the key to idempotence: this program may crash and start again,
	// and still there is one batch.
	job := batch.Job{Input: input, Metadata: map[string]string{"team": "examples"}}
	run, err := batchkeeper.Start(ctx, c, job, batchkeeper.WithID("examples-start"))
	if errors.Is(err, batchkeeper.ErrOtherJob) {
		return fmt.Errorf("%w (this example ran before, with another input)", err)
	}
	if err != nil {
		return err
	}
	fmt.Printf("%s: attached=%t\n", run.ID(), run.Attached())

	err = run.Watch(ctx, func(s batch.State) { fmt.Printf("%s %s %d %%\n", s.Stage, s.Status, s.Progress) })
	if err != nil {
		return err
	}
	result, err := run.Wait(ctx) // it has ended: this returns at once
	if err != nil {
		return err
	}
	fmt.Println("outcome:", result.Outcome)
	if result.Results != nil {
		fmt.Printf("%d of %d rows succeeded; the files are in the store under %s\n",
			result.Results.Succeeded, result.Results.Rows, result.Results.Prefix)
	}
	return nil
}
