package batch_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper/batch"
)

var t0 = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestDecide(t *testing.T) {
	counts := func(completed, failed int64) *batch.RequestCounts {
		return &batch.RequestCounts{Total: 10, Completed: completed, Failed: failed}
	}
	for name, tc := range map[string]struct {
		sight batch.Sight
		want  batch.Action
		ends  batch.Outcome
	}{
		"young":                     {batch.Sight{Status: batch.StatusValidating}, batch.KeepTracking, ""},
		"unknown status":            {batch.Sight{Status: "resting"}, batch.KeepTracking, ""},
		"finalizing":                {batch.Sight{Status: batch.StatusFinalizing, Counts: counts(10, 0)}, batch.KeepTracking, ""},
		"completed":                 {batch.Sight{Status: batch.StatusCompleted, HasOutput: true}, batch.Collect, ""},
		"canceled in one l":         {batch.Sight{Status: "canceled"}, batch.Collect, ""},
		"failed":                    {batch.Sight{Status: batch.StatusFailed}, batch.Collect, ""},
		"expired, nothing answered": {batch.Sight{Status: batch.StatusExpired}, batch.Collect, ""},
		"expired, output to come":   {batch.Sight{Status: batch.StatusExpired, Counts: counts(3, 0)}, batch.ReadAgain, ""},
		"expired, output never came": {batch.Sight{Status: batch.StatusExpired, Counts: counts(3, 0), BareReads: 5},
			batch.GiveUp, batch.OutcomeResultsUnavailable},
		"completed, output to come": {batch.Sight{Status: batch.StatusCompleted, BareReads: 4}, batch.ReadAgain, ""},
		"completed, all failed":     {batch.Sight{Status: batch.StatusCompleted, Counts: counts(0, 10), BareReads: 5}, batch.Collect, ""},
		"completed, counts say answers": {batch.Sight{Status: batch.StatusCompleted, Counts: counts(1, 9), BareReads: 5},
			batch.GiveUp, batch.OutcomeResultsUnavailable},
		"cancel requested":           {batch.Sight{Status: batch.StatusInProgress, CancelRequested: true}, batch.AskCancel, ""},
		"cancel requested, too late": {batch.Sight{Status: batch.StatusCompleted, HasOutput: true, CancelRequested: true}, batch.Collect, ""},
		"cancel accepted": {batch.Sight{Status: batch.StatusCancelling, CancelRequested: true, CancelSettled: true,
			CancelAskedAt: t0.Add(-time.Minute), CancelGrace: time.Hour}, batch.KeepTracking, ""},
		"cancel grace over": {batch.Sight{Status: batch.StatusCancelling, CancelRequested: true, CancelSettled: true,
			CancelAskedAt: t0.Add(-time.Hour), CancelGrace: time.Hour}, batch.GiveUp, batch.OutcomeCancelUnconfirmed},
		"asked in vain": {batch.Sight{Status: batch.StatusInProgress, CancelRequested: true, CancelAskedAt: t0.Add(-time.Minute),
			CancelGrace: time.Hour}, batch.AskCancel, ""},
		"asked in vain, grace over": {batch.Sight{Status: batch.StatusInProgress, CancelRequested: true, CancelAskedAt: t0.Add(-time.Hour),
			CancelGrace: time.Hour}, batch.GiveUp, batch.OutcomeCancelUnconfirmed},
		"not yet stale": {batch.Sight{Status: batch.StatusInProgress, StaleAt: t0.Add(1)}, batch.KeepTracking, ""},
		"stale":         {batch.Sight{Status: batch.StatusInProgress, StaleAt: t0}, batch.AskCancel, ""},
		"stale and cancelling": {batch.Sight{Status: batch.StatusInProgress, StaleAt: t0, CancelRequested: true,
			CancelSettled: true, CancelAskedAt: t0, CancelGrace: 1}, batch.KeepTracking, ""},
		"missing for a moment": {batch.Sight{Status: batch.StatusInProgress, Fetched: true, MissingSince: t0.Add(-9 * time.Minute)}, batch.KeepTracking, ""},
		"missing for good": {batch.Sight{Status: batch.StatusInProgress, Fetched: true, MissingSince: t0.Add(-10 * time.Minute)},
			batch.GiveUp, batch.OutcomeResultsUnavailable},
		"never seen, patient":      {batch.Sight{MissingSince: t0.Add(-time.Hour), SettleBy: t0.Add(1)}, batch.KeepTracking, ""},
		"never seen, time's up":    {batch.Sight{MissingSince: t0.Add(-time.Hour), SettleBy: t0}, batch.GiveUp, batch.OutcomeSubmissionUnknown},
		"missing, to be cancelled": {batch.Sight{MissingSince: t0.Add(-time.Second), SettleBy: t0.Add(1), CancelRequested: true}, batch.AskCancel, ""},
	} {
		t.Run(name, func(t *testing.T) {
			tc.sight.Now = t0
			got := batch.Decide(tc.sight)
			require.Equal(t, tc.want, got.Action, got.Reason)
			require.Equal(t, tc.ends, got.Outcome)
			require.NotEmpty(t, got.Reason)
		})
	}
}

