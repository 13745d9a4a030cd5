package main

import (
	"bytes"
	"encoding/json"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"batchkeeper/batch"
)

func TestWrongUsage(t *testing.T) {
	t.Parallel()
	input := rows(t, 1)
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"unknown command":       {[]string{"walk"}, "unexpected argument walk"},
		"unknown flag":          {[]string{"run", input, "--bogus"}, "unknown flag --bogus"},
		"no input":              {[]string{"run"}, "give an INPUT"},
		"no such input":         {[]string{"run", "missing.jsonl"}, "no such file here"},
		"a budget of nan":       {[]string{"run", input, "--budget-usd", "nan"}, "budget_usd"},
		"a set to inf":          {[]string{"set", "a", "--budget-usd", "inf"}, "budget_usd"},
		"bulk rounds":           {[]string{"run", input, "--type", "bulk", "--rounds", "99"}, "rounds"},
		"bulk as a batch":       {[]string{"run", input, "--type", "batch", "--rounds", "2"}, "only BulkWorkflow takes it"},
		"type":                  {[]string{"run", input, "--type", "mixed"}, "neither batch nor bulk"},
		"id":                    {[]string{"run", input, "--id", "a b"}, "--id: workflow id"},
		"rerun without id":      {[]string{"run", input, "--rerun"}, "--rerun: it needs --id"},
		"crossed polls":         {[]string{"run", input, "--poll-min", "1m", "--poll-max", "1s"}, "poll.max"},
		"poll below 1s":         {[]string{"run", input, "--poll-min", "1ms"}, "poll.min"},
		"duration":              {[]string{"run", input, "--stale-after", "1 day"}, "--stale-after"},
		"create mode":           {[]string{"run", input, "--create-mode", "post"}, "create_mode"},
		"profile":               {[]string{"run", input, "--profile", "mine"}, "--profile"},
		"window":                {[]string{"run", input, "--completion-window", "1h"}, "completion_window"},
		"inline not offered":    {[]string{"run", input, "--profile", "openai", "--create-mode", "inline"}, "no inline creation"},
		"reserved metadata":     {[]string{"run", input, "--metadata", "phaseo_x=1"}, "reserved"},
		"output":                {[]string{"run", input, "--output", filepath.Join(input, "dir")}, "--output"},
		"results prefix":        {[]string{"run", input, "--results-prefix", "../x"}, "results_prefix"},
		"results prefix, store": {[]string{"run", input, "--results-prefix", "a\\b"}, "results_prefix"},
		"long prefix":           {[]string{"run", input, "--results-prefix", strings.Repeat("x", 300)}, "--results-prefix"},
		"detach and output":     {[]string{"run", input, "--detach", "--output", t.TempDir()}, "--detach"},
		"empty input":           {[]string{"run", write(t, "\n\n")}, "no rows"},
		"no such job file":      {[]string{"run", "--job", "missing.json"}, "--job"},
		"watch id":              {[]string{"watch", "a~b"}, "workflow id"},
		"results id":            {[]string{"results", "a~b", "--output", "x"}, "workflow id"},
		"results nowhere":       {[]string{"results", "a"}, "--output"},
		"adopt id":              {[]string{"adopt", "batch~1"}, "workflow id"},
		"sweep age":             {[]string{"sweep", "--max-age=-1h"}, "max_age -1h0m0s is negative"},
		"sweep every":           {[]string{"sweep", "--every=-1m"}, "--every"},
		"sweep every too much":  {[]string{"sweep", "--every=1ms"}, "want 1s or more"},
		"shell":                 {[]string{"completion", "tcsh"}, "must be one of"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := starter(t, tc.args...)
			require.Equal(t, exitUsage, got.code, got.err)
			require.Contains(t, got.err, tc.want)
			require.True(t, strings.HasPrefix(got.err, "starter: "), got.err)
			require.Empty(t, got.out)
		})
	}
}

func TestUnknownRuns(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"status", "nobody"}, {"watch", "nobody"}, {"cancel", "nobody"}, {"settle", "nobody", "--resubmit"},
		{"results", "nobody", "--output", t.TempDir()}, {"results", "nobody", "--output", t.TempDir(), "--refetch"},
	} {
		got := starter(t, args...)
		require.Equal(t, exitFailed, got.code, args)
		require.Contains(t, got.err, "no such run")
	}
}

// No t.Parallel: the address is read from the process's environment.
func TestTemporalOutOfReach(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Setenv("TEMPORAL_ADDRESS", l.Addr().String())
	require.NoError(t, l.Close())
	input := rows(t, 1)
	for _, args := range [][]string{{"run", input}, {"status", "a"}, {"list"}, {"results", "a", "--output", t.TempDir()}} {
		w := newWorld()
		w.app.connect = connect
		got := launch(t.Context(), w, args...)()
		require.Equal(t, exitFailed, got.code, got.err)
		require.Contains(t, got.err, "connect to Temporal at "+l.Addr().String())
		require.Contains(t, got.err, "TEMPORAL_ADDRESS")
	}
}

func TestConfigurationIsChecked(t *testing.T) {
	w := newWorld()
	w.app.lookup = func(name string) (string, bool) {
		return map[string]string{"BATCHKEEPER_STORE": "/not/a/url"}[name], name == "BATCHKEEPER_STORE"
	}
	got := launch(t.Context(), w, "run", rows(t, 1))()
	require.Equal(t, exitUsage, got.code)
	require.Contains(t, got.err, "BATCHKEEPER_STORE")
}

