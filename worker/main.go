// Command worker hosts Batchkeeper's workflows and activities.
//
// It exits 0 after a graceful stop, 1 on a failure, 2 on wrong usage or
// configuration.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"batchkeeper/internal/env"
	"batchkeeper/internal/telemetry"
	"batchkeeper/worker/app"
)

const (
	exitFailure = 1
	exitUsage   = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.LookupEnv, os.Stderr)) //nolint:gocritic // the process ends
}

func run(ctx context.Context, args []string, lookup env.Lookup, stderr io.Writer) int {
	if len(args) > 0 {
		_, _ = fmt.Fprintln(stderr, "worker: takes no arguments; it is configured by environment variables")
		return exitUsage
	}
	cfg, err := env.Load(lookup)
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "worker:", err)
		return exitUsage
	}
	logger := telemetry.NewLogger(stderr, cfg.LogLevel)
	worker, err := app.New(app.Options{Env: cfg, Logger: logger})
	if err != nil {
		logger.Error("worker is misconfigured", "error", err)
		return exitUsage
	}
	if err := worker.Run(ctx); err != nil {
		logger.Error("worker failed", "error", err)
		return exitFailure
	}
	return 0
}
