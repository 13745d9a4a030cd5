package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"batchkeeper/batch"
)

func TestRunExitsWithItsOutcome(t *testing.T) {
	for _, tc := range []struct {
		name, status string
		answered     int
		code         int
		outcome      batch.Outcome
	}{
		{"done", "completed", -1, exitOK, batch.OutcomeCompleted},
		{"holes", "completed", 2, exitWithFailures, batch.OutcomeCompletedWithFailures},
		{"failed", "failed", 0, exitFailed, batch.OutcomeUpstreamFailed},
		{"expired", "expired", 1, exitFailed, batch.OutcomeExpired},
		{"cancelled", "cancelled", 1, exitCancelled, batch.OutcomeCancelled},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			id, dir := "exit-"+tc.name, filepath.Join(t.TempDir(), "results")
			end := launch(t.Context(), newWorld(), "run", rows(t, 3), "--id", id, "--poll-min", "1s", "--poll-max", "1s", "--output", dir, "--json")
			require.NoError(t, gateway.Finish(batchOf(t, id), tc.status, tc.answered))
			got := end()
			require.Equal(t, tc.code, got.code, got.err)
			var result batch.Result
			require.NoError(t, json.Unmarshal([]byte(got.out), &result), "the result stands alone on standard output")
			require.Equal(t, tc.outcome, result.Outcome)
			requireRows(t, dir, 3)

			again := starter(t, "watch", id, "--json")
			require.Equal(t, tc.code, again.code, "watch exits with the run's code")
			require.JSONEq(t, got.out, again.out)
		})
	}
}

// requireRows demands every row once, in the order of the input, beside a manifest.
func requireRows(t *testing.T, dir string, n int) {
	t.Helper()
	seen := map[string]int{}
	for _, name := range []string{batch.FileResults, batch.FileFailures} {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if os.IsNotExist(err) && name == batch.FileFailures {
			continue
		}
		require.NoError(t, err)
		last := ""
		for line := range strings.Lines(string(raw)) {
			var row struct {
				CustomID string `json:"custom_id"`
			}
			require.NoError(t, json.Unmarshal([]byte(line), &row))
			require.Less(t, last, row.CustomID, "in input order")
			last = row.CustomID
			seen[row.CustomID]++
		}
	}
	require.Len(t, seen, n)
	for id, times := range seen {
		require.Equal(t, 1, times, id)
	}
	require.FileExists(t, filepath.Join(dir, batch.FileManifest))
}

func TestStartingIsIdempotent(t *testing.T) {
	t.Parallel()
	input := rows(t, 2)
	start := []string{"run", input, "--id", "twice", "--detach"}
	first := starter(t, start...)
	require.Equal(t, outcome{exitOK, "twice\n", first.err}, first)
	require.Contains(t, first.err, "starter watch twice")

	copied := filepath.Join(t.TempDir(), "the-same-rows.jsonl")
	raw, err := os.ReadFile(input)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(copied, raw, 0o600))
	second := starter(t, "run", copied, "--id", "twice", "--detach", "--json")
	require.Equal(t, exitOK, second.code, second.err)
	require.Contains(t, second.out, `"attached": true`)

	other := starter(t, append(start, "--model", "gpt-5-mini-2025-08-07")...)
	require.Equal(t, exitUsage, other.code)
	require.Contains(t, other.err, "belongs to another job")
	rerun := starter(t, append(start, "--rerun")...)
	require.Equal(t, exitUsage, rerun.code)
	require.Contains(t, rerun.err, "still open")

	id := batchOf(t, "twice")
	require.NoError(t, gateway.Finish(id, "completed", -1))
	require.Equal(t, exitOK, starter(t, "cancel", "twice", "--wait").code)
	require.Equal(t, exitOK, starter(t, "run", input, "--id", "twice").code, "a closed run is attached to as well")
	rerun = starter(t, append(start, "--rerun")...)
	require.Equal(t, exitOK, rerun.code, rerun.err)
	require.Eventually(t, func() bool { return stateOf(t, "twice").BatchID != "" }, waitFor, tick)
	require.NotEqual(t, id, stateOf(t, "twice").BatchID)
}

