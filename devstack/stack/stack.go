// Package stack runs all of Batchkeeper in one process tree: a Temporal server
// with its Web UI, a gateway emulator, a worker and a webhook bridge. It exists
// so that a person, a demo and a test get the real thing, wired up, in a second
// and without an account. What the environment already has is used instead: a
// Temporal server where TEMPORAL_ADDRESS is set, the real gateway where a key is.
package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"go.temporal.io/sdk/client"

	"batchkeeper/internal/env"
	"batchkeeper/internal/gateway/gatewaytest"
	"batchkeeper/internal/telemetry"
)

// readyTimeout is far above the second or two that a start takes.
const readyTimeout = time.Minute

// Options configure a Stack; the zero value takes free ports on 127.0.0.1 and
// keeps nothing but results.
type Options struct {
	// Lookup finds a variable of the environment; nil: os.LookupEnv. Temporal's
	// own variables are always the process's.
	Lookup env.Lookup
	// TemporalPort, UIPort, GatewayPort and BridgePort fix a port; 0: a free one.
	TemporalPort, UIPort, GatewayPort, BridgePort int
	// DataDir keeps the Temporal database, the store and the emulator's journal;
	// empty: the first is in memory, the second where BATCHKEEPER_STORE says,
	// there is no third.
	DataDir string
	// BatchDuration is how long the emulator takes over a batch; 0: 6 s.
	BatchDuration time.Duration
	// Logger takes the log of worker and bridge; nil: slog.Default.
	Logger *slog.Logger
	// ServerLog takes what the Temporal server complains about; nil: os.Stderr.
	ServerLog io.Writer
}

func (o Options) withDefaults() Options {
	if o.Lookup == nil {
		o.Lookup = os.LookupEnv
	}
	if o.BatchDuration == 0 {
		o.BatchDuration = 6 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.ServerLog == nil {
		o.ServerLog = os.Stderr
	}
	return o
}

// Stack is what runs. Its fields are set once Start has returned.
type Stack struct {
	// Client is connected to the Temporal server.
	Client client.Client
	// Emulator is nil where the real gateway is used.
	Emulator *gatewaytest.Server
	// Config is what worker and bridge were given.
	Config env.Config
	// Address and Namespace are the Temporal server's; UI is its Web UI's base
	// URL, empty where the server is not the stack's own.
	Address, Namespace, UI string
	// WebhookURL is the bridge's route for the gateway.
	WebhookURL string

	o       Options
	metrics *telemetry.Metrics
	server  *server // nil: not ours
	parts   parts

	stopped sync.Once
	stopErr error
}

// Start brings everything up and returns once worker and bridge are ready, or
// with the error of the first part that cannot start; then nothing is left
// running. The context bounds the start alone: Stop ends the stack.
func Start(ctx context.Context, o Options) (*Stack, error) {
	s := &Stack{o: o.withDefaults()}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start the stack: %w", err), s.Stop()) //nolint:contextcheck // the start's context may be the one that ended
	}
	return s, nil
}

func (s *Stack) start(ctx context.Context) error {
	var err error
	if s.metrics, err = telemetry.NewMetrics(s.o.Logger); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{
		s.openGateway, s.configure, s.openTemporal, s.startBridge, s.startWorker,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Wait blocks until the context ends, then returns nil, or until a part of the
// stack fails, then returns its error.
func (s *Stack) Wait(ctx context.Context) error {
	var serverGone <-chan struct{}
	if s.server != nil {
		serverGone = s.server.gone
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-s.parts.failed:
		return err
	case <-serverGone:
		return errors.New("the Temporal server has ended")
	}
}

// Stop ends everything, the server last. It may be called more than once, and
// beside Wait: it changes no field.
func (s *Stack) Stop() error {
	s.stopped.Do(func() { s.stopErr = s.stop() })
	return s.stopErr
}

func (s *Stack) stop() error {
	err := s.parts.stop()
	if s.Emulator != nil {
		s.Emulator.Close()
	}
	if s.Client != nil {
		s.Client.Close()
	}
	if s.server != nil {
		err = errors.Join(err, s.server.stop())
	}
	return err
}
