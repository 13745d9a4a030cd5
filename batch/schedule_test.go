package batch_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"batchkeeper/batch"
)

func TestNextPoll(t *testing.T) {
	sec, minute := batch.Duration(time.Second), batch.Duration(time.Minute)
	age := func(d time.Duration) batch.PollHistory { return batch.PollHistory{Since: t0.Add(-d)} }
	for name, tc := range map[string]struct {
		policy  batch.PollPolicy
		history batch.PollHistory
		after   time.Duration
		want    time.Duration
	}{
		"young":                    {batch.PollPolicy{}, age(0), 0, 15 * time.Second},
		"born in the future":       {batch.PollPolicy{}, age(-time.Hour), 0, 15 * time.Second},
		"an hour old":              {batch.PollPolicy{}, age(time.Hour), 0, 3 * time.Minute},
		"a day old":                {batch.PollPolicy{}, age(24 * time.Hour), 0, 15 * time.Minute},
		"a day old, webhooks":      {batch.PollPolicy{}, batch.PollHistory{Since: t0.Add(-24 * time.Hour), Webhooks: true}, 0, 30 * time.Minute},
		"as given":                 {batch.PollPolicy{Min: sec, Max: sec}, batch.PollHistory{Since: t0.Add(-24 * time.Hour), Webhooks: true}, 0, time.Second},
		"max below default min":    {batch.PollPolicy{Max: sec}, age(time.Hour), 0, time.Second},
		"min above default max":    {batch.PollPolicy{Min: 60 * minute}, age(0), 0, time.Hour},
		"growth":                   {batch.PollPolicy{Growth: 0.5}, age(10 * time.Minute), 0, 5 * time.Minute},
		"retry after":              {batch.PollPolicy{}, age(0), 10 * time.Minute, 10 * time.Minute},
		"retry after, shorter":     {batch.PollPolicy{}, age(time.Hour), time.Second, 3 * time.Minute},
		"finish pulls forward":     {batch.PollPolicy{}, measured(10*time.Hour, 90, time.Hour, 100), 0, 400 * time.Second},
		"finish is never too soon": {batch.PollPolicy{}, measured(10*time.Hour, 999, time.Hour, 1000), 0, 15 * time.Second},
		"finish far away":          {batch.PollPolicy{}, measured(time.Hour, 1, time.Hour, 1000), 0, 3 * time.Minute},
		"no rate yet": {batch.PollPolicy{}, batch.PollHistory{Since: t0.Add(-time.Hour), FirstAt: t0,
			LastAt: t0, FirstDone: 5, LastDone: 5, Total: 10}, 0, 3 * time.Minute},
		"all done, finalizing": {batch.PollPolicy{}, batch.PollHistory{Since: t0.Add(-24 * time.Hour), LastDone: 10,
			Total: 10, ChangedAt: t0.Add(-time.Minute)}, 0, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tc.want, batch.NextPoll(tc.policy, tc.history, t0, tc.after))
		})
	}
}

// measured is a batch of an age whose done rows took a time.
func measured(age time.Duration, done int64, took time.Duration, total int64) batch.PollHistory {
	return batch.PollHistory{Since: t0.Add(-age), FirstAt: t0.Add(-took), LastAt: t0, LastDone: done, Total: total, ChangedAt: t0}
}

// A batch of a day, however its counts move, is read often enough and not too often.
func TestPollScheduleIsBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := batch.PollHistory{Since: t0}
		total := rapid.Int64Range(1, 50_000).Draw(t, "total")
		var done int64
		reads := 0
		for now := t0; now.Before(t0.Add(24 * time.Hour)); reads++ {
			done = min(total, done+rapid.Int64Range(0, total/20+1).Draw(t, "step"))
			h.Note(now, &batch.RequestCounts{Total: total, Completed: done})
			wait := batch.NextPoll(batch.PollPolicy{}, h, now, 0)
			if wait < batch.DefaultPollMin || wait > batch.DefaultPollMax {
				t.Fatalf("wait %s after %s", wait, now.Sub(t0))
			}
			now = now.Add(wait)
		}
		if reads > 600 {
			t.Fatalf("%d reads in a day", reads)
		}
	})
}

func TestLadders(t *testing.T) {
	var looks []time.Duration
	for i := range 6 {
		looks = append(looks, batch.NextLook(i))
	}
	s := time.Second
	require.Equal(t, []time.Duration{s, 2 * s, 5 * s, 10 * s, 30 * s, 30 * s}, looks)
	require.Equal(t, 2*time.Minute, batch.NextLook(40))
	require.Equal(t, 5*time.Minute, batch.NextLook(400))
	var first time.Duration
	for i := range 34 {
		first += batch.NextLook(i)
	}
	require.Greater(t, first, batch.ProofDelay, "every 30 s at least until absence can be proven")

	wait, ok := batch.SoonAgain(0)
	require.True(t, ok)
	require.Equal(t, s, wait)
	_, ok = batch.SoonAgain(7)
	require.False(t, ok)
	_, ok = batch.SoonAgain(-1)
	require.False(t, ok)

	require.Equal(t, t0.Add(7*s), batch.RetryAt(t0, 3, 7*s))
	require.Equal(t, t0.Add(2*s), batch.RetryAt(t0, 0, 0))
	require.Equal(t, t0.Add(5*time.Minute), batch.RetryAt(t0, 99, 0))
}

func TestRequestCounts(t *testing.T) {
	require.Equal(t, 0, batch.RequestCounts{}.Percent())
	require.Equal(t, 100, batch.RequestCounts{Total: 3, Completed: 9}.Percent())
	require.Equal(t, "3 of 4 rows, 1 failed", batch.RequestCounts{Total: 4, Completed: 2, Failed: 1}.String())
}
