// Command devstack is Batchkeeper in one command: a Temporal server with its
// Web UI, a gateway emulator, a worker and a webhook bridge, all on this
// machine. "up" keeps them running; "demo" takes an example through them.
//
// It exits 0 when the demo's batch completed or the stack was told to stop, 1 on
// a failure, 2 on wrong usage, 130 when the demo was interrupted.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"batchkeeper/devstack/stack"
	"batchkeeper/internal/telemetry"
)

const (
	exitFailure     = 1
	exitUsage       = 2
	exitInterrupted = 130
)

// cli are the commands and what they share.
type cli struct {
	Up   upCmd   `cmd:"" default:"withargs" help:"Start everything and keep it up until Ctrl-C (the default)."`
	Demo demoCmd `cmd:"" help:"Start everything, run an example through it and show how it goes."`

	Data          string        `placeholder:"DIR" help:"Keep the Temporal database and the results here. Default: the database in memory, the results where BATCHKEEPER_STORE says."` //nolint:revive // one tag
	TemporalPort  int           `placeholder:"PORT" help:"Port of the Temporal server. Default: 7233 or, if taken, a free one."`
	UIPort        int           `placeholder:"PORT" help:"Port of the Web UI. Default: 8233 or a free one."`
	GatewayPort   int           `placeholder:"PORT" help:"Port of the gateway emulator. Default: a free one."`
	BridgePort    int           `placeholder:"PORT" help:"Port of the webhook bridge. Default: a free one."`
	BatchDuration time.Duration `default:"6s" help:"How long the emulator takes over a batch."`
	LogLevel      slog.Level    `default:"ERROR" help:"Lowest level that worker and bridge log: DEBUG, INFO, WARN, ERROR."`
}

// environment is the world of a command.
type environment struct {
	out, err io.Writer
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], environment{out: os.Stdout, err: os.Stderr})) //nolint:gocritic // the process ends
}

func run(ctx context.Context, args []string, e environment) (code int) {
	var c cli
	exit := -1
	parser, err := kong.New(&c, kong.Name("devstack"), kong.Writers(e.out, e.err), kong.Exit(func(code int) { exit = code }),
		kong.Description("Batchkeeper in one command. Set TEMPORAL_ADDRESS to use another Temporal server, "+
			"PHASEO_API_KEY or OPENAI_API_KEY to use the real gateway."))
	if err != nil {
		_, _ = fmt.Fprintln(e.err, "devstack:", err)
		return exitFailure
	}
	command, err := parser.Parse(args)
	switch {
	case exit >= 0: // --help
		return exit
	case err != nil:
		_, _ = fmt.Fprintln(e.err, "devstack:", err)
		return exitUsage
	}
	s, err := stack.Start(ctx, c.options(ctx, e))
	if err != nil {
		_, _ = fmt.Fprintln(e.err, "devstack:", err)
		return exitFailure
	}
	defer func() { //nolint:contextcheck // by now the context has ended
		if err := s.Stop(); err != nil {
			_, _ = fmt.Fprintln(e.err, "devstack: stop:", err)
			code = max(code, exitFailure)
		}
	}()
	if command.Selected().Name == "demo" {
		return c.Demo.run(ctx, s, e)
	}
	return c.Up.run(ctx, s, e)
}

func (c *cli) options(ctx context.Context, e environment) stack.Options {
	return stack.Options{
		TemporalPort: prefer(ctx, c.TemporalPort, 7233), UIPort: prefer(ctx, c.UIPort, 8233),
		GatewayPort: c.GatewayPort, BridgePort: c.BridgePort,
		DataDir: c.Data, BatchDuration: c.BatchDuration,
		Logger: telemetry.NewLogger(e.err, c.LogLevel), ServerLog: e.err,
	}
}