func TestHelp(t *testing.T) {
	got := starter(t, "--help")
	require.Equal(t, exitOK, got.code)
	require.Contains(t, got.out, "3 completed with failures")
	require.NotContains(t, got.out, "__complete")
	bare := starter(t)
	require.Equal(t, exitUsage, bare.code)
	require.Equal(t, got.out, bare.err, "who gives no command is shown them")
	require.Empty(t, bare.out)
	got = starter(t, "run", "--help")
	require.Equal(t, exitOK, got.code)
	require.Contains(t, got.out, "--stale-after")
	require.Contains(t, strings.Join(strings.Fields(got.out), " "), "of a bulk run auto")
}

func TestValidate(t *testing.T) {
	t.Parallel()
	good := rows(t, 3)
	got := starter(t, "validate", good)
	require.Equal(t, exitOK, got.code, got.err)
	require.Contains(t, got.out, ": 3 rows, ")
	require.Contains(t, got.out, "all good (/v1/responses gpt-5-mini-2025-08-07, profile phaseo)")

	bad := write(t, strings.Repeat("nonsense\n", 25))
	got = starter(t, "validate", bad)
	require.Equal(t, exitUsage, got.code)
	require.Contains(t, got.out, "line 1: ")
	require.Contains(t, got.out, "line 25: ", "every one is named")
	require.Equal(t, 26, strings.Count(got.out, "\n"))
	require.Contains(t, got.out, "25 of 25 rows are bad")

	got = starter(t, "validate", bad, "--json")
	require.Equal(t, exitUsage, got.code)
	var found findings
	require.NoError(t, json.Unmarshal([]byte(got.out), &found))
	require.False(t, found.Valid)
	require.Equal(t, int64(25), found.Bad)
	require.Equal(t, int64(1), found.Problems[0].Line)

	long := strings.Repeat("x", 3000)
	got = starter(t, "validate", write(t, `{"custom_id":"`+long+`","method":"POST","url":"/v1/responses","body":{}}`+"\n"))
	require.Contains(t, got.out, "line 1 ("+long[:128]+"…): ")
	require.NotContains(t, got.out, long[:129])

	require.Equal(t, exitUsage, starter(t, "validate", "missing.jsonl").code)
	require.Equal(t, exitUsage, starter(t, "validate", good, "--model", "another").code)
}

func TestAnInputBeyondOneBatch(t *testing.T) {
	t.Parallel()
	limits := write(t, `{"small":{"dialect":"phaseo","max_rows":2}}`)
	w := withLimits(limits)
	got := launch(t.Context(), w, "run", rows(t, 3), "--profile", "small", "--type", "batch")()
	require.Equal(t, exitUsage, got.code)
	for _, want := range []string{"nothing was started", "3 rows", "profile small takes: 2 rows", "20905984 bytes", "--type bulk"} {
		require.Contains(t, got.err, want)
	}
}

// withLimits is a world with a limits file.
func withLimits(path string) world {
	w := newWorld()
	w.app.lookup = func(name string) (string, bool) {
		if name == "BATCHKEEPER_LIMITS" {
			return path, true
		}
		return lookup(name)
	}
	return w
}

func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		got := starter(t, "completion", shell)
		require.Equal(t, exitOK, got.code, got.err)
		require.Contains(t, got.out, "starter __complete")
	}
	for _, tc := range []struct {
		words []string
		want  string
	}{
		{[]string{""}, "validate run status list watch cancel settle pause resume set results adopt sweep completion"},
		{[]string{"re"}, "resume results"},
		{[]string{"run", "--poll"}, "--poll-min --poll-max"},
		{[]string{"run", "in.jsonl", "--create-mode", ""}, "file inline auto"},
		{[]string{"run", "--profile", "o"}, "openai"},
		{[]string{"run", "--detach", "--ty"}, "--type"},
		{[]string{"list", "--a"}, "--all"},
		{[]string{"completion", ""}, "bash zsh fish"},
		{[]string{"run", "--id", ""}, ""},
		{[]string{"run", ""}, ""},
		{[]string{"nothing", "-"}, ""},
	} {
		got := starter(t, append([]string{"__complete"}, tc.words...)...)
		require.Equal(t, exitOK, got.code, got.err)
		require.Equal(t, tc.want, strings.Join(strings.Fields(got.out), " "), "%q", tc.words)
	}
}

func TestEveryOutcomeHasItsExitCode(t *testing.T) {
	for _, o := range batch.Outcomes() {
		want := exitFailed
		switch o { //nolint:exhaustive // the others fail
		case batch.OutcomeCompleted:
			want = exitOK
		case batch.OutcomeCompletedWithFailures:
			want = exitWithFailures
		case batch.OutcomeCancelled:
			want = exitCancelled
		}
		require.Equal(t, want, exitCode(o), o)
	}
	require.Equal(t, exitFailed, exitCode("novel"))
}

func TestJSONIsReadable(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, app{stdout: &out}.printJSON(map[string]string{"a": "<b>"}))
	require.Contains(t, out.String(), "\n  \"a\": \"<b>\"\n")
}
