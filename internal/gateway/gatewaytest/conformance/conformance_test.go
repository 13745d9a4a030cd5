package conformance_test

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/gateway"
	"batchkeeper/internal/gateway/gatewaytest"
	"batchkeeper/internal/gateway/gatewaytest/conformance"
	"batchkeeper/internal/secret"
)

func client(t *testing.T, base, key string, dialect gateway.Dialect) *gateway.Client {
	t.Helper()
	c, err := gateway.New(gateway.Config{
		BaseURL: base, Dialect: dialect, Key: func() (secret.Value, error) { return secret.New(key), nil },
	})
	require.NoError(t, err)
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// TestConformance runs against the emulator in both dialects and, where BATCHKEEPER_LIVE=1 and PHASEO_API_KEY are set,
// against the live gateway, which costs a few rows.
func TestConformance(t *testing.T) {
	for name, openAI := range map[string]bool{"emulated gateway": false, "emulated openai": true} {
		t.Run(name, func(t *testing.T) {
			s, err := gatewaytest.New(gatewaytest.Options{OpenAI: openAI, Scale: 100, Seed: 1})
			require.NoError(t, err)
			t.Cleanup(s.Close)
			dialect := gateway.Phaseo
			if openAI {
				dialect = gateway.OpenAI
			}
			conformance.Run(t, conformance.Target{
				Client: client(t, s.URL(), gatewaytest.DefaultAPIKey, dialect), Dialect: dialect, Model: "gpt-5-mini",
				Patience: 10 * time.Second, Poll: 10 * time.Millisecond,
			})
		})
	}
	if key := os.Getenv("PHASEO_API_KEY"); key != "" && os.Getenv("BATCHKEEPER_LIVE") == "1" {
		t.Run("live gateway", func(t *testing.T) { live(t, key) })
	}
}

func live(t *testing.T, key string) {
	value := func(name, fallback string) string {
		if v := os.Getenv(name); v != "" {
			return v
		}
		return fallback
	}
	conformance.Run(t, conformance.Target{
		Client:  client(t, value("PHASEO_BASE_URL", "https://api.phaseo.app/v1"), key, gateway.Phaseo),
		Dialect: gateway.Phaseo, Model: value("BATCHKEEPER_LIVE_MODEL", "gpt-5-nano"),
		Patience: 2 * time.Hour, Poll: 20 * time.Second,
	})
}
