package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.temporal.io/sdk/client"
	temporalotel "go.temporal.io/sdk/contrib/opentelemetry"
)

// Metrics is one program's registry, with what the Temporal SDK measures in it.
type Metrics struct {
	// Registry takes the program's own metrics.
	Registry *prometheus.Registry
	// Temporal takes the SDK's, for the options of a Temporal client.
	Temporal client.MetricsHandler

	provider *metric.MeterProvider
}

// NewMetrics returns an empty registry with the Go runtime's and the process's
// figures. A metric that the SDK fails to record is logged and left out.
func NewMetrics(logger *slog.Logger) (*Metrics, error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	exporter, err := otelprom.New(otelprom.WithRegisterer(registry), otelprom.WithoutScopeInfo(), otelprom.WithoutTargetInfo())
	if err != nil {
		return nil, fmt.Errorf("metrics: exporter: %w", err)
	}
	provider := metric.NewMeterProvider(metric.WithReader(exporter))
	handler := temporalotel.NewMetricsHandler(temporalotel.MetricsHandlerOptions{
		Meter:                provider.Meter("temporal-sdk-go"),
		UseMonotonicCounters: true,
		OnError: func(err error) {
			logger.Warn("metric of the Temporal SDK is lost", slog.Any("error", err))
		},
	})
	return &Metrics{Registry: registry, Temporal: handler, provider: provider}, nil
}

// Handler answers a Prometheus scrape.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.Registry, promhttp.HandlerOpts{Registry: m.Registry})
}

// Shutdown ends the recording of the SDK's metrics.
func (m *Metrics) Shutdown(ctx context.Context) error {
	if err := m.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("metrics: shut down: %w", err)
	}
	return nil
}

// CounterVec registers a counter and creates each given combination of label
// values at zero: a rate over a series that appears with its first event would
// miss that event.
func CounterVec(r prometheus.Registerer, name, help string, labels []string, zero ...[]string) *prometheus.CounterVec {
	vec := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	r.MustRegister(vec)
	for _, values := range zero {
		vec.WithLabelValues(values...)
	}
	return vec
}
