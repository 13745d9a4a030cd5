package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lines is standard error that can be read while it is written.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func lookup(vars map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		v, ok := vars[name]
		return v, ok
	}
}

// environment gives the process free ports and a Temporal that is not there.
func environment(t *testing.T, vars map[string]string) func(string) (string, bool) {
	t.Helper()
	t.Setenv("TEMPORAL_CONFIG_FILE", filepath.Join(t.TempDir(), "none.toml"))
	t.Setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
	all := map[string]string{"HOME": "/home/me", "WEBHOOKBRIDGE_ADDR": "127.0.0.1:0", "WEBHOOKBRIDGE_ADMIN_ADDR": "127.0.0.1:0"}
	for name, value := range vars {
		all[name] = value
	}
	return lookup(all)
}

func TestWrongUsage(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		vars map[string]string
		want string
	}{
		"arguments": {args: []string{"--port"}, want: "takes no arguments"},
		"address":   {vars: map[string]string{"WEBHOOKBRIDGE_ADDR": "8088"}, want: "WEBHOOKBRIDGE_ADDR"},
		"secret":    {vars: map[string]string{"PHASEO_WEBHOOK_SECRET": "canary"}, want: "24 bytes"},
		"no file":   {vars: map[string]string{"OPENAI_WEBHOOK_SECRET_FILE": "/nonexistent/secret"}, want: "OPENAI_WEBHOOK_SECRET_FILE"},
	} {
		t.Run(name, func(t *testing.T) {
			var stderr lines
			require.Equal(t, exitUsage, run(t.Context(), tc.args, environment(t, tc.vars), &stderr))
			require.Contains(t, stderr.String(), tc.want)
			require.NotContains(t, stderr.String(), "canary")
		})
	}
	t.Run("Temporal's profile", func(t *testing.T) {
		var stderr lines
		env := environment(t, nil)
		t.Setenv("TEMPORAL_PROFILE", "absent")
		require.Equal(t, exitUsage, run(t.Context(), nil, env, &stderr))
		require.Contains(t, stderr.String(), "absent")
	})
}

func TestPortInUse(t *testing.T) {
	var stderr lines
	vars := map[string]string{"WEBHOOKBRIDGE_ADDR": "192.0.2.1:1"}
	require.Equal(t, exitFailure, run(t.Context(), nil, environment(t, vars), &stderr))
	require.Contains(t, stderr.String(), "webhook server: listen")
}

func TestListensBeforeTemporalIsReadyAndStops(t *testing.T) {
	var stderr lines
	ctx, cancel := context.WithCancel(t.Context())
	code := make(chan int, 1)
	env := environment(t, nil)
	go func() { code <- run(ctx, nil, env, &stderr) }()
	require.Eventually(t, func() bool {
		return strings.Contains(stderr.String(), "listening") && strings.Contains(stderr.String(), "not ready; trying again")
	}, 20*time.Second, 10*time.Millisecond)
	cancel()
	require.Zero(t, <-code)
}

func TestConnects(t *testing.T) {
	binary := os.Getenv("TEMPORAL_DEV_BIN")
	require.NotEmpty(t, binary, "TEMPORAL_DEV_BIN names no Temporal server: run make test")
	server, err := testsuite.StartDevServer(t.Context(), testsuite.DevServerOptions{ExistingPath: binary, LogLevel: "never"})
	require.NoError(t, err)
	t.Cleanup(func() { server.Client().Close(); require.NoError(t, server.Stop()) })
	var stderr lines
	env := environment(t, nil)
	t.Setenv("TEMPORAL_ADDRESS", server.FrontendHostPort())
	ctx, cancel := context.WithCancel(t.Context())
	code := make(chan int, 1)
	go func() { code <- run(ctx, nil, env, &stderr) }()
	require.Eventually(t, func() bool { return strings.Contains(stderr.String(), "connected to Temporal") }, 20*time.Second, 10*time.Millisecond)
	cancel()
	require.Zero(t, <-code)
}
