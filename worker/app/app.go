// Package app is the worker: it wires the activities to the store and the
// gateway and hosts the workflows. It is a package of its own so that the
// development stack and tests run the very same process logic.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"batchkeeper/internal/env"
	"batchkeeper/internal/httpserver"
	"batchkeeper/internal/telemetry"
	"batchkeeper/internal/temporalclient"
	"batchkeeper/workflows"
)

const (
	// stopTimeout is what activities in hand get at a graceful stop.
	stopTimeout = 25 * time.Second
	// maxTransfers bounds the activities at a time, and so the buffers and
	// connections: each streams, none holds a file in memory.
	maxTransfers = 64
)

// Options are what a worker is made of.
type Options struct {
	Env    env.Config
	Logger *slog.Logger
	// Client is a connection to use; nil: the environment's, awaited for as long
	// as it takes.
	Client client.Client
}

// App is one worker process.
type App struct {
	o       Options
	metrics *telemetry.Metrics
	admin   *httpserver.Server
	polling atomic.Bool
}

// New prepares a worker; nothing is opened yet.
func New(o Options) (*App, error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	metrics, err := telemetry.NewMetrics(o.Logger)
	if err != nil {
		return nil, err
	}
	a := &App{o: o, metrics: metrics}
	a.admin, err = httpserver.New(httpserver.Options{
		Name: "worker metrics", Addr: o.Env.WorkerMetricsAddr, Logger: o.Logger,
		Handler: httpserver.Admin(a.ready, metrics.Handler()),
	})
	return a, err
}

// MetricsAddr is where metrics are served once Run has begun; empty before.
func (a *App) MetricsAddr() string { return a.admin.Addr() }

var errNotPolling = errors.New("not polling for work yet")

func (a *App) ready(context.Context) error {
	if !a.polling.Load() {
		return errNotPolling
	}
	return nil
}

// Run works until ctx ends, then stops gracefully within 30 s. It returns the
// error of a worker that cannot go on.
func (a *App) Run(ctx context.Context) error {
	if err := a.admin.Listen(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	served := make(chan error, 1)
	go func() {
		err := a.admin.Run(ctx)
		if err != nil {
			cancel(err)
		}
		served <- err
	}()
	err := a.work(ctx)
	cancel(nil)
	return errors.Join(err, <-served)
}

func (a *App) work(ctx context.Context) error {
	c := a.o.Client
	if c == nil {
		var err error
		c, err = temporalclient.DialWhenReady(ctx, temporalclient.Options{
			Logger: a.o.Logger, Metrics: a.metrics.Temporal, Identity: identity(),
		})
		if ctx.Err() != nil {
			return nil //nolint:nilerr // asked to stop while waiting
		}
		if err != nil {
			return err
		}
		defer c.Close()
	}
	steps, closeStore, err := newActivities(ctx, a.o.Env, c)
	if err != nil {
		return err
	}
	defer closeStore()
	if err := ensureAttributes(ctx, c, a.o.Logger); err != nil {
		if ctx.Err() != nil {
			return nil //nolint:nilerr // asked to stop while waiting
		}
		return err
	}
	return a.poll(ctx, c, steps)
}

func (a *App) poll(ctx context.Context, c client.Client, steps registration) error {
	fatal := make(chan error, 1)
	w := worker.New(c, a.o.Env.TaskQueue, a.workerOptions(func(err error) {
		select {
		case fatal <- err:
		default:
		}
	}))
	workflows.Register(w, steps)
	if err := w.Start(); err != nil {
		return fmt.Errorf("start worker on task queue %q: %w", a.o.Env.TaskQueue, err)
	}
	a.polling.Store(true)
	a.o.Logger.Info("polling for work", "task_queue", a.o.Env.TaskQueue)
	defer func() {
		a.polling.Store(false)
		w.Stop()
	}()
	select {
	case <-ctx.Done():
		return nil
	case err := <-fatal:
		return fmt.Errorf("worker on task queue %q: %w", a.o.Env.TaskQueue, err)
	}
}

func (a *App) workerOptions(fatal func(error)) worker.Options {
	o := worker.Options{
		Identity:                           identity(),
		WorkerStopTimeout:                  stopTimeout,
		MaxConcurrentActivityExecutionSize: maxTransfers,
		DisableRegistrationAliasing:        true,
		OnFatalError:                       fatal,
	}
	if a.o.Env.DeploymentName != "" { // runs last for days: each stays with the code that began it
		o.DeploymentOptions = worker.DeploymentOptions{
			UseVersioning:             true,
			Version:                   worker.WorkerDeploymentVersion{DeploymentName: a.o.Env.DeploymentName, BuildID: a.o.Env.BuildID},
			DefaultVersioningBehavior: workflow.VersioningBehaviorPinned,
		}
	}
	return o
}

func identity() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("worker@%s:%d", host, os.Getpid())
}
