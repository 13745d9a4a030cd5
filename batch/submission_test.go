package batch_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper/batch"
)

func TestProvesAbsence(t *testing.T) {
	deadline, posted := t0, t0.Add(-30*time.Second)
	old := posted.Add(-batch.ProofReach - time.Second)
	late := deadline.Add(batch.ProofDelay)
	made := batch.Submission{Posts: 1, Ambiguous: true, PostDeadline: &deadline, FirstPostAfter: &posted}
	for name, tc := range map[string]struct {
		submission batch.Submission
		look       batch.Look
		want       bool
	}{
		"short list":            {made, batch.Look{ReadAt: late, Complete: true, Items: 3}, true},
		"empty list":            {made, batch.Look{ReadAt: late, Complete: true}, true},
		"reaches back":          {made, batch.Look{ReadAt: late, Items: 100, OldestAt: old}, true},
		"reaches back too late": {made, batch.Look{ReadAt: late, Items: 100, OldestAt: posted.Add(-batch.ProofReach)}, false},
		"too early":             {made, batch.Look{ReadAt: late.Add(-time.Second), Complete: true}, false},
		"too early, reaching":   {made, batch.Look{ReadAt: t0, Items: 100, OldestAt: old}, false},
		"found":                 {made, batch.Look{ReadAt: late, Complete: true, Found: []batch.Found{{BatchID: "b"}}}, false},
		"no times in the list":  {made, batch.Look{ReadAt: late, Items: 100}, false},
		"nothing known":         {batch.Submission{Ambiguous: true}, batch.Look{ReadAt: late, Complete: true}, false},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tc.want, tc.submission.ProvesAbsence(tc.look))
		})
	}
}

func TestNext(t *testing.T) {
	deadline, posted := t0.Add(-time.Hour), t0.Add(-2*time.Hour)
	doubtful := batch.Submission{Posts: 1, Ambiguous: true, PostDeadline: &deadline, FirstPostAfter: &posted}
	found := batch.Look{Found: []batch.Found{{BatchID: "b"}}}
	proof := batch.Look{ReadAt: t0, Complete: true}
	for name, tc := range map[string]struct {
		at   batch.Crossroads
		want batch.Step
	}{
		"first post":                 {batch.Crossroads{}, batch.StepPost},
		"found and confirmed":        {batch.Crossroads{Look: found, Confirmed: true}, batch.StepAdopt},
		"found, cancel requested":    {batch.Crossroads{Look: found, Confirmed: true, CancelRequested: true}, batch.StepAdopt},
		"found, not confirmed":       {batch.Crossroads{Look: found}, batch.StepWait},
		"found, resubmit":            {batch.Crossroads{Look: found, Resubmit: true}, batch.StepWait},
		"in doubt":                   {batch.Crossroads{Submission: doubtful}, batch.StepWait},
		"in doubt, cancel requested": {batch.Crossroads{Submission: doubtful, CancelRequested: true}, batch.StepWait},
		"in doubt, time's up":        {batch.Crossroads{Submission: doubtful, SettleBy: t0}, batch.StepGiveUp},
		"in doubt, resubmit":         {batch.Crossroads{Submission: doubtful, Resubmit: true}, batch.StepPost},
		"proof":                      {batch.Crossroads{Submission: doubtful, Look: proof}, batch.StepPost},
		"proof, cancel requested":    {batch.Crossroads{Submission: doubtful, Look: proof, CancelRequested: true}, batch.StepStop},
		"proof, create time's up":    {batch.Crossroads{Submission: doubtful, Look: proof, CreateBy: t0}, batch.StepTimeout},
		"cancelled before a post":    {batch.Crossroads{CancelRequested: true}, batch.StepStop},
		"create time's up":           {batch.Crossroads{CreateBy: t0}, batch.StepTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			tc.at.Now = t0
			for _, by := range []*time.Time{&tc.at.SettleBy, &tc.at.CreateBy} {
				if by.IsZero() {
					*by = t0.Add(time.Minute)
				}
			}
			require.Equal(t, tc.want, batch.Next(tc.at))
		})
	}
}

