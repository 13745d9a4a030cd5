package env_test

import (
	"net"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/env"
	"batchkeeper/internal/gateway"
)

// variables are those that are more than a name or a path.
var variables = []string{
	"PHASEO_BASE_URL", "OPENAI_BASE_URL", "BATCHKEEPER_STORE", "BATCHKEEPER_INPUTS", "WEBHOOKBRIDGE_ADDR", "WEBHOOKBRIDGE_ADMIN_ADDR", "WORKER_METRICS_ADDR",
	"LOG_LEVEL", "XDG_DATA_HOME", "HOME", "TEMPORAL_DEPLOYMENT_NAME", "PHASEO_API_KEY", "OPENAI_API_KEY", "PHASEO_WEBHOOK_SECRET", "OPENAI_WEBHOOK_SECRET",
}

// The first of the variables that hold an address to listen at, and a secret; those
// before are URLs, in which credentials can stand.
const (
	addressesFrom = 4
	secretsFrom   = 11
)

// A configuration that is taken is one that the programs can work with, and one
// that is refused is refused by the variable's name, without a secret in it.
func FuzzConfiguration(f *testing.F) {
	for i := range variables {
		for _, value := range []string{
			"", " ", "https://api.example.com/v1", "https://user:canary@host/v1", "http://h?x=1", "http://h#", "http://h#x", "ftp://h", "http://",
			"http://h:port", "//h", "\x00",
			"file:///data", "file://host/x", "file://./x", "s3://bucket?region=eu", ":8088", "127.0.0.1:-1", "[::1]:65536", "a:b:c", "debug", "INFO+4",
			"/home/me", "x",
			"whsec_a,whsec_b", " , ", "a\nb\r\n", "file:///a,s3://b", "mailto:x",
		} {
			f.Add(uint8(i), value, uint8(i+1), "x")
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, value string, also uint8, other string) {
		vars := map[string]string{variables[int(also)%len(variables)]: other}
		name := variables[int(which)%len(variables)]
		vars[name] = value
		cfg, err := env.Load(lookup(vars))
		if err != nil {
			require.Equal(t, env.Config{}.StoreURL, cfg.StoreURL)
			if int(which)%len(variables) < addressesFrom && other == "x" {
				require.NotContains(t, err.Error(), "canary")
			}
			if int(which)%len(variables) >= secretsFrom && len(strings.TrimSpace(value)) > 20 && other == "" {
				require.NotContains(t, err.Error(), strings.TrimSpace(value))
			}
			return
		}
		requireUsable(t, cfg)
	})
}

func requireUsable(t *testing.T, cfg env.Config) {
	t.Helper()
	_, err := gateway.New(gateway.Config{BaseURL: cfg.Gateway.BaseURL, Key: cfg.Gateway.Key, Dialect: gateway.Dialect(cfg.Gateway.Dialect)})
	require.NoError(t, err, "an address was taken that the gateway's client refuses")
	for _, at := range append([]string{cfg.StoreURL}, cfg.Inputs...) {
		u, err := url.Parse(at)
		require.NoError(t, err)
		require.True(t, u.Scheme != "" && u.User == nil && u.Opaque == "")
	}
	for _, addr := range []string{cfg.BridgeAddr, cfg.BridgeAdminAddr, cfg.WorkerMetricsAddr} {
		_, port, err := net.SplitHostPort(addr)
		require.NoError(t, err)
		_, err = strconv.ParseUint(port, 10, 16)
		require.NoError(t, err, "%q is no port", port)
	}
	for _, source := range []env.SecretSource{cfg.PhaseoWebhook, cfg.OpenAIWebhook} {
		keys, err := source.Keys()
		require.Equal(t, source.Configured(), err == nil)
		for _, key := range keys {
			require.False(t, key.IsZero())
			require.NotContains(t, key.Reveal(), "\n")
		}
	}
}
