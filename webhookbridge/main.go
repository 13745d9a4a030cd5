// Command webhookbridge receives webhook deliveries, proves each and signals
// the run it is about.
//
// It exits 0 after a graceful stop, 1 on a failure, 2 on wrong usage or
// configuration.
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

	"go.temporal.io/sdk/client"

	"batchkeeper/internal/env"
	"batchkeeper/internal/telemetry"
	"batchkeeper/internal/temporalclient"
	"batchkeeper/webhookbridge/bridge"
)

const (
	exitFailure = 1
	exitUsage   = 2
)

// drainDelay lets a load balancer see that the bridge is not ready any more
// before it stops taking deliveries.
const drainDelay = 2 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	code := run(ctx, os.Args[1:], os.LookupEnv, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, lookup env.Lookup, stderr io.Writer) int {
	if len(args) > 0 {
		_, _ = fmt.Fprintln(stderr, "webhookbridge: takes no arguments; it is configured by environment variables")
		return exitUsage
	}
	cfg, err := env.Load(lookup)
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "webhookbridge:", err)
		return exitUsage
	}
	target, err := temporalclient.Where()
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "webhookbridge:", err)
		return exitUsage
	}
	logger := telemetry.NewLogger(stderr, cfg.LogLevel)
	metrics, err := telemetry.NewMetrics(logger)
	if err != nil {
		logger.Error("webhookbridge failed", slog.Any("error", err))
		return exitFailure
	}
	link := &link{logger: logger, metrics: metrics, namespace: target.Namespace}
	defer link.close()
	b, err := bridge.New(bridge.Options{
		Addr: cfg.BridgeAddr, AdminAddr: cfg.BridgeAdminAddr,
		Phaseo:  bridge.Route{Secrets: cfg.PhaseoWebhook, WorkflowPrefix: cfg.PhaseoWebhookPrefix},
		OpenAI:  bridge.Route{Secrets: cfg.OpenAIWebhook, WorkflowPrefix: cfg.OpenAIWebhookPrefix},
		Connect: link.connect, Metrics: metrics, Logger: logger, DrainDelay: drainDelay,
	})
	if err != nil {
		logger.Error("webhookbridge is misconfigured", slog.Any("error", err))
		return exitUsage
	}
	if err := b.Run(ctx); err != nil {
		logger.Error("webhookbridge failed", slog.Any("error", err))
		return exitFailure
	}
	return 0
}

// link is the connection to Temporal, made while the port is open already.
type link struct {
	logger    *slog.Logger
	metrics   *telemetry.Metrics
	namespace string
	client    client.Client // nil until connected
}

func (l *link) connect(ctx context.Context) (bridge.Notifier, error) {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	identity := fmt.Sprintf("webhookbridge@%s:%d", host, os.Getpid())
	l.client, err = temporalclient.DialWhenReady(ctx, temporalclient.Options{
		Logger: l.logger, Metrics: l.metrics.Temporal, Identity: identity,
	})
	if err != nil {
		return nil, err
	}
	return bridge.NewTemporalNotifier(bridge.TemporalOptions{
		Service: l.client.WorkflowService(), Namespace: l.namespace, Identity: identity,
	}), nil
}

func (l *link) close() {
	if l.client != nil {
		l.client.Close()
	}
}