// FuzzNext holds the create to its promise: no post while a batch may exist.
func FuzzNext(f *testing.F) {
	f.Add(true, false, false, false, 10, true, int64(0), int64(0))
	f.Add(true, true, false, true, 100, false, int64(700), int64(-400))
	f.Fuzz(func(t *testing.T, ambiguous, cancel, resubmit, found bool, items int, complete bool, readAfter, oldest int64) {
		deadline, posted := t0, t0.Add(-time.Minute)
		c := batch.Crossroads{
			Now: t0.Add(time.Hour), CancelRequested: cancel, Resubmit: resubmit, SettleBy: t0.Add(2 * time.Hour), CreateBy: t0.Add(2 * time.Hour),
			Submission: batch.Submission{Posts: 1, Ambiguous: ambiguous, PostDeadline: &deadline, FirstPostAfter: &posted},
			Look: batch.Look{Items: items, Complete: complete, ReadAt: t0.Add(time.Duration(readAfter%100_000) * time.Second),
				OldestAt: posted.Add(time.Duration(oldest%100_000) * time.Second)},
		}
		if found {
			c.Look.Found = []batch.Found{{BatchID: "b"}}
		}
		step := batch.Next(c)
		if step != batch.StepPost && step != batch.StepStop {
			return
		}
		require.False(t, found, "a batch was found")
		if ambiguous && !resubmit {
			require.False(t, c.Look.ReadAt.Before(deadline.Add(batch.ProofDelay)), "read too early to prove anything")
			require.True(t, complete || c.Look.OldestAt.Before(posted.Add(-batch.ProofReach)), "the list does not reach back")
		}
	})
}

func TestOldest(t *testing.T) {
	first, duplicates := batch.Oldest([]batch.Found{
		{BatchID: "c", CreatedAt: t0.Add(time.Second)}, {BatchID: "a", CreatedAt: t0}, {BatchID: "b", CreatedAt: t0}, {BatchID: "a", CreatedAt: t0},
	})
	require.Equal(t, "a", first.BatchID)
	require.Equal(t, []string{"b", "c"}, duplicates)
	first, duplicates = batch.Oldest(nil)
	require.Empty(t, first.BatchID)
	require.Empty(t, duplicates)
}

func TestHintsAreBounded(t *testing.T) {
	var s batch.Submission
	for i := range 20 {
		s.Hint(string(rune('a' + i)))
		s.Hint(string(rune('a' + i)))
	}
	s.Hint("")
	require.Len(t, s.Hints, 8)
}

func TestSeenIsBounded(t *testing.T) {
	var b batch.Book
	for i := range 200 {
		id := "evt_" + time.Duration(i).String()
		require.True(t, b.Remember(id))
		require.False(t, b.Remember(id))
	}
	require.Len(t, b.Seen, 64)
}

func TestObserve(t *testing.T) {
	s := batch.State{}
	s.Observe(batch.Snapshot{BatchID: "b", Status: "in_progress", Model: "m", RequestCounts: &batch.RequestCounts{Total: 4, Completed: 2}})
	require.Equal(t, batch.Running, s.LifecycleStatus)
	require.Equal(t, 50, s.Progress)
	s.Observe(batch.Snapshot{BatchID: "b", Status: "finalizing", RequestCounts: &batch.RequestCounts{Total: 4, Completed: 1}})
	require.Equal(t, batch.Running, s.LifecycleStatus)
	require.Equal(t, 50, s.Progress, "never backwards")
	require.Equal(t, "m", s.Model, "a view that leaves a field out does not erase it")
	s.Observe(batch.Snapshot{BatchID: "b", Status: "completed", OutputFileID: "f", Webhook: &batch.GatewayWebhook{TotalAttempts: 2}})
	require.Equal(t, 100, s.Progress)
	require.Equal(t, int64(2), s.Webhook.TotalAttempts)
	s.Observe(batch.Snapshot{BatchID: "b", Status: "in_progress"})
	require.Equal(t, batch.StatusCompleted, s.Status, "terminal is sticky")
}
