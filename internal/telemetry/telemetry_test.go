package telemetry_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/telemetry"
)

func TestLoggerWritesJSONFromItsLevelOn(t *testing.T) {
	var out bytes.Buffer
	logger := telemetry.NewLogger(&out, slog.LevelWarn)
	logger.Info("quiet")
	logger.Warn("heard", slog.Int("n", 1))
	var line map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &line))
	require.Equal(t, "heard", line["msg"])
	require.InDelta(t, 1, line["n"], 0)
}

func scrape(t *testing.T, m *telemetry.Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody))
	require.Equal(t, http.StatusOK, w.Code)
	return w.Body.String()
}

func TestMetricsHoldOursAndTheSDKs(t *testing.T) {
	m, err := telemetry.NewMetrics(slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	telemetry.CounterVec(m.Registry, "things_total", "Things.", []string{"kind"}, []string{"a"}, []string{"b"})
	tagged := m.Temporal.WithTags(map[string]string{"namespace": "default"})
	tagged.Counter("temporal_request").Inc(2)
	tagged.Gauge("temporal_slots").Update(3)
	tagged.Timer("temporal_latency").Record(time.Second)

	text := scrape(t, m)
	require.Contains(t, text, `things_total{kind="a"} 0`)
	require.Contains(t, text, `things_total{kind="b"} 0`)
	require.Contains(t, text, `temporal_request_total{namespace="default"} 2`)
	require.Contains(t, text, `# TYPE temporal_request_total counter`)
	require.Contains(t, text, `temporal_slots{namespace="default"} 3`)
	require.Contains(t, text, `temporal_latency_seconds_count{namespace="default"} 1`)
	require.Contains(t, text, "go_goroutines")
	require.NoError(t, m.Shutdown(t.Context()))
	require.ErrorContains(t, m.Shutdown(t.Context()), "metrics: shut down")
}

func TestAMetricTheSDKCannotRecordIsLogged(t *testing.T) {
	var out bytes.Buffer
	m, err := telemetry.NewMetrics(slog.New(slog.NewTextHandler(&out, nil)))
	require.NoError(t, err)
	m.Temporal.Counter("not a name!").Inc(1)
	require.Contains(t, out.String(), "metric of the Temporal SDK is lost")
}
