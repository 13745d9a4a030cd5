package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"

	"batchkeeper/batch"
	"batchkeeper/internal/blobstore"
	"batchkeeper/internal/env"
	"batchkeeper/internal/gateway/gatewaytest"
	workerapp "batchkeeper/worker/app"
)

// The commands are tried on the real thing: a Temporal server, a worker and the
// gateway's emulator, whose batches end when a test says so.
var (
	temporal *testsuite.DevServer
	gateway  *gatewaytest.Server
	vars     map[string]string // the environment
)

var quiet = slog.New(slog.DiscardHandler)

func TestMain(m *testing.M) {
	code, err := withWorld(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func withWorld(m *testing.M) (code int, err error) {
	path := os.Getenv("TEMPORAL_DEV_BIN")
	if path == "" {
		return 1, fmt.Errorf("TEMPORAL_DEV_BIN is not set: run make test")
	}
	ctx, stop := context.WithCancel(context.Background()) //nolint:forbidigo // there is no test yet
	defer stop()
	dir, err := os.MkdirTemp("", "starter")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	if temporal, err = testsuite.StartDevServer(ctx, testsuite.DevServerOptions{
		ExistingPath: path, LogLevel: "error", ClientOptions: &client.Options{Logger: log.NewStructuredLogger(quiet)},
	}); err != nil {
		return 1, err
	}
	defer func() { _ = temporal.Stop() }()
	if gateway, err = gatewaytest.New(gatewaytest.Options{BatchDuration: time.Hour, CancelDuration: time.Second, WithoutQuota: true}); err != nil {
		return 1, err
	}
	defer gateway.Close()
	vars = map[string]string{
		"HOME": dir, "USER": "tester", "WORKER_METRICS_ADDR": "127.0.0.1:0", "BATCHKEEPER_STORE": blobstore.FileURL(filepath.Join(dir, "store")),
		"PHASEO_BASE_URL": gateway.URL(), "PHASEO_API_KEY": gatewaytest.DefaultAPIKey,
	}
	ended, err := startWorker(ctx)
	if err != nil {
		return 1, err
	}
	code = m.Run()
	stop()
	return code, <-ended
}

func startWorker(ctx context.Context) (<-chan error, error) {
	cfg, err := env.Load(lookup)
	if err != nil {
		return nil, err
	}
	w, err := workerapp.New(workerapp.Options{Env: cfg, Logger: quiet, Client: temporal.Client()})
	if err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	return ended, nil
}

func lookup(name string) (string, bool) {
	v, ok := vars[name]
	return v, ok
}

// outcome is what a command left behind.
type outcome struct {
	code     int
	out, err string
}

// starter runs a command to its end.
func starter(t *testing.T, args ...string) outcome {
	t.Helper()
	return launch(t.Context(), newWorld(), args...)()
}

// world is a command's surroundings, with what it writes.
type world struct {
	app      app
	out, err *buffer
}

func newWorld() world {
	w := world{out: &buffer{}, err: &buffer{}}
	w.app = app{
		stdout: w.out, stderr: w.err, lookup: lookup, width: func() int { return 0 }, answerTime: 2 * time.Second,
		connect: func(ctx context.Context) (client.Client, error) {
			return client.DialContext(ctx, client.Options{HostPort: temporal.FrontendHostPort(), Logger: log.NewStructuredLogger(quiet)})
		},
	}
	return w
}

// launch starts a command; the function returned waits for its end.
func launch(ctx context.Context, w world, args ...string) func() outcome {
	ended := make(chan int, 1)
	go func() { ended <- run(ctx, args, w.app) }()
	return func() outcome { return outcome{<-ended, w.out.String(), w.err.String()} }
}

// buffer takes what a command writes while the test reads along.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// rows writes an input of n rows and returns its path.
func rows(t *testing.T, n int) string {
	t.Helper()
	var b strings.Builder
	for i := range n {
		body := fmt.Sprintf(`{"model":"gpt-5-mini-2025-08-07","input":"%s %d","max_output_tokens":64}`, t.Name(), i+1)
		fmt.Fprintf(&b, `{"custom_id":"row-%d","method":"POST","url":"/v1/responses","body":%s}`+"\n", i+1, body)
	}
	return write(t, b.String())
}

func write(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "requests.jsonl")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

// batchOf waits for the batch of a run.
func batchOf(t *testing.T, id string) string {
	t.Helper()
	var found string
	require.Eventually(t, func() bool {
		for _, b := range gateway.BatchesOf("") {
			if strings.HasPrefix(b.SessionID, id+"~") {
				found = b.ID
			}
		}
		return found != ""
	}, 20*time.Second, 20*time.Millisecond, "no batch of %s", id)
	return found
}

// stateOf is what status says.
func stateOf(t *testing.T, id string) batch.State {
	t.Helper()
	var s batch.State
	got := starter(t, "status", id, "--json")
	require.Zero(t, got.code, got.err)
	require.NoError(t, json.Unmarshal([]byte(got.out), &s))
	return s
}
