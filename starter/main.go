// Command starter is Batchkeeper's command line: it starts runs, follows them
// to the end and looks at them. Its commands work through package batchkeeper,
// as any application does; it exists so that nobody has to write one for that.
package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"go.temporal.io/sdk/client"
	"golang.org/x/term"

	"batchkeeper/internal/temporalclient"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	os.Exit(run(ctx, os.Args[1:], app{
		stdout: os.Stdout, stderr: os.Stderr, lookup: os.LookupEnv, connect: connect, width: width,
		answerTime: 20 * time.Second,
	}))
}

// connect keeps the SDK's own log lines out of what a person reads.
func connect(ctx context.Context) (client.Client, error) {
	return temporalclient.Dial(ctx, temporalclient.Options{Logger: slog.New(slog.DiscardHandler)})
}

// width is the number of columns of the terminal at standard error; 0: none.
func width() int {
	columns, _, err := term.GetSize(int(os.Stderr.Fd()))
	if err != nil {
		return 0
	}
	return columns
}
