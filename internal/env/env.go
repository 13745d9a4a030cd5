// Package env reads the configuration that all programs share from the
// environment, so that a variable means the same to each of them and a mistake
// in one is reported by its name before anything starts.
package env

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
)

// Config is the configuration of every program. Temporal's own variables are
// not in it: the Temporal client reads them itself.
type Config struct {
	// TaskQueue is BATCHKEEPER_TASK_QUEUE.
	TaskQueue string
	// Gateway is where batches are made.
	Gateway Gateway
	// PhaseoWebhook and OpenAIWebhook are the signing secrets of the two routes.
	PhaseoWebhook, OpenAIWebhook SecretSource
	// PhaseoWebhookPrefix and OpenAIWebhookPrefix bind a route's secrets to the
	// workflow ids that begin so; empty: any.
	PhaseoWebhookPrefix, OpenAIWebhookPrefix string
	// StoreURL is where inputs and results live.
	StoreURL string
	// Inputs are the URL prefixes outside the store that an input may come from;
	// none: any file:// path while the store is a file:// one.
	Inputs []string
	// LimitsFile is the path of a JSON object of limit profiles; empty: none.
	LimitsFile string
	// BridgeAddr, BridgeAdminAddr and WorkerMetricsAddr are listen addresses.
	BridgeAddr, BridgeAdminAddr, WorkerMetricsAddr string
	// SpoolDir is where the worker keeps temporary files.
	SpoolDir string
	// DeploymentName and BuildID identify a versioned worker; both or none.
	DeploymentName, BuildID string
	// LogLevel is LOG_LEVEL: debug, info, warn or error.
	LogLevel slog.Level
}

// Lookup finds a variable, as os.LookupEnv does.
type Lookup func(name string) (value string, ok bool)

// Load reads the configuration. The error names every variable that is wrong,
// never a secret's value. An empty variable counts as absent.
func Load(lookup func(string) (string, bool)) (Config, error) {
	r := reader{lookup: lookup}
	cfg := Config{
		TaskQueue:           r.text("BATCHKEEPER_TASK_QUEUE", "batchkeeper"),
		Gateway:             r.gateway(),
		PhaseoWebhook:       r.secret("PHASEO_WEBHOOK_SECRET"),
		OpenAIWebhook:       r.secret("OPENAI_WEBHOOK_SECRET"),
		PhaseoWebhookPrefix: r.text("PHASEO_WEBHOOK_PREFIX", ""),
		OpenAIWebhookPrefix: r.text("OPENAI_WEBHOOK_PREFIX", ""),
		StoreURL:            r.store(),
		Inputs:              r.inputs(),
		LimitsFile:          r.text("BATCHKEEPER_LIMITS", ""),
		BridgeAddr:          r.address("WEBHOOKBRIDGE_ADDR", ":8088"),
		BridgeAdminAddr:     r.address("WEBHOOKBRIDGE_ADMIN_ADDR", "127.0.0.1:9098"),
		WorkerMetricsAddr:   r.address("WORKER_METRICS_ADDR", "127.0.0.1:9097"),
		SpoolDir:            r.text("BATCHKEEPER_SPOOL", os.TempDir()),
		DeploymentName:      r.text("TEMPORAL_DEPLOYMENT_NAME", ""),
		BuildID:             r.text("TEMPORAL_WORKER_BUILD_ID", ""),
		LogLevel:            r.level("LOG_LEVEL"),
	}
	if (cfg.DeploymentName == "") != (cfg.BuildID == "") {
		r.failf("TEMPORAL_DEPLOYMENT_NAME and TEMPORAL_WORKER_BUILD_ID: set both or none")
	}
	if len(r.errs) > 0 {
		return Config{}, fmt.Errorf("configuration: %w", errors.Join(r.errs...))
	}
	return cfg, nil
}

// reader collects what is wrong instead of stopping at the first mistake.
type reader struct {
	lookup Lookup
	errs   []error
}

func (r *reader) failf(format string, args ...any) {
	r.errs = append(r.errs, fmt.Errorf(format, args...))
}

func (r *reader) text(name, def string) string {
	if v, ok := r.lookup(name); ok && strings.TrimSpace(v) != "" {
		return strings.TrimSpace(v)
	}
	return def
}

func (r *reader) level(name string) slog.Level {
	var level slog.Level
	text := r.text(name, "info")
	if err := level.UnmarshalText([]byte(text)); err != nil {
		r.failf("%s: %q is none of debug, info, warn, error", name, text)
	}
	return level
}
