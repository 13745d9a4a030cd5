package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// output is a writer that a test can look into while it is written to.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// example writes an input whose rows carry the given prompt.
func example(t *testing.T, rows int, prompt string) string {
	t.Helper()
	var b strings.Builder
	for i := range rows {
		fmt.Fprintf(&b, `{"custom_id":"row-%d","method":"POST","url":"/v1/responses","body":`+
			`{"model":"gpt-5-mini-2025-08-07","input":%q,"max_output_tokens":16}}`+"\n", i, prompt)
	}
	path := filepath.Join(t.TempDir(), "example.jsonl")
	require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o600))
	return path
}

func needServer(t *testing.T) {
	t.Helper()
	require.NotEmpty(t, os.Getenv("TEMPORAL_DEV_BIN"), "these tests need the embedded Temporal server: run make test")
}

func TestDemoShowsABatchFromEndToEnd(t *testing.T) {
	needServer(t)
	var out, complaints output
	code := run(t.Context(), []string{"--data", t.TempDir(), "--batch-duration", "3s", "demo", example(t, 5, "hello")}, environment{&out, &complaints})
	require.Zero(t, code, complaints.String())
	require.Empty(t, complaints.String())
	for _, want := range []string{
		"uploaded   5 rows", "created    batch ", "polled     ", "webhook    batch.completed, its signature verified", "collected  5 rows",
		"Outcome    completed", "Rows       5: 5 succeeded, 0 failed, 0 missing", "Web UI     http://127.0.0.1:", "an emulator",
	} {
		require.Contains(t, out.String(), want)
	}
	_, path, _ := strings.Cut(out.String(), "Results    ")
	path, _, _ = strings.Cut(path, "\n")
	require.FileExists(t, filepath.Join(path, "manifest.json"))
}

func TestDemoFailsWhenTheBatchDoes(t *testing.T) {
	needServer(t)
	var out, complaints output
	code := run(t.Context(), []string{"--data", t.TempDir(), "--batch-duration", "1s", "demo", example(t, 2, "[[fail]]")}, environment{&out, &complaints})
	require.Equal(t, exitFailure, code)
	require.Contains(t, out.String(), "Outcome    completed_with_failures")
}

func TestUpStaysUntilItIsTold(t *testing.T) {
	needServer(t)
	var out, complaints output
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() { ended <- run(ctx, []string{"--data", t.TempDir()}, environment{&out, &complaints}) }()
	require.Eventually(t, func() bool { return strings.Contains(out.String(), "Ctrl-C") }, time.Minute, 10*time.Millisecond)
	for _, want := range []string{"Temporal    127.0.0.1:", "export TEMPORAL_ADDRESS='127.0.0.1:", "--webhook-endpoint-id "} {
		require.Contains(t, out.String(), want)
	}
	stop()
	require.Zero(t, <-ended, complaints.String())
}

func TestMistakesAreTold(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		code int
		want string
	}{
		"unknown flag":    {[]string{"--nope"}, exitUsage, "unknown flag --nope"},
		"unknown command": {[]string{"dance"}, exitUsage, "unexpected argument dance"},
		"log level":       {[]string{"--log-level", "loud"}, exitUsage, "loud"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, complaints output
			require.Equal(t, tc.code, run(t.Context(), tc.args, environment{&out, &complaints}))
			require.Contains(t, complaints.String(), tc.want)
		})
	}
	var out, complaints output
	require.Zero(t, run(t.Context(), []string{"--help"}, environment{&out, &complaints}))
	require.Contains(t, out.String(), "demo")
}

func TestAMissingInputIsTold(t *testing.T) {
	needServer(t)
	var out, complaints output
	code := run(t.Context(), []string{"--data", t.TempDir(), "demo", filepath.Join(t.TempDir(), "nothing.jsonl")}, environment{&out, &complaints})
	require.Equal(t, exitFailure, code)
	require.Contains(t, complaints.String(), "no such file")
}
