package env_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/env"
)

func load(t *testing.T, vars map[string]string) env.Config {
	t.Helper()
	cfg, err := env.Load(lookup(vars))
	require.NoError(t, err)
	return cfg
}

// lookup gives every test a home unless it says otherwise.
func lookup(vars map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		v, ok := vars[name]
		if !ok && name == "HOME" {
			return "/home/me", true
		}
		return v, ok
	}
}

func TestDefaults(t *testing.T) {
	cfg := load(t, nil)
	require.Equal(t, "batchkeeper", cfg.TaskQueue)
	require.Equal(t, "https://api.phaseo.app/v1", cfg.Gateway.BaseURL)
	require.Equal(t, "phaseo", cfg.Gateway.Dialect)
	require.False(t, cfg.Gateway.HasKey)
	require.False(t, cfg.PhaseoWebhook.Configured())
	require.False(t, cfg.OpenAIWebhook.Configured())
	require.Equal(t, "file:///home/me/.local/share/batchkeeper", cfg.StoreURL)
	require.Empty(t, cfg.Inputs)
	require.Equal(t, ":8088", cfg.BridgeAddr)
	require.Equal(t, "127.0.0.1:9098", cfg.BridgeAdminAddr)
	require.Equal(t, "127.0.0.1:9097", cfg.WorkerMetricsAddr)
	require.True(t, filepath.IsAbs(cfg.SpoolDir))
	require.Equal(t, slog.LevelInfo, cfg.LogLevel)
}

func TestEveryVariableIsRead(t *testing.T) {
	cfg := load(t, map[string]string{
		"BATCHKEEPER_TASK_QUEUE": "q", "BATCHKEEPER_STORE": "s3://bucket?region=eu", "BATCHKEEPER_LIMITS": "/etc/limits.json",
		"BATCHKEEPER_INPUTS": "s3://in/a, file:///data ,", "BATCHKEEPER_SPOOL": "/spool",
		"WEBHOOKBRIDGE_ADDR": "0.0.0.0:1", "WEBHOOKBRIDGE_ADMIN_ADDR": "[::1]:0", "WORKER_METRICS_ADDR": "host:65535",
		"PHASEO_WEBHOOK_PREFIX": "a-", "OPENAI_WEBHOOK_PREFIX": "b-", "LOG_LEVEL": "debug",
		"TEMPORAL_DEPLOYMENT_NAME": "d", "TEMPORAL_WORKER_BUILD_ID": "1",
	})
	require.Equal(t, "q", cfg.TaskQueue)
	require.Equal(t, "s3://bucket?region=eu", cfg.StoreURL)
	require.Equal(t, "/etc/limits.json", cfg.LimitsFile)
	require.Equal(t, []string{"s3://in/a", "file:///data"}, cfg.Inputs)
	require.Equal(t, "/spool", cfg.SpoolDir)
	require.Equal(t, []string{"0.0.0.0:1", "[::1]:0", "host:65535"}, []string{cfg.BridgeAddr, cfg.BridgeAdminAddr, cfg.WorkerMetricsAddr})
	require.Equal(t, []string{"a-", "b-"}, []string{cfg.PhaseoWebhookPrefix, cfg.OpenAIWebhookPrefix})
	require.Equal(t, slog.LevelDebug, cfg.LogLevel)
	require.Equal(t, []string{"d", "1"}, []string{cfg.DeploymentName, cfg.BuildID})
}

func TestStoreFollowsTheUsersDataDirectory(t *testing.T) {
	require.Equal(t, "file:///data/batchkeeper", load(t, map[string]string{"XDG_DATA_HOME": "/data"}).StoreURL)
	require.Equal(t, "file:///a%20b/batchkeeper", load(t, map[string]string{"XDG_DATA_HOME": "/a b"}).StoreURL)
	require.Equal(t, "file:///home/me/.local/share/batchkeeper", load(t, map[string]string{"XDG_DATA_HOME": "relative"}).StoreURL)
}

func TestMistakesAreNamed(t *testing.T) {
	dir := t.TempDir()
	for name, tc := range map[string]struct {
		vars map[string]string
		want []string
	}{
		"address":            {map[string]string{"WEBHOOKBRIDGE_ADDR": "8088"}, []string{"WEBHOOKBRIDGE_ADDR", "host:port"}},
		"port":               {map[string]string{"WORKER_METRICS_ADDR": "a:99999"}, []string{"WORKER_METRICS_ADDR", "65535"}},
		"port name":          {map[string]string{"WEBHOOKBRIDGE_ADMIN_ADDR": "a:http"}, []string{"WEBHOOKBRIDGE_ADMIN_ADDR"}},
		"two at once":        {map[string]string{"WEBHOOKBRIDGE_ADDR": "x", "LOG_LEVEL": "loud"}, []string{"WEBHOOKBRIDGE_ADDR", "LOG_LEVEL", `"loud"`}},
		"base url scheme":    {map[string]string{"PHASEO_BASE_URL": "api.phaseo.app"}, []string{"PHASEO_BASE_URL", "https://"}},
		"base url broken":    {map[string]string{"PHASEO_BASE_URL": "http://a b"}, []string{"PHASEO_BASE_URL"}},
		"base url query":     {map[string]string{"OPENAI_BASE_URL": "https://a/v1?x=1"}, []string{"OPENAI_BASE_URL", "query"}},
		"store scheme":       {map[string]string{"BATCHKEEPER_STORE": "/data"}, []string{"BATCHKEEPER_STORE", "file:///"}},
		"store host":         {map[string]string{"BATCHKEEPER_STORE": "file://data/x"}, []string{"BATCHKEEPER_STORE", "three slashes"}},
		"inputs":             {map[string]string{"BATCHKEEPER_INPUTS": "file:///a,b"}, []string{"BATCHKEEPER_INPUTS"}},
		"no home":            {map[string]string{"HOME": ""}, []string{"BATCHKEEPER_STORE", "HOME"}},
		"half a deployment":  {map[string]string{"TEMPORAL_DEPLOYMENT_NAME": "x"}, []string{"TEMPORAL_WORKER_BUILD_ID"}},
		"secret and file":    {map[string]string{"PHASEO_API_KEY": "k", "PHASEO_API_KEY_FILE": dir}, []string{"PHASEO_API_KEY_FILE", "keep one"}},
		"webhook both":       {map[string]string{"OPENAI_WEBHOOK_SECRET": "k", "OPENAI_WEBHOOK_SECRET_FILE": dir}, []string{"OPENAI_WEBHOOK_SECRET_FILE"}},
		"nothing but commas": {map[string]string{"PHASEO_WEBHOOK_SECRET": " , "}, []string{"PHASEO_WEBHOOK_SECRET", "separators"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := env.Load(lookup(tc.vars))
			for _, want := range tc.want {
				require.ErrorContains(t, err, want)
			}
		})
	}
}

