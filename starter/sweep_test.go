package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper"
	"batchkeeper/batch"
)

func TestSweepText(t *testing.T) {
	report := batch.SweepReport{
		Listed: 9, Followed: 3, Accounted: 2, Foreign: 2, Refused: 1, Left: 4, Incomplete: "those being submitted may be hidden",
		Findings: []batch.Finding{
			{
				BatchID: "batch_1", WorkflowID: "nightly", Class: batch.SweepOrphan, OverAge: true, Status: batch.StatusInProgress,
				Age: batch.Duration(27 * time.Hour), Rows: 240, Cost: batch.Cost{Nanos: 12_345_678, Source: batch.CostAverage},
				Action: batch.SweepAdopted, FollowedBy: "adopt-batch_1",
			},
			{
				BatchID: "batch_2", WorkflowID: "nightly", Class: batch.SweepUnknown, Status: batch.StatusValidating,
				Cost: batch.Cost{Source: batch.CostUnknown}, Action: batch.SweepReported, Problem: "its run is\nof another namespace",
			},
		},
		Sums: []batch.SweepSum{
			{Class: batch.SweepOrphan, Batches: 1, Rows: 240, CostNanos: 12_345_678}, {Class: batch.SweepUnknown, Batches: 1, Unpriced: 1},
		},
	}
	text := sweepText(report)
	lines := strings.Split(text, "\n")
	require.Equal(t, []string{"CLASS", "BATCH", "RUN", "STATUS", "AGE", "ROWS", "COST", "DONE", "FOLLOWED", "BY", "PROBLEM"}, strings.Fields(lines[0]))
	require.Equal(t, strings.Fields("orphan,over-age batch_1 nightly in_progress 27h0m0s 240 $0.0123 average adopted adopt-batch_1 -"),
		strings.Fields(lines[1]))
	require.Equal(t, strings.Fields("unknown batch_2 nightly validating 0s 0 unknown reported - its run is of another namespace"), strings.Fields(lines[2]))
	for _, want := range []string{
		"1 batches, 240 rows, about $0.0123", "cost unknown", "9 batches: 3 followed, 2 accounted for, 2 not ours",
		"1 refused by the provider", "4 more findings", "those being submitted may be hidden", "starter sweep --cancel",
	} {
		require.Contains(t, text, want)
	}
	require.Equal(t, "about $0.0000 and 1 of unknown cost", sumText(batch.SweepSum{Batches: 2, Unpriced: 1}))
	report.Cancel = true
	require.NotContains(t, sweepText(report), "starter sweep --cancel")
	require.Equal(t, "listed  3 batches: 3 followed, 0 accounted for, 0 not ours", sweepText(batch.SweepReport{Listed: 3, Followed: 3}))
}

// It is not parallel: it looks at the batches of every test.
func TestSweep(t *testing.T) {
	got := starter(t, "run", rows(t, 3), "--id", "swept", "--detach")
	require.Equal(t, exitOK, got.code, got.err)
	id := batchOf(t, "swept")
	require.Eventually(t, func() bool { return stateOf(t, "swept").BatchID == id }, waitFor, tick)
	require.NoError(t, temporal.Client().TerminateWorkflow(t.Context(), "swept", "", "test"))

	got = starter(t, "sweep")
	require.Equal(t, exitOK, got.code, got.err)
	require.Regexp(t, `(?m)^orphan +`+id+` +swept +\w+ .*adopted +adopt-`+id, got.out)
	require.Contains(t, got.out, "starter sweep --cancel")

	got = starter(t, "sweep", "--json", "--max-age", "48h", "--since", "24h", "--cancel")
	require.Equal(t, exitOK, got.code, got.err)
	var report batch.SweepReport
	require.NoError(t, json.Unmarshal([]byte(got.out), &report))
	require.True(t, report.Cancel)
	for _, f := range report.Findings {
		require.NotEqual(t, id, f.BatchID, "it is followed now")
	}
	require.Positive(t, report.Followed)
	require.NoError(t, gateway.Finish(id, "completed", -1))
	got = starter(t, "watch", batch.AdoptID(id))
	require.Equal(t, exitOK, got.code, got.err)

	got = starter(t, "sweep", "--profile", "nobody")
	require.Equal(t, exitFailed, got.code)
	require.Contains(t, got.err, `profile: "nobody"`)
}

func TestSweepEvery(t *testing.T) {
	got := starter(t, "sweep", "--every", "15m")
	require.Equal(t, exitOK, got.code, got.err)
	for _, want := range []string{
		"created the Schedule batchkeeper-sweep: a sweep every 15m0s, the next at ",
		"temporal schedule toggle --schedule-id batchkeeper-sweep --pause", "temporal schedule delete --schedule-id batchkeeper-sweep",
	} {
		require.Contains(t, got.out, want)
	}
	handle := temporal.Client().ScheduleClient().GetHandle(t.Context(), batch.ScheduleSweep)
	got = starter(t, "sweep", "--every", "1h", "--cancel", "--json")
	require.Equal(t, exitOK, got.code, got.err)
	var s batchkeeper.Scheduled
	require.NoError(t, json.Unmarshal([]byte(got.out), &s))
	require.False(t, s.Created)
	require.NotNil(t, s.Next)
	now, err := handle.Describe(t.Context())
	require.NoError(t, err)
	require.Equal(t, time.Hour, now.Schedule.Spec.Intervals[0].Every)

	require.NoError(t, handle.Delete(t.Context()))
}
