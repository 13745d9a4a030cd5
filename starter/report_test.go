package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper"
	"batchkeeper/batch"
	"batchkeeper/internal/blobstore"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func memory(t *testing.T) *blobstore.Store {
	t.Helper()
	store, err := blobstore.Open(t.Context(), blobstore.Config{URL: "mem://"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return store
}

func lines(text ...string) string { return strings.Join(text, "\n") }

func TestStatusOfARunThatTracks(t *testing.T) {
	next := noon.Add(90 * time.Second)
	s := batch.State{
		Stage: batch.StageTracking, BatchID: "batch_1", Provider: "openai", Model: "gpt", Endpoint: "/v1/responses",
		Status: "in_progress", LifecycleStatus: batch.Running, Progress: 50, RequestCounts: &batch.RequestCounts{Total: 10, Completed: 4, Failed: 1},
		Input: &batch.InputFacts{Rows: 10, Bytes: 2_500_000}, Polls: 3, NextPollAt: &next,
		Webhook: batch.Webhook{Deliveries: 2, LastEventType: "batch.created",
			GatewayWebhook: batch.GatewayWebhook{TotalAttempts: 3, PendingRetries: 1, LastErrorMessage: "503\nfrom the receiver"}},
		Cancellation: &batch.Cancellation{RequestedBy: "me", Reason: "wrong file"},
		Problem:      "read batch: HTTP 503",
	}
	require.Equal(t, lines(
		"run              nightly-1",
		"stage            tracking",
		"batch            batch_1 (openai, gpt, /v1/responses)",
		"status           in_progress (running)",
		"progress         50 %: 5 of 10 rows, 1 failed",
		"input            10 rows, 2.5 MB",
		"polls            3, the next in 1m30s",
		"webhook          2 deliveries, the last batch.created",
		"webhook trouble  3 attempts, 1 retries pending: 503 from the receiver (the run does not depend on it)",
		"cancel           requested by me: wrong file (no answer yet)",
		"problem          read batch: HTTP 503",
	), statusTable(s, "nightly-1", memory(t), noon))
}

func TestStatusOfAnAmbiguousCreate(t *testing.T) {
	posted, deadline := noon.Add(-time.Minute), noon
	s := batch.State{
		Stage: batch.StageCreating, SessionID: "nightly-1~run", Submission: &batch.Submission{
			Posts: 1, Lookups: 4, Ambiguous: true, FirstPostAfter: &posted, PostDeadline: &deadline,
			Hints: []string{"batch_7"}, Duplicates: []string{"batch_8"}, LastAnswer: "connection reset",
		},
	}
	require.Equal(t, lines(
		"run         nightly-1",
		"stage       creating",
		"duplicates  other batches of this run: batch_8",
		"create      it is unknown whether a batch was created (1 posts, 4 looks): connection reset",
		"session     nightly-1~run",
		"posted      between 2026-03-01T11:59:00Z and 2026-03-01T12:00:00Z",
		"may be      batch_7",
		"to settle   look for the session at the gateway, then: starter settle nightly-1 --batch-id ID, or --resubmit if there is none",
	), statusTable(s, "nightly-1", memory(t), noon))
}

func TestOutcomeTable(t *testing.T) {
	store := memory(t)
	completed := batch.Result{
		Outcome: batch.OutcomeCompletedWithFailures, BatchID: "batch_1",
		Results: &batch.Results{Prefix: "nightly-1/run", Rows: 10, Succeeded: 7, Failed: 2, Missing: 1, Duplicates: 1, Manifest: &batch.Ref{}},
	}
	require.Equal(t, lines(
		"run        nightly-1",
		"outcome    completed_with_failures",
		"rows       10: 7 succeeded, 2 failed, 1 missing",
		"odd lines  1 duplicates, 0 that nobody asked for, 0 unreadable",
		"batch      batch_1",
		"results    "+store.URL("nightly-1/run"),
		"next       starter results nightly-1 --output DIR",
	), outcomeTable(completed, "nightly-1", store, ""))
	require.Contains(t, outcomeTable(completed, "nightly-1", store, "out"), "copied to  out")

	rejected := batch.Result{Outcome: batch.OutcomeRejected, Failure: &batch.Failure{
		Type: batch.KindBatchRejected, Message: "input: 1 of 2 rows are bad",
		Problems: []batch.Problem{{Line: 2, CustomID: "a\x1b[2J", Message: "custom_id is used twice"}},
	}}
	require.Equal(t, lines(
		"run         nightly-1",
		"outcome     rejected",
		"failure     BatchRejected: input: 1 of 2 rows are bad",
		"            line 2 (a [2J): custom_id is used twice",
		"what to do  mend what the message names and start a new run",
	), outcomeTable(rejected, "nightly-1", store, ""))

	unavailable := batch.Result{Outcome: batch.OutcomeResultsUnavailable, BatchID: "batch_1"}
	require.Contains(t, outcomeTable(unavailable, "n", store, ""), "next     starter results n --output DIR --refetch")
	unavailable.BatchID, unavailable.Bulk = "", &batch.Bulk{}
	require.Contains(t, outcomeTable(unavailable, "n", store, ""), resumeBulk("n"))
	unknown := batch.Result{Outcome: batch.OutcomeSubmissionUnknown, SessionID: "n~t", Failure: &batch.Failure{Type: batch.KindSubmissionUnknown}}
	require.Contains(t, outcomeTable(unknown, "n", store, ""), "session     n~t")
}

func TestListTable(t *testing.T) {
	require.Equal(t, lines(
		"WORKFLOW ID  STATUS      OUTCOME  PROGRESS  ROWS  MODEL  BATCH    STARTED",
		"a            running     -        50 %      240   gpt    batch_1  2026-03-01 12:00:00",
		"b            failed      -        0 %       0     -      -        2026-03-01 12:00:00",
		"c            terminated  -        0 %       0     -      -        2026-03-01 12:00:00",
		"d            timed out   -        0 %       0     -      -        2026-03-01 12:00:00",
	), listTable([]batchkeeper.Listed{
		{ID: "a", LifecycleStatus: batch.Running, Progress: 50, Rows: 240, Model: "gpt", BatchID: "batch_1", StartedAt: noon},
		{ID: "b", TemporalStatus: "Failed", StartedAt: noon},
		{ID: "c", TemporalStatus: "Terminated", LifecycleStatus: batch.Running, StartedAt: noon},
		{ID: "d", TemporalStatus: "TimedOut", LifecycleStatus: batch.Pending, StartedAt: noon},
	}))
}

func TestProgress(t *testing.T) {
	next := time.Date(2026, 3, 1, 12, 0, 15, 0, time.Local)
	s := batch.State{
		Stage: batch.StageTracking, Status: "in_progress", Progress: 50, RequestCounts: &batch.RequestCounts{Total: 10, Completed: 5},
		Polls: 3, NextPollAt: &next, BatchID: "batch_1", Problem: "HTTP 503",
	}
	require.Equal(t, "  1m5s  tracking  in_progress  5/10 rows  50 %  poll 3, next 12:00:15  problem: HTTP 503  batch_1",
		progressText(s, 65*time.Second, noon))
	require.Equal(t, "tracking  in_progress  5/10 rows  50 %  problem: HTTP 503  batch_1", changeText(s))
	require.Equal(t, "inspecting  7 rows", changeText(batch.State{Stage: batch.StageInspecting, Input: &batch.InputFacts{Rows: 7}}))
	require.Equal(t, "creating  create ambiguous",
		changeText(batch.State{Stage: batch.StageCreating, Submission: &batch.Submission{Ambiguous: true}}))
	require.Equal(t, "done  completed  completed",
		changeText(batch.State{Stage: batch.StageDone, Status: "completed", Outcome: batch.OutcomeCompleted, BatchID: "b"}))
}

func TestALineIsRewrittenOnATerminalAlone(t *testing.T) {
	s := batch.State{Stage: batch.StageTracking, Status: "in_progress", BatchID: "batch_1"}
	var out bytes.Buffer
	l := app{stderr: &out, width: func() int { return 20 }}.newLine()
	l.show(s)
	l.show(s)
	l.notice("hello")
	l.clear()
	require.Equal(t, strings.Repeat("\r\x1b[K    0s  tracking  i", 2)+"\r\x1b[Khello\n", out.String())

	out.Reset()
	l = app{stderr: &out, width: func() int { return 0 }}.newLine()
	l.show(s)
	l.show(s)
	s.Status = "finalizing"
	l.show(s)
	l.rewrite("nothing")
	l.clear()
	require.Equal(t, "    0s  tracking  in_progress  batch_1\n    0s  tracking  finalizing  batch_1\n", out.String())
}

func TestSize(t *testing.T) {
	for bytes, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 229_533: "229.5 kB", 20_905_984: "20.9 MB", 5 << 30: "5.4 GB"} {
		require.Equal(t, want, size(bytes))
	}
}