// FuzzDecide holds the decisions to what must never happen, whatever is seen.
func FuzzDecide(f *testing.F) {
	f.Add("in_progress", false, int64(3), 0, true, false, int64(0), int64(0), int64(0), true, false)
	f.Add("completed", true, int64(0), 5, false, false, int64(0), int64(0), int64(0), true, true)
	f.Add("weird", false, int64(0), 0, true, true, int64(-7200), int64(-1), int64(-900), false, true)
	f.Fuzz(func(t *testing.T, status string, output bool, completed int64, bare int, cancel, settled bool, asked, stale, missing int64, fetched, unread bool) {
		at := func(offset int64) time.Time {
			if offset == 0 {
				return time.Time{}
			}
			return t0.Add(time.Duration(offset%1_000_000) * time.Second)
		}
		s := batch.Sight{
			Now: t0, Status: batch.Status(status), HasOutput: output, Counts: &batch.RequestCounts{Total: 10, Completed: completed},
			BareReads: bare, CancelRequested: cancel, CancelSettled: settled, CancelAskedAt: at(asked), CancelGrace: time.Hour,
			StaleAt: at(stale), MissingSince: at(missing), Fetched: fetched, SettleBy: t0.Add(time.Hour), Unread: unread,
		}
		d := batch.Decide(s)
		terminal := s.Status.IsTerminal()
		require.Equal(t, d.Action == batch.GiveUp, d.Outcome != "", "an outcome exactly with a give-up")
		switch d.Action {
		case batch.Collect:
			require.True(t, terminal, "only terminal batches are collected")
		case batch.ReadAgain:
			require.True(t, terminal && bare < batch.MinBareReads)
		case batch.AskCancel:
			require.False(t, terminal, "a terminal batch is not cancelled")
			require.False(t, settled && cancel, "what was answered is not asked again")
		case batch.GiveUp, batch.KeepTracking:
			if d.Action == batch.KeepTracking {
				require.True(t, !terminal || unread, "a terminal batch is not waited for")
			}
		default:
			t.Fatalf("unknown action %q", d.Action)
		}
	})
}

func TestLifecycle(t *testing.T) {
	for _, tc := range []struct {
		status batch.Status
		before batch.LifecycleStatus
		want   batch.LifecycleStatus
	}{
		{"validating", "", batch.Pending},
		{"in_progress", batch.Pending, batch.Running},
		{"finalizing", batch.Running, batch.Running},
		{"finalizing", "", batch.Running},
		{"cancelling", batch.Running, batch.Running},
		{"cancelling", batch.Pending, batch.Pending},
		{"validating", batch.Running, batch.Running},
		{"submission_unknown", "", batch.Pending},
		{"dreaming", batch.Running, batch.Running},
		{"dreaming", "", batch.Pending},
		{"completed", batch.Running, batch.Completed},
		{"failed", "", batch.Failed},
		{"expired", "", batch.Expired},
		{"cancelled", "", batch.Cancelled},
		{"canceled", "", batch.Cancelled},
	} {
		require.Equal(t, tc.want, tc.status.Lifecycle(tc.before), "%s after %s", tc.status, tc.before)
	}
}

func TestOutcomeOf(t *testing.T) {
	whole, holed := batch.Results{Rows: 2, Succeeded: 2}, batch.Results{Rows: 2, Succeeded: 1, Missing: 1}
	for _, tc := range []struct {
		status  batch.Status
		results batch.Results
		want    batch.Outcome
	}{
		{"completed", whole, batch.OutcomeCompleted},
		{"completed", holed, batch.OutcomeCompletedWithFailures},
		{"completed", batch.Results{Rows: 2, Succeeded: 1, Failed: 1}, batch.OutcomeCompletedWithFailures},
		{"completed", batch.Results{Rows: 2, Succeeded: 2, Duplicates: 3, Unmatched: 4}, batch.OutcomeCompleted},
		{"failed", holed, batch.OutcomeUpstreamFailed},
		{"expired", holed, batch.OutcomeExpired},
		{"cancelled", whole, batch.OutcomeCancelled},
		{"in_progress", whole, batch.OutcomeResultsUnavailable},
	} {
		require.Equal(t, tc.want, batch.OutcomeOf(tc.status, tc.results), tc.status)
	}
	require.Equal(t, batch.ClassExpired, batch.AbsentClass("expired"))
	require.Equal(t, batch.ClassCancelled, batch.AbsentClass("cancelled"))
	require.Equal(t, batch.ClassMissing, batch.AbsentClass("completed"))
	require.Equal(t, batch.ClassMissing, batch.AbsentClass("failed"))
}

func TestFailures(t *testing.T) {
	for _, kind := range batch.FailureKinds() {
		require.NotEmpty(t, kind.Treat().Advice, kind)
		require.NotEmpty(t, kind.Treat().Fault, kind)
	}
	require.True(t, batch.FailureKind("Novel").Treat().Retryable)
	for _, o := range batch.Outcomes() {
		switch o {
		case batch.OutcomeCompleted, batch.OutcomeCompletedWithFailures, batch.OutcomeCancelled:
			require.Empty(t, o.Kind())
		default:
			require.NotEmpty(t, o.Kind(), o)
			require.False(t, o.Kind().Treat().Retryable, "%s: a failed run is never retried", o)
		}
	}
	require.Empty(t, batch.Outcome("novel").Kind())
}
