package batch_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper/batch"
)

func TestRefuses(t *testing.T) {
	priced := batch.OpenAIProfile()
	priced.InputUSDPerMillion = 0.1
	for name, tc := range map[string]struct {
		profile batch.Profile
		job     batch.Job
		mode    batch.CreateMode
		want    string
	}{
		"nothing":           {batch.PhaseoProfile(), batch.Job{}, batch.CreateFile, ""},
		"window":            {batch.PhaseoProfile(), batch.Job{CompletionWindow: "1h"}, batch.CreateFile, `"1h" is not offered by profile phaseo (24h)`},
		"no windows known":  {batch.Profile{}, batch.Job{CompletionWindow: "1h"}, batch.CreateFile, ""},
		"inline":            {batch.OpenAIProfile(), batch.Job{}, batch.CreateInline, "create_mode: profile openai offers no inline creation"},
		"budget, no price":  {batch.OpenAIProfile(), batch.Job{BulkJob: batch.BulkJob{BudgetUSD: 1}}, batch.CreateFile, "budget_usd: the API tells no cost"},
		"budget and price":  {priced, batch.Job{BulkJob: batch.BulkJob{BudgetUSD: 1}}, batch.CreateFile, ""},
		"the gateway tells": {batch.PhaseoProfile(), batch.Job{BulkJob: batch.BulkJob{BudgetUSD: 1}}, batch.CreateFile, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := tc.profile.Refuses(tc.job.WithDefaults(), tc.mode)
			if tc.want == "" {
				require.Empty(t, got)
			}
			require.Contains(t, got, tc.want)
		})
	}
}

func TestAtLeast(t *testing.T) {
	phaseo := batch.PhaseoProfile() // 20 uploads an hour, 100 MiB a day
	phaseo.CreatesPerHour = 100
	for name, tc := range map[string]struct {
		batches int
		bytes   int64
		mode    batch.CreateMode
		want    time.Duration
	}{
		"none":                       {0, 0, batch.CreateFile, 0},
		"within the first hour":      {20, 1, batch.CreateFile, 0},
		"one more":                   {21, 1, batch.CreateFile, time.Hour},
		"the bytes":                  {1, 5 << 30, batch.CreateFile, 51 * 24 * time.Hour},
		"no uploads":                 {21, 5 << 30, batch.CreateInline, 0},
		"the creates":                {301, 5 << 30, batch.CreateInline, 3 * time.Hour},
		"the tightest of all counts": {301, 1, batch.CreateFile, 15 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, tc.want, phaseo.AtLeast(tc.batches, tc.bytes, tc.mode)) })
	}
	require.Zero(t, batch.OpenAIProfile().AtLeast(1000, 1<<40, batch.CreateFile), "no quotas are known")
}

func TestPace(t *testing.T) {
	began := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	b := batch.Bulk{StartedAt: began, Counts: batch.BulkCounts{Open: 100, Invalid: 7}}
	_, _, ok := b.Pace(began.Add(time.Hour))
	require.False(t, ok, "quarantined rows are no pace")
	b.Counts.Answered, b.Counts.Expired, b.Counts.Cancelled = 40, 5, 5
	_, _, ok = b.Pace(began)
	require.False(t, ok)
	perHour, left, ok := b.Pace(began.Add(30 * time.Minute))
	require.True(t, ok)
	require.InDelta(t, 100, perHour, 1e-9)
	require.Equal(t, time.Hour, left)
}
