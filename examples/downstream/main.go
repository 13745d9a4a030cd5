// Command downstream is a user's own worker: it takes the pages of bulk runs'
// answered rows into PostgreSQL, each as soon as its batch is settled.
//
//	DATABASE_URL=postgres://me@localhost/answers go run ./examples/downstream [INPUT]
//
// With an INPUT it also starts a bulk run of it, and ends when that has ended.
// It needs the variables TEMPORAL_… and BATCHKEEPER_STORE as the worker has
// them, and a database: DATABASE_URL, or the standard variables PGHOST and so on.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/worker"

	"batchkeeper/examples/downstream/ingest"
	"batchkeeper/pages"
)

func main() {
	if len(os.Args) > 2 {
		fmt.Fprintln(os.Stderr, "usage: downstream [INPUT] (the URL of a JSONL file, or its key in the store)")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "downstream:", err)
		os.Exit(1)
	}
}

// run takes pages in until asked to end, or until the run of an input has ended.
func run(asked context.Context, inputs []string) error {
	ctx, fail := context.WithCancelCause(asked)
	defer fail(nil)
	db, err := ingest.Open(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		return err
	}
	defer db.Close()
	reader, err := pages.Open(ctx, "")
	if err != nil {
		return err
	}
	defer func() { _ = reader.Close() }()
	options, err := envconfig.LoadDefaultClientOptions()
	if err != nil {
		return err
	}
	c, err := client.DialContext(ctx, options)
	if err != nil {
		return err
	}
	defer c.Close()

	w := newWorker(c, ingest.New(reader, db), int(db.Config().MaxConns), fail)
	if err := w.Start(); err != nil {
		return err
	}
	defer w.Stop()
	fmt.Println("taking pages from task queue", ingest.TaskQueue)
	if len(inputs) > 0 {
		return startBulk(ctx, c, inputs[0], os.Stdout)
	}
	<-ctx.Done()
	if asked.Err() != nil {
		return nil
	}
	return context.Cause(ctx) // the worker cannot go on
}

// newWorker takes as many pages at a time as there are connections: each holds one.
func newWorker(c client.Client, taker *ingest.Pages, atATime int, fail func(error)) worker.Worker {
	w := worker.New(c, ingest.TaskQueue, worker.Options{
		MaxConcurrentActivityExecutionSize: atATime,
		WorkerStopTimeout:                  20 * time.Second, // for the pages in hand
		OnFatalError:                       fail,
	})
	ingest.Register(w, taker)
	return w
}
