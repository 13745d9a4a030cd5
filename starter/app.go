package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/alecthomas/kong"
	"go.temporal.io/sdk/client"

	"batchkeeper"
	"batchkeeper/batch"
	"batchkeeper/internal/blobstore"
	"batchkeeper/internal/env"
)

// app is the world that the commands work in, so that tests can give another.
type app struct {
	stdout, stderr io.Writer
	lookup         env.Lookup
	connect        func(context.Context) (client.Client, error)
	width          func() int // columns of the terminal at stderr; 0: none
	// answerTime is how long a cancel waits for the gateway's answer; the request
	// stands with the run whether or not it comes.
	answerTime time.Duration
}

// commands is the command line; each command is in a file of its own.
type commands struct {
	Validate   validateCmd   `cmd:"" help:"Check every row of an input offline."`
	Run        runCmd        `cmd:"" help:"Start a run and follow it to its end."`
	Status     statusCmd     `cmd:"" help:"Show where a run stands, and what it waits for."`
	List       listCmd       `cmd:"" help:"List runs, the newest first."`
	Watch      watchCmd      `cmd:"" help:"Follow a run to its end."`
	Cancel     cancelCmd     `cmd:"" help:"Cancel a run's batch; what was answered is still collected."`
	Settle     settleCmd     `cmd:"" help:"Settle a create of which it is unknown whether it made a batch."`
	Pause      pauseCmd      `cmd:"" help:"Keep a bulk run from starting batches; live ones go on."`
	Resume     resumeCmd     `cmd:"" help:"Let a paused bulk run go on."`
	Set        setCmd        `cmd:"" help:"Change a bulk run for what is still to be started."`
	Results    resultsCmd    `cmd:"" help:"Copy a run's results into a directory."`
	Adopt      adoptCmd      `cmd:"" help:"Start a run that takes over a batch created elsewhere."`
	Sweep      sweepCmd      `cmd:"" help:"Look over the account: adopt what no run follows, report what is wrong."`
	Completion completionCmd `cmd:"" help:"Print a shell completion script."`
	Complete   completeCmd   `cmd:"" hidden:"" name:"__complete" passthrough:""`
}

// The exit codes.
const (
	exitOK           = 0
	exitFailed       = 1
	exitUsage        = 2
	exitWithFailures = 3
	exitCancelled    = 4
	exitInterrupted  = 130
)

// exit is an end with an exit code; err says why, nil: all is said.
type exit struct {
	code int
	err  error
}

func (e exit) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e exit) Unwrap() error { return e.err }

func usage(format string, args ...any) error { return exit{exitUsage, fmt.Errorf(format, args...)} }

// run is the whole program; it returns the exit code.
func run(ctx context.Context, args []string, a app) (code int) {
	defer func() { // kong ends the program from within, after --help
		if r := recover(); r != nil {
			asked, ok := r.(exit)
			if !ok {
				panic(r)
			}
			code = asked.code
		}
	}()
	parser, err := newParser(a)
	if err != nil {
		return a.fail(ctx, err)
	}
	if len(args) == 0 {
		return help(parser, a)
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return a.fail(ctx, usage("%w (see starter --help)", err))
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	return a.fail(ctx, parsed.Run(&a))
}

func newParser(a app) (*kong.Kong, error) {
	return kong.New(&commands{},
		kong.Name("starter"),
		kong.Description("Run LLM batch jobs durably. Exit codes: 0 completed, 1 failed, 2 wrong usage or input, "+
			"3 completed with failures, 4 cancelled, 130 interrupted (the run goes on)."),
		kong.Writers(a.stdout, a.stderr),
		kong.Exit(func(code int) { panic(exit{code: code}) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
}

// help prints the help to whoever gave no command.
func help(parser *kong.Kong, a app) int {
	parser.Stdout = a.stderr
	if about, err := kong.Trace(parser, nil); err == nil {
		_ = about.PrintUsage(false)
	}
	return exitUsage
}

// fail reports an error and turns it into the exit code.
func (a app) fail(ctx context.Context, err error) int {
	if err == nil {
		return exitOK
	}
	end, ok := errors.AsType[exit](err)
	if !ok {
		end = exit{exitFailed, err}
		switch {
		case ctx.Err() != nil:
			end = exit{exitInterrupted, fmt.Errorf("interrupted: %w", err)}
		case isUsage(err):
			end.code = exitUsage
		}
	}
	if end.err != nil {
		a.say("starter: %v", end.err)
	}
	return end.code
}

// isUsage tells whether an error of the library is the user's to mend.
func isUsage(err error) bool {
	return slices.ContainsFunc([]error{
		batchkeeper.ErrInvalidJob, batchkeeper.ErrOtherJob, batchkeeper.ErrStillOpen, batchkeeper.ErrOtherType,
		blobstore.ErrNotFound, blobstore.ErrNotAllowed, blobstore.ErrBadKey,
	}, func(target error) bool { return errors.Is(err, target) })
}

// say writes a line for people; standard output is for what was asked for.
func (a app) say(format string, args ...any) { _, _ = fmt.Fprintf(a.stderr, format+"\n", args...) }

func (a app) print(format string, args ...any) error {
	_, err := fmt.Fprintf(a.stdout, format+"\n", args...)
	return err
}

func (a app) printJSON(v any) error {
	enc := json.NewEncoder(a.stdout)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

func (a app) config() (env.Config, error) {
	cfg, err := env.Load(a.lookup)
	if err != nil {
		return env.Config{}, exit{exitUsage, err}
	}
	return cfg, nil
}

func (a app) store(ctx context.Context, cfg env.Config) (*blobstore.Store, error) {
	return blobstore.Open(ctx, blobstore.Config{URL: cfg.StoreURL, Inputs: cfg.Inputs})
}

// open reads the configuration and opens the store.
func (a app) open(ctx context.Context) (env.Config, *blobstore.Store, error) {
	cfg, err := a.config()
	if err != nil {
		return cfg, nil, err
	}
	store, err := a.store(ctx, cfg)
	return cfg, store, err
}

// dial connects to Temporal, or says where it should be.
func (a app) dial(ctx context.Context) (client.Client, error) {
	c, err := a.connect(ctx)
	if err != nil && ctx.Err() == nil {
		return nil, exit{exitFailed, fmt.Errorf("%w: check that the server runs, and TEMPORAL_ADDRESS", err)}
	}
	return c, err
}

// attach finds a run by its workflow id.
func (a app) attach(ctx context.Context, id string) (*batchkeeper.Run, func(), error) {
	if err := batch.CheckWorkflowID(id); err != nil {
		return nil, nil, usage("%w", err)
	}
	c, err := a.dial(ctx)
	if err != nil {
		return nil, nil, err
	}
	r, err := batchkeeper.Attach(ctx, c, id, "")
	if err != nil {
		c.Close()
		if errors.Is(err, batchkeeper.ErrNotFound) {
			err = fmt.Errorf("%w (starter list shows the runs there are)", err)
		}
		return nil, nil, err
	}
	return r, c.Close, nil
}
