package batch_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper/batch"
)

func TestTokenRefusalLowersTheCeiling(t *testing.T) {
	for name, tc := range map[string]struct {
		profile     int64
		others, own int64 // tokens
		want        int64
	}{
		"what the others held": {0, 300, 100, 300},
		"at least one unit":    {0, 50, 100, 100},
		"alone":                {0, 0, 100, 100},
		"below the profile's":  {1000, 300, 100, 300},
		"never above it":       {100, 0, 700, 100},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(batch.Capacity{})
			if tc.others > 0 {
				b.ask(tokens(ask("a", 1), tc.others))
			}
			b.ask(tokens(ask("b", 1), tc.own)).granted()
			b.Capacity.MaxEnqueuedTokens = tc.profile
			require.True(t, b.Refused(batch.Refusal{Holder: "b1", Reason: "token_limit_exceeded"}, b.now))
			require.Equal(t, tc.want, b.Tokens.Learned)
			require.False(t, b.Refused(batch.Refusal{Holder: "b1", Reason: "token_limit_exceeded"}, b.now), "the lease is over")
		})
	}
}

func TestRefusalWithoutTokensCountsBatches(t *testing.T) {
	b := newBench(batch.Capacity{}).ask(ask("a", 1), ask("a", 2), ask("a", 3), ask("b", 1))
	require.Len(t, b.granted(), 4)
	b.Refused(batch.Refusal{Holder: "b1", Reason: "token_limit_exceeded"}, b.now)
	require.Equal(t, int64(3), b.Live.Learned)
	b.ask(ask("b", 2))
	require.Empty(t, b.granted())
	require.Equal(t, []string{"b2: live batches: 3 of 3 (learned from a refusal), next at 2026-03-01T16:00:00Z"}, b.reasons())
	for _, holder := range []string{"a1", "a2", "a3"} {
		b.Refused(batch.Refusal{Holder: holder, Reason: "live_batches"}, b.now)
	}
	require.Equal(t, int64(1), b.Live.Learned, "one is always let in")
	require.Equal(t, []string{"b2"}, b.granted())
}

func TestACeilingRecovers(t *testing.T) {
	b := newBench(batch.Capacity{MaxEnqueuedTokens: 150}).ask(tokens(ask("a", 1), 100), tokens(ask("b", 1), 50))
	require.Len(t, b.granted(), 2)
	b.Refused(batch.Refusal{Holder: "b1", Reason: "token_limit_exceeded"}, b.now)
	limit := func() int64 { return b.Meters(b.now)[4].Limit }
	for _, want := range []int64{100, 110, 120, 130, 140, 150, 150} {
		require.Equal(t, want, limit())
		b.after(time.Hour)
	}
	require.False(t, b.Meters(b.now)[4].Learned)

	b = newBench(batch.Capacity{}).ask(tokens(ask("a", 1), 100), tokens(ask("b", 1), 25))
	b.granted()
	b.Refused(batch.Refusal{Holder: "b1", Reason: "token_limit_exceeded"}, b.now)
	b.ask(tokens(ask("b", 2), 25))
	require.Empty(t, b.granted())
	require.Equal(t, t0.Add(3*time.Hour), b.NextFree(b.now))
	b.after(3*time.Hour - time.Second)
	require.Empty(t, b.granted())
	b.after(time.Second)
	require.Equal(t, []string{"b2"}, b.granted())
	b.Capacity.MaxEnqueuedTokens = 110
	b.ask(tokens(ask("b", 3), 25))
	require.True(t, b.NextFree(b.now).IsZero(), "above the profile's it never comes by time")
}

