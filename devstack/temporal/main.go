// Command temporal-dev is a whole Temporal server with its Web UI in one process, on SQLite. It exists because demo and tests need the real
// server on machines where nothing can be installed, and has a module of its own because the server's dependencies are many and exact.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	"github.com/temporalio/ui-server/v2/server/version"
	"go.temporal.io/server/common/headers"
	"go.uber.org/zap/zapcore"
)

// startTimeout is far above the fraction of a second that a start takes on an idle machine.
const startTimeout = time.Minute

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "temporal-dev:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	f, err := parse(args)
	if err != nil {
		return err
	}
	if f.Version {
		_, err := fmt.Fprintf(out, "temporal-dev (Server %s, UI %s)\n", headers.ServerVersion, version.UIVersion)
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err = serve(ctx, f, out)
	if ctx.Err() != nil {
		return nil // it was told to stop; what failed then failed because of it
	}
	return err
}

func parse(args []string) (flags, error) {
	if len(args) >= 2 && args[0] == "server" && args[1] == "start-dev" {
		args = args[2:]
	}
	var f flags
	parser, err := kong.New(&f, kong.Name("temporal-dev"),
		kong.Description("A Temporal server for development. It takes the flags of `temporal server start-dev`, those words in front or not."))
	if err != nil {
		return flags{}, err
	}
	_, err = parser.Parse(args)
	return f, err
}

// serve runs everything until the context ends.
func serve(ctx context.Context, f flags, out io.Writer) error {
	s, err := f.settings()
	if err != nil {
		return err
	}
	logger, level, err := newLogger(f)
	if err != nil {
		return err
	}
	server, err := newServer(s, logger)
	if err != nil {
		return err
	}
	if err := server.Start(); err != nil {
		return fmt.Errorf("start the server: %w", err)
	}
	defer func() {
		level.SetLevel(zapcore.FatalLevel) // a server that stops complains about the services it has just stopped
		_ = server.Stop()
	}()
	starting, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := waitForFrontend(starting, s, logger); err != nil {
		return err
	}
	if s.ui.wanted() {
		ui := newUI(s, f)
		defer ui.Stop()
		if err := startUI(starting, ui, s); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintln(out, s.ready()); err != nil {
		return fmt.Errorf("print the ready line: %w", err)
	}
	<-ctx.Done()
	return nil
}

// ready is the line that says that all of it answers, and where.
func (s settings) ready() string {
	ui, database := "none", "memory"
	if s.ui.wanted() {
		ui = "http://" + s.ui.dial()
	}
	if s.dbFilename != "" {
		database = s.dbFilename
	}
	return fmt.Sprintf("Temporal is ready: frontend %s, Web UI %s, database %s", s.frontend.dial(), ui, database)
}
