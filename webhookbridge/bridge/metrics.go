package bridge

import (
	"maps"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"batchkeeper/internal/telemetry"
)

// noProvider labels requests that reached no route.
const noProvider = "none"

type metrics struct {
	deliveries *prometheus.CounterVec
	alerts     *prometheus.CounterVec
	reloads    *prometheus.CounterVec
	signaling  prometheus.Histogram
}

func newMetrics(r prometheus.Registerer, providers ...string) *metrics {
	table := answers()
	zero, alerts := [][]string{{noProvider, string(resultNoPath)}}, [][]string{}
	perProvider := [][]string{}
	for _, provider := range providers {
		perProvider = append(perProvider, []string{provider})
		for _, res := range slices.Sorted(maps.Keys(table)) {
			if res != resultNoPath {
				zero = append(zero, []string{provider, string(res)})
			}
			if table[res].alert {
				alerts = append(alerts, []string{provider, string(res)})
			}
		}
	}
	m := &metrics{
		deliveries: telemetry.CounterVec(r, "batchkeeper_webhook_deliveries_total",
			"Webhook requests by provider and how they ended.", []string{"provider", "result"}, zero...),
		alerts: telemetry.CounterVec(r, "batchkeeper_webhook_alerts_total",
			"Deliveries that a person must look at, by provider and reason.", []string{"provider", "reason"}, alerts...),
		reloads: telemetry.CounterVec(r, "batchkeeper_webhook_secret_reload_failures_total",
			"Failed reloads of a route's signing secrets; the keys known last stay in use.", []string{"provider"}, perProvider...),
		signaling: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "batchkeeper_webhook_signal_seconds",
			Help:    "Seconds from a proven delivery to Temporal's answer, retries included.",
			Buckets: []float64{.002, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20},
		}),
	}
	r.MustRegister(m.signaling)
	return m
}

func (m *metrics) signaled(since time.Duration) { m.signaling.Observe(since.Seconds()) }
