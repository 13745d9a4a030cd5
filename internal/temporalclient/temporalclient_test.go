package temporalclient_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"

	"batchkeeper/internal/temporalclient"
)

// frontend is as much of a Temporal server as a connection needs.
type frontend struct {
	workflowservice.UnimplementedWorkflowServiceServer
	mu   sync.Mutex
	auth []string
}

func (f *frontend) GetSystemInfo(ctx context.Context, _ *workflowservice.GetSystemInfoRequest) (*workflowservice.GetSystemInfoResponse, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.auth = append(f.auth, strings.Join(md.Get("authorization"), ","))
	return &workflowservice.GetSystemInfoResponse{}, nil
}

func (f *frontend) serve(t *testing.T, address string) string {
	t.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", address)
	require.NoError(t, err)
	server := grpc.NewServer()
	workflowservice.RegisterWorkflowServiceServer(server, f)
	healthpb.RegisterHealthServer(server, health.NewServer())
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(listener) }()
	t.Cleanup(func() { server.Stop(); <-done })
	return listener.Addr().String()
}

// settings makes the environment the test's own.
func settings(t *testing.T, vars map[string]string) {
	t.Helper()
	for _, pair := range os.Environ() {
		if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "TEMPORAL_") {
			t.Setenv(name, "")
			require.NoError(t, os.Unsetenv(name))
		}
	}
	t.Setenv("TEMPORAL_CONFIG_FILE", filepath.Join(t.TempDir(), "none.toml"))
	for name, value := range vars {
		t.Setenv(name, value)
	}
}

func TestWhereHasTheCLIsDefaults(t *testing.T) {
	settings(t, nil)
	target, err := temporalclient.Where()
	require.NoError(t, err)
	require.Equal(t, temporalclient.Target{Address: "localhost:7233", Namespace: "default"}, target)
}

func TestWhereReadsVariablesAndProfile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "temporal.toml")
	require.NoError(t, os.WriteFile(file, []byte("[profile.prod]\naddress = \"prod:7233\"\nnamespace = \"file\"\n"), 0o600))
	settings(t, map[string]string{"TEMPORAL_CONFIG_FILE": file, "TEMPORAL_PROFILE": "prod", "TEMPORAL_NAMESPACE": "mine"})
	target, err := temporalclient.Where()
	require.NoError(t, err)
	require.Equal(t, temporalclient.Target{Address: "prod:7233", Namespace: "mine"}, target)

	t.Setenv("TEMPORAL_PROFILE", "absent")
	_, err = temporalclient.Where()
	require.ErrorContains(t, err, "absent")
}

func TestAPIKeyFile(t *testing.T) {
	dir := t.TempDir()
	key := filepath.Join(dir, "key")
	require.NoError(t, os.WriteFile(key, []byte("canary\n"), 0o600))
	server := &frontend{}
	address := server.serve(t, "127.0.0.1:0")
	// Without TLS switched off the key would switch it on.
	settings(t, map[string]string{"TEMPORAL_ADDRESS": address, "TEMPORAL_API_KEY_FILE": key, "TEMPORAL_TLS": "false"})
	c, err := temporalclient.Dial(t.Context(), temporalclient.Options{})
	require.NoError(t, err)
	c.Close()
	require.Equal(t, []string{"Bearer canary"}, server.auth)

	t.Setenv("TEMPORAL_TLS", "true")
	_, err = temporalclient.Dial(t.Context(), temporalclient.Options{Logger: slog.New(slog.DiscardHandler)})
	require.ErrorContains(t, err, "connect to Temporal at "+address)
	require.NotContains(t, err.Error(), "canary")

	t.Setenv("TEMPORAL_API_KEY", "other")
	_, err = temporalclient.Dial(t.Context(), temporalclient.Options{})
	require.ErrorContains(t, err, "keep one")
	t.Setenv("TEMPORAL_API_KEY", "")
	require.NoError(t, os.WriteFile(key, nil, 0o600))
	_, err = temporalclient.Where()
	require.ErrorContains(t, err, "is empty")
	t.Setenv("TEMPORAL_API_KEY_FILE", filepath.Join(dir, "absent"))
	_, err = temporalclient.DialWhenReady(t.Context(), temporalclient.Options{})
	require.ErrorIs(t, err, os.ErrNotExist)
}

// lines is a log that can be read while it is written.
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

func TestDialWhenReadyWaitsForTheServer(t *testing.T) {
	var config net.ListenConfig
	free, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := free.Addr().String()
	require.NoError(t, free.Close())
	settings(t, map[string]string{"TEMPORAL_ADDRESS": address})

	var log lines
	done := make(chan error, 1)
	go func() {
		c, err := temporalclient.DialWhenReady(t.Context(), temporalclient.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err == nil {
			c.Close()
		}
		done <- err
	}()
	require.Eventually(t, func() bool { return strings.Contains(log.String(), "not ready") }, 20*time.Second, 10*time.Millisecond)
	(&frontend{}).serve(t, address)
	require.NoError(t, <-done)
	require.Equal(t, 1, strings.Count(log.String(), "connected to Temporal"))
}

func TestDialWhenReadyEndsWithItsContext(t *testing.T) {
	settings(t, map[string]string{"TEMPORAL_ADDRESS": "127.0.0.1:1"})
	stop := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(stop)
	_, err := temporalclient.DialWhenReady(ctx, temporalclient.Options{Logger: slog.New(slog.DiscardHandler)})
	require.ErrorIs(t, err, stop)
}
