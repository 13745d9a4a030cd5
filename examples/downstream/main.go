// Command downstream is a user's own worker: it takes the pages of a bulk run's
// answered rows into PostgreSQL, each as soon as its batch is settled.
//
//	DATABASE_URL=postgres://me@localhost/answers go run ./examples/downstream
//
// It needs the variables TEMPORAL_… and BATCHKEEPER_STORE as the worker has
// them, and a database: DATABASE_URL, or the standard variables PGHOST and so on.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/worker"

	"batchkeeper/examples/downstream/ingest"
	"batchkeeper/pages"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "downstream:", err)
		os.Exit(1)
	}
}

// run works until ctx ends, or until the worker cannot go on.
func run(ctx context.Context) error {
	db, err := ingest.Open(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		return err
	}
	defer db.Close()
	reader, err := pages.Open(ctx, "")
	if err != nil {
		return err
	}
	defer reader.Close()
	options, err := envconfig.LoadDefaultClientOptions()
	if err != nil {
		return err
	}
	c, err := client.DialContext(ctx, options)
	if err != nil {
		return err
	}
	defer c.Close()

	failed := make(chan error, 1)
	w := worker.New(c, ingest.TaskQueue, worker.Options{
		// A page in hand holds a connection of the pool.
		MaxConcurrentActivityExecutionSize: int(db.Config().MaxConns),
		OnFatalError: func(err error) {
			select {
			case failed <- err:
			default: // one is enough
			}
		},
	})
	ingest.Register(w, ingest.New(reader, db))
	if err := w.Start(); err != nil {
		return err
	}
	defer w.Stop()
	fmt.Println("taking pages from task queue", ingest.TaskQueue)
	select {
	case <-ctx.Done():
		return nil
	case err := <-failed:
		return err
	}
}
