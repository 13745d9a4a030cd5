package app

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/env"
)

func config(t *testing.T, variables map[string]string) env.Config {
	t.Helper()
	cfg, err := env.Load(func(name string) (string, bool) {
		v, ok := variables[name]
		return v, ok
	})
	require.NoError(t, err)
	return cfg
}

func TestWiring(t *testing.T) {
	dir := t.TempDir()
	limits := filepath.Join(dir, "limits.json")
	require.NoError(t, os.WriteFile(limits, []byte(`{"mine":{"dialect":"openai","max_rows":5}}`), 0o600))
	variables := map[string]string{
		"BATCHKEEPER_STORE": "file://" + filepath.Join(dir, "store"), "BATCHKEEPER_LIMITS": limits, "WORKER_METRICS_ADDR": "127.0.0.1:0",
	}
	_, closeStore, err := newActivities(t.Context(), config(t, variables), nil)
	require.NoError(t, err)
	closeStore()
	require.DirExists(t, filepath.Join(dir, "store"), "created when missing")

	require.NoError(t, os.WriteFile(limits, []byte(`{"mine":{"dialect":"soap"}}`), 0o600))
	_, _, err = newActivities(t.Context(), config(t, variables), nil)
	require.ErrorContains(t, err, "BATCHKEEPER_LIMITS")

	variables["BATCHKEEPER_LIMITS"] = filepath.Join(dir, "absent.json")
	_, _, err = newActivities(t.Context(), config(t, variables), nil)
	require.ErrorContains(t, err, "BATCHKEEPER_LIMITS")
}

func TestDeploymentIsPinned(t *testing.T) {
	a, err := New(Options{Env: config(t, map[string]string{
		"TEMPORAL_DEPLOYMENT_NAME": "batchkeeper", "TEMPORAL_WORKER_BUILD_ID": "v1", "BATCHKEEPER_STORE": "mem://",
	})})
	require.NoError(t, err)
	require.True(t, a.workerOptions(nil).DeploymentOptions.UseVersioning)
	require.Equal(t, "v1", a.workerOptions(nil).DeploymentOptions.Version.BuildID)
	require.ErrorIs(t, a.ready(t.Context()), errNotPolling)
}