func TestUploadRefusalBlocks(t *testing.T) {
	for name, tc := range map[string]struct {
		refusal batch.Refusal
		want    time.Duration // from the refusal, 20 minutes after the first upload
	}{
		"until the window frees": {batch.Refusal{Reason: "batch_file_hourly_quota_exceeded"}, 40 * time.Minute},
		"until the gateway says": {batch.Refusal{Reason: "uploads", RetryAfter: batch.Duration(time.Minute)}, time.Minute},
		"until the day is over":  {batch.Refusal{Reason: "batch_file_daily_bytes_exceeded"}, 24*time.Hour - 20*time.Minute},
		"creates too":            {batch.Refusal{Reason: "creates"}, 40 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(batch.Capacity{UploadsPerHour: 20}).ask(upload(ask("a", 1), 5))
			b.granted()
			b.after(20 * time.Minute).ask(upload(ask("a", 2), 5))
			b.granted()
			tc.refusal.Holder = "a2"
			require.True(t, b.Refused(tc.refusal, b.now))
			require.True(t, b.Refused(tc.refusal, b.now), "a repeat moves nothing")
			require.Len(t, b.Leases, 2, "the holder tries again")
			b.ask(upload(ask("b", 1), 5))
			require.Empty(t, b.granted())
			require.Contains(t, b.reasons()[0], "refused by the gateway, next at ")
			require.Equal(t, b.now.Add(tc.want), b.NextFree(b.now))
			b.after(tc.want)
			require.Equal(t, []string{"b1"}, b.granted())
		})
	}
}

func TestBlockedForAnHourWhereNothingIsKnown(t *testing.T) {
	b := newBench(batch.Capacity{}).ask(ask("a", 1))
	b.granted()
	b.Refused(batch.Refusal{Holder: "a1", Reason: "uploads"}, b.now)
	b.ask(upload(ask("b", 1), 1))
	require.Empty(t, b.granted())
	require.NotNil(t, b.Meters(b.now)[0].BlockedUntil)
	require.Equal(t, t0.Add(time.Hour), b.NextFree(b.now))
	require.Equal(t, t0.Add(time.Hour), b.LastsUntil())
}

func TestRefusalsThatTeachNothing(t *testing.T) {
	b := newBench(batch.Capacity{}).ask(ask("a", 1))
	b.granted()
	before := b.Ledger
	require.False(t, b.Refused(batch.Refusal{Holder: "a1", Reason: "insufficient_funds"}, b.now))
	require.False(t, b.Refused(batch.Refusal{Holder: "a9", Reason: "uploads"}, b.now))
	require.Equal(t, before, b.Ledger)
}

func TestReap(t *testing.T) {
	const open, closed, missing = batch.RunOpen, batch.RunClosed, batch.RunMissing
	for name, tc := range map[string]struct {
		seen     bool // the holder was found open before
		holder   batch.RunStatus
		run      batch.RunStatus
		late     bool // granted after the question
		returned bool
	}{
		"alive":                             {holder: open, run: open},
		"ended without a word":              {holder: closed, run: open, returned: true},
		"outlives its run":                  {holder: open, run: closed},
		"not started yet":                   {holder: missing, run: open},
		"never will be":                     {holder: missing, run: closed, returned: true},
		"nor here":                          {holder: missing, run: missing, returned: true},
		"no longer retained":                {seen: true, holder: missing, run: open, returned: true},
		"no answer":                         {},
		"granted since the question: ended": {holder: closed, run: open, late: true},
		"granted since: not started":        {holder: missing, run: closed, late: true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(batch.Capacity{MaxLive: 1}).ask(ask("a", 1), ask("a", 2), ask("b", 1))
			b.granted()
			require.Equal(t, []string{"a", "a1", "b"}, b.Watched())
			if tc.seen {
				require.Empty(t, b.Reap(map[string]batch.RunStatus{"a1": open}, b.now))
			}
			asked := b.now
			if tc.late {
				asked = asked.Add(-time.Second)
			}
			got := b.Reap(map[string]batch.RunStatus{"a1": tc.holder, "a": tc.run}, asked)
			require.Equal(t, tc.returned, len(got) == 1)
			require.Equal(t, tc.returned, len(b.Leases) == 0)
			waits := len(b.Waiting("a", b.now)) == 1
			require.Equal(t, tc.late || tc.run != closed && tc.run != missing, waits, "a closed run waits for nothing")
			require.Len(t, b.Waiting("b", b.now), 1)
		})
	}
}