func TestRefusedURLsAreNotRepeated(t *testing.T) {
	for _, name := range []string{"PHASEO_BASE_URL", "BATCHKEEPER_STORE", "BATCHKEEPER_INPUTS"} {
		_, err := env.Load(lookup(map[string]string{name: "https://user:canary@host/v1"}))
		require.ErrorContains(t, err, name)
		require.NotContains(t, err.Error(), "canary")
	}
}

func TestGatewayChoosesOnePair(t *testing.T) {
	for name, tc := range map[string]struct {
		vars                map[string]string
		dialect, base, want string
	}{
		"phaseo key":          {map[string]string{"PHASEO_API_KEY": "p"}, "phaseo", "https://api.phaseo.app/v1", "p"},
		"openai key":          {map[string]string{"OPENAI_API_KEY": "o"}, "openai", "https://api.openai.com/v1", "o"},
		"both":                {map[string]string{"PHASEO_API_KEY": "p", "OPENAI_API_KEY": "o"}, "phaseo", "https://api.phaseo.app/v1", "p"},
		"phaseo address only": {map[string]string{"PHASEO_BASE_URL": "http://127.0.0.1:1/v1/", "OPENAI_API_KEY": "o"}, "phaseo", "http://127.0.0.1:1/v1", ""},
		"openai address":      {map[string]string{"OPENAI_BASE_URL": "http://h/v1", "OPENAI_API_KEY": "o"}, "openai", "http://h/v1", "o"},
		"empty is absent":     {map[string]string{"PHASEO_API_KEY": "", "OPENAI_API_KEY": "o"}, "openai", "https://api.openai.com/v1", "o"},
	} {
		t.Run(name, func(t *testing.T) {
			g := load(t, tc.vars).Gateway
			require.Equal(t, tc.dialect, g.Dialect)
			require.Equal(t, tc.base, g.BaseURL)
			require.Equal(t, tc.want != "", g.HasKey)
			key, err := g.Key()
			require.Equal(t, tc.want, key.Reveal())
			if tc.want == "" {
				require.ErrorContains(t, err, "PHASEO_API_KEY")
			}
		})
	}
}

func TestSecretFilesAreReadAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(path, []byte("one\n"), 0o600))
	cfg := load(t, map[string]string{"PHASEO_API_KEY_FILE": path, "PHASEO_WEBHOOK_SECRET_FILE": path})
	key, err := cfg.Gateway.Key()
	require.NoError(t, err)
	require.Equal(t, "one", key.Reveal())

	require.NoError(t, os.WriteFile(path, []byte(" two ,\r\nthree\n\n"), 0o600))
	keys, err := cfg.PhaseoWebhook.Keys()
	require.NoError(t, err)
	require.Len(t, keys, 2)
	require.Equal(t, []string{"two", "three"}, []string{keys[0].Reveal(), keys[1].Reveal()})
	_, err = cfg.Gateway.Key()
	require.ErrorContains(t, err, "PHASEO_API_KEY: holds 2 secrets")

	require.NoError(t, os.WriteFile(path, []byte(" \n"), 0o600))
	_, err = cfg.PhaseoWebhook.Keys()
	require.ErrorContains(t, err, "PHASEO_WEBHOOK_SECRET_FILE")
	require.NoError(t, os.Remove(path))
	_, err = cfg.PhaseoWebhook.Keys()
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = cfg.Gateway.Key()
	require.ErrorContains(t, err, "PHASEO_API_KEY_FILE")
}

func TestSecretsFromVariables(t *testing.T) {
	keys, err := load(t, map[string]string{"OPENAI_WEBHOOK_SECRET": "whsec_a, whsec_b"}).OpenAIWebhook.Keys()
	require.NoError(t, err)
	require.Len(t, keys, 2)
	require.Equal(t, "whsec_b", keys[1].Reveal())
	_, err = env.SecretSource{}.Keys()
	require.Error(t, err)
	_, err = load(t, map[string]string{"PHASEO_WEBHOOK_SECRET_FILE": t.TempDir()}).PhaseoWebhook.Keys()
	require.ErrorContains(t, err, "PHASEO_WEBHOOK_SECRET_FILE")
}