func TestBadRowsStartNothing(t *testing.T) {
	t.Parallel()
	path := write(t, `{"custom_id":"a","method":"POST","url":"/v1/responses","body":{"model":"m","input":"x","max_output_tokens":1}}
{"custom_id":"a","method":"POST","url":"/v1/responses","body":{"model":"m","input":"x","max_output_tokens":1}}
nonsense
`)
	got := starter(t, "run", path, "--id", "bad-rows")
	require.Equal(t, exitUsage, got.code)
	require.Empty(t, got.out)
	require.Contains(t, got.err, "nothing was started")
	require.Contains(t, got.err, "line 2 (a)")
	require.Contains(t, got.err, "line 3: not a JSON object")
	require.Contains(t, got.err, "2 of 3 rows are bad")
	require.Equal(t, exitFailed, starter(t, "status", "bad-rows").code)
}

func TestInputsOfAllKinds(t *testing.T) {
	t.Parallel()
	path := rows(t, 2)
	started := starter(t, "run", path, "--id", "kind-path", "--detach")
	require.Equal(t, exitOK, started.code, started.err)
	store := strings.TrimPrefix(vars["BATCHKEEPER_STORE"], "file://")
	copies, err := filepath.Glob(filepath.Join(store, "inputs", "*.jsonl"))
	require.NoError(t, err)
	require.NotEmpty(t, copies)
	for id, input := range map[string]string{"kind-key": "inputs/" + filepath.Base(copies[0]), "kind-url": "file://" + path} {
		got := starter(t, "run", input, "--id", id, "--detach")
		require.Equal(t, exitOK, got.code, got.err)
		batchOf(t, id)
	}
	for input, want := range map[string]string{
		"inputs/nothing.jsonl": "nor file://", "./nothing.jsonl": "no such file", t.TempDir(): "not a regular file",
		"file:///nowhere/in.jsonl": "no such", "s3://elsewhere/in.jsonl": "BATCHKEEPER_INPUTS", "ftp://x/y": "",
	} {
		got := starter(t, "run", input, "--detach")
		require.Equal(t, exitUsage, got.code, "%s: %s", input, got.err)
		require.Contains(t, got.err, want)
	}
}

func TestAJobFromAFile(t *testing.T) {
	t.Parallel()
	path := rows(t, 1)
	job := write(t, `{"input":"file://`+path+`","stale_after":"36h","metadata":{"team":"a"},"poll":{"min":"1s"}}`)
	got := starter(t, "run", "--job", job, "--id", "from-file", "--detach", "--metadata", "team=b", "--metadata", "run=7")
	require.Equal(t, exitOK, got.code, got.err)
	batchOf(t, "from-file")
	for content, want := range map[string]string{
		`{"input":"a","stale_afer":"1h"}`: `unknown field "stale_afer"`, `{}`: "give an INPUT",
		`{"input":"a","create_mode":"post"}`: "create_mode", `nonsense`: "--job",
	} {
		got := starter(t, "run", "--job", write(t, content), "--detach")
		require.Equal(t, exitUsage, got.code, content)
		require.Contains(t, got.err, want)
	}
}

func TestCtrlCLeavesTheRunAlone(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancel(t.Context())
	end := launch(ctx, newWorld(), "run", rows(t, 2), "--id", "interrupted")
	id := batchOf(t, "interrupted")
	interrupt()
	got := end()
	require.Equal(t, exitInterrupted, got.code)
	lines := strings.Split(strings.TrimSpace(got.err), "\n")
	require.Equal(t, "starter: interrupted; the run goes on. watch it: starter watch interrupted · cancel it: starter cancel interrupted",
		lines[len(lines)-1])
	require.Empty(t, stateOf(t, "interrupted").Outcome)
	require.NoError(t, gateway.Finish(id, "completed", -1))
}
