package batch_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper/batch"
)

func TestPack(t *testing.T) {
	piece := func(shard int, rows, bytes int64) batch.Piece {
		return batch.Piece{Shard: shard, From: shard, Rows: rows, Range: batch.Range{Length: bytes}, Tokens: bytes / 4, MaxOutput: rows * 16}
	}
	pieces := []batch.Piece{piece(1, 3, 300), piece(2, 3, 300), piece(5, 1, 100), piece(6, 9, 900)}
	for name, tc := range map[string]struct {
		rows, bytes, tokens int64
		want                [][]int
	}{
		"no limit":                      {0, 0, 0, [][]int{{1, 2, 5, 6}}},
		"rows":                          {6, 0, 0, [][]int{{1, 2}, {5}, {6}}},
		"exactly":                       {7, 700, 175, [][]int{{1, 2, 5}, {6}}},
		"bytes":                         {0, 400, 0, [][]int{{1}, {2, 5}, {6}}},
		"tokens":                        {0, 0, 100, [][]int{{1}, {2, 5}, {6}}},
		"a piece too big stays a piece": {2, 0, 0, [][]int{{1}, {2}, {5}, {6}}},
	} {
		t.Run(name, func(t *testing.T) {
			var got [][]int
			rows := int64(0)
			for i, u := range batch.Pack(pieces, batch.UnitLimits{MaxRows: tc.rows, MaxBytes: tc.bytes, MaxTokens: tc.tokens}) {
				require.Equal(t, i+1, u.Number)
				require.Equal(t, u.Rows*100, u.Bytes)
				require.Equal(t, u.Bytes/4, u.Tokens)
				require.Equal(t, u.Rows*16, u.MaxOutput)
				var shards []int
				for _, p := range u.Pieces {
					shards = append(shards, p.Shard)
				}
				got = append(got, shards)
				rows += u.Rows
			}
			require.Equal(t, tc.want, got)
			require.EqualValues(t, 16, rows)
		})
	}
	require.Empty(t, batch.Pack(nil, batch.UnitLimits{MaxRows: 1, MaxBytes: 1, MaxTokens: 1}))
}

func TestAddCauses(t *testing.T) {
	to := []batch.Cause{{"b", 2}, {"a", 2}}
	got := batch.AddCauses(to, []batch.Cause{{"c", 3}, {"a", 1}, {"d", 1}}, 3)
	require.Equal(t, []batch.Cause{{"a", 3}, {"c", 3}, {"b", 2}}, got)
	require.Equal(t, []batch.Cause{{"b", 2}, {"a", 2}}, to, "the argument stays as it is")
	require.Empty(t, batch.AddCauses(nil, nil, 3))
}

func TestConserve(t *testing.T) {
	c := batch.BulkCounts{Answered: 5, RowErrors: 1, Expired: 1, Missing: 1, Cancelled: 1, Invalid: 1}
	require.NoError(t, c.Conserve(10))
	require.EqualValues(t, 3, c.Failed())
	require.EqualValues(t, 20, c.Plus(c).Sum())
	require.ErrorContains(t, c.Conserve(11), "11 rows were inspected, 10 accounted for")
	c.Answered, c.Open = 4, 1
	require.Error(t, c.Conserve(10), "a row that is still open is lost")
}

func TestBreaker(t *testing.T) {
	for name, tc := range map[string]struct {
		settled int64
		causes  []batch.Cause
		passed  []string
		trips   string
	}{
		"too few rows to tell": {99, []batch.Cause{{"a", 99}}, nil, ""},
		"just the share":       {100, []batch.Cause{{"a", 25}}, nil, ""},
		"above it":             {100, []batch.Cause{{"a", 26}}, nil, "a"},
		"let pass":             {100, []batch.Cause{{"a", 60}}, []string{"a"}, ""},
		"another cause":        {100, []batch.Cause{{"a", 60}, {"b", 30}}, []string{"a"}, "b"},
		"many small ones":      {100, []batch.Cause{{"a", 25}, {"b", 25}, {"c", 25}}, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			reason, cause := batch.Breaker(tc.settled, tc.causes, tc.passed)
			require.Equal(t, tc.trips, cause)
			require.Equal(t, cause != "", reason != "")
		})
	}
}

func TestBulkEnd(t *testing.T) {
	all, some := batch.BulkCounts{Answered: 9}, batch.BulkCounts{Answered: 8, RowErrors: 1}
	cut := batch.BulkCounts{Answered: 8, Cancelled: 1}
	for name, tc := range map[string]struct {
		end  batch.BulkEnd
		want batch.Outcome
	}{
		"all":                               {batch.BulkEnd{Counts: all}, batch.OutcomeCompleted},
		"some":                              {batch.BulkEnd{Counts: some}, batch.OutcomeCompletedWithFailures},
		"cancelled":                         {batch.BulkEnd{Counts: cut, CancelRequested: true}, batch.OutcomeCancelled},
		"cancelled too late":                {batch.BulkEnd{Counts: all, CancelRequested: true}, batch.OutcomeCompleted},
		"cancelled before another try":      {batch.BulkEnd{Counts: some, CancelRequested: true, Undone: true}, batch.OutcomeCancelled},
		"not confirmed":                     {batch.BulkEnd{Counts: cut, CancelRequested: true, Unconfirmed: 1}, batch.OutcomeCancelUnconfirmed},
		"budget":                            {batch.BulkEnd{Counts: cut, BudgetReached: true, Undone: true}, batch.OutcomeBudgetExhausted},
		"budget with nothing left to spend": {batch.BulkEnd{Counts: all, BudgetReached: true}, batch.OutcomeCompleted},
		"cancelled by the provider":         {batch.BulkEnd{Counts: cut}, batch.OutcomeCompletedWithFailures},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, tc.want, tc.end.Outcome()) })
	}
}

func TestHoldAndBudget(t *testing.T) {
	unit := batch.Unit{Rows: 10, Tokens: 1000, MaxOutput: 500}
	nanos, known := batch.Hold(batch.Prices{InputUSDPerMillion: 1, OutputUSDPerMillion: 2}, unit, batch.Money{}, 0)
	require.True(t, known)
	require.EqualValues(t, 2_000_000, nanos, "1000 at 1 and 500 at 2 USD a million")
	nanos, known = batch.Hold(batch.Prices{}, unit, batch.Money{CostNanos: 600}, 3)
	require.True(t, known)
	require.EqualValues(t, 2000, nanos)
	_, known = batch.Hold(batch.Prices{}, unit, batch.Money{}, 0)
	require.False(t, known, "nothing was paid for yet")

	nanos, _ = batch.Hold(batch.Prices{InputUSDPerMillion: 1}, batch.Unit{Rows: 10, Tokens: 1000}, batch.Money{CostNanos: 9_000_000}, 30)
	require.EqualValues(t, 3_000_000, nanos, "rows that set no limit on their output cost more than their input")
}

func TestAfford(t *testing.T) {
	const usd = 1_000_000_000
	for name, tc := range map[string]struct {
		spent, held, next int64
		known, alone      bool
		want              batch.Affordability
	}{
		"nothing yet":                 {0, 0, usd, true, true, batch.Affordable},
		"exactly":                     {usd, usd / 2, usd / 2, true, false, batch.Affordable},
		"too much beside others":      {usd, usd / 2, usd/2 + 1, true, false, batch.AffordLater},
		"too much by itself":          {usd, 0, usd + 1, true, true, batch.Unaffordable},
		"all spent":                   {2 * usd, 0, 0, true, true, batch.Unaffordable},
		"at an unknown cost, alone":   {0, 0, 0, false, true, batch.Affordable},
		"at an unknown cost, not yet": {0, 0, 0, false, false, batch.AffordLater},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tc.want, batch.Afford(2, tc.spent, tc.held, tc.next, tc.known, tc.alone))
		})
	}
	require.Equal(t, batch.Affordable, batch.Afford(0, 9*usd, usd, usd, false, false), "no budget, no limit")
	require.True(t, batch.MayBePaid(batch.OutcomeSubmissionUnknown))
	require.False(t, batch.MayBePaid(batch.OutcomeRejected))
}

func TestPriced(t *testing.T) {
	tokens := batch.Money{InputTokens: 100, OutputTokens: 50, TotalTokens: 150}
	prices := batch.Prices{InputUSDPerMillion: 1, OutputUSDPerMillion: 2}
	require.EqualValues(t, 7, tokens.Priced(prices, json.RawMessage(`{"cost_nanos":9}`), json.RawMessage(`{"cost_nanos":7}`)).CostNanos)
	require.EqualValues(t, 9, tokens.Priced(prices, json.RawMessage(`{"cost_nanos":9}`), json.RawMessage(`null`)).CostNanos)
	require.EqualValues(t, 200_000, tokens.Priced(prices, nil, nil).CostNanos)
	require.Equal(t, 1, tokens.Priced(batch.Prices{}, nil, nil).Unpriced)
	require.Zero(t, batch.Money{}.Priced(batch.Prices{}, nil, nil).Unpriced, "what used nothing costs nothing")
	require.InDelta(t, 1.5, batch.Money{CostNanos: 1_500_000_000}.USD(), 1e-9)
}

func TestBetweenRounds(t *testing.T) {
	cause := func(name string, rows int64) []batch.Cause { return []batch.Cause{{Cause: name, Rows: rows}} }
	for name, tc := range map[string]struct {
		round   int
		settled int64
		again   []batch.Cause
		want    time.Duration
	}{
		"nothing":               {1, 1000, nil, 0},
		"a few":                 {1, 1000, cause("http_429 rate_limit", 499), 0},
		"half of them":          {1, 1000, cause("http_429 rate_limit", 500), 5 * time.Minute},
		"together":              {1, 1000, append(cause("http_503", 300), cause("overloaded_error", 300)...), 5 * time.Minute},
		"the round after":       {2, 1000, cause("http_500", 1000), 30 * time.Minute},
		"and from then on":      {7, 1000, cause("server_error", 1000), time.Hour},
		"expired, not refused":  {1, 1000, cause("expired", 1000), 0},
		"too few to say so":     {1, 99, cause("http_500", 99), 0},
		"another kind of cause": {1, 1000, cause("http_408 timeout", 1000), 0},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, tc.want, batch.BetweenRounds(tc.round, tc.settled, tc.again)) })
	}
}

func TestRefusalIn(t *testing.T) {
	code, ok := batch.RefusalIn("batch b failed: token_limit_exceeded: Enqueued token limit reached")
	require.True(t, ok)
	require.Equal(t, "token_limit_exceeded", code)
	_, ok = batch.RefusalIn("batch b failed: invalid_request: no")
	require.False(t, ok)
	require.Equal(t, 15*time.Second, batch.RoomAgain(1))
	require.Equal(t, time.Hour, batch.RoomAgain(9))
}

func TestAbsence(t *testing.T) {
	f := &batch.Failure{Message: "it\nbroke"}
	for outcome, class := range map[batch.Outcome]string{
		batch.OutcomeExpired: batch.ClassExpired, batch.OutcomeCancelled: batch.ClassCancelled,
		batch.OutcomeCancelUnconfirmed: batch.ClassCancelled, batch.OutcomeRejected: batch.ClassRowError,
		batch.OutcomeUpstreamFailed: batch.ClassMissing, batch.OutcomeSubmissionUnknown: batch.ClassMissing,
	} {
		got := batch.AbsenceOf(outcome, f)
		require.Equal(t, batch.Absence{Class: class, Cause: string(outcome) + ": it broke"}, got)
	}
	require.True(t, batch.WorthAnother(batch.OutcomeExpired))
	require.False(t, batch.WorthAnother(batch.OutcomeSubmissionUnknown), "they may have been paid for")
}

func TestValidateBulk(t *testing.T) {
	ok := batch.Job{Input: "in.jsonl"}
	require.NoError(t, ok.ValidateBulk())
	for want, change := range map[string]func(*batch.Job){
		"input: a bulk run needs it": func(j *batch.Job) { j.Input = "" },
		"input_range":                func(j *batch.Job) { j.InputRange = &batch.Range{Length: 1} },
		"batch_id":                   func(j *batch.Job) { j.BatchID = "b" },
		"max_rows_per_batch":         func(j *batch.Job) { j.MaxRowsPerBatch = -1 },
		"max_in_flight":              func(j *batch.Job) { j.MaxInFlight = 1001 },
		"rounds":                     func(j *batch.Job) { j.Rounds = batch.MaxRounds + 1 },
		"budget_usd":                 func(j *batch.Job) { j.BudgetUSD = -1 },
		"on_bad_rows":                func(j *batch.Job) { j.OnBadRows = "ignore" },
		"workflow":                   func(j *batch.Job) { j.Downstream = &batch.Downstream{} },
		"task_queue":                 func(j *batch.Job) { j.Downstream = &batch.Downstream{Workflow: "w"} },
		"rows_per_page":              func(j *batch.Job) { j.Downstream = &batch.Downstream{Workflow: "w", TaskQueue: "q", RowsPerPage: 1} },
		"max_parallel":               func(j *batch.Job) { j.Downstream = &batch.Downstream{Workflow: "w", TaskQueue: "q", MaxParallel: -1} },
		"page_timeout":               func(j *batch.Job) { j.Downstream = &batch.Downstream{Workflow: "w", TaskQueue: "q", PageTimeout: -1} },
	} {
		job := ok
		change(&job)
		require.ErrorContains(t, job.ValidateBulk(), want)
	}
	require.NoError(t, ok.ValidateSingle())
	ok.Rounds, ok.BudgetUSD = 2, 3
	require.ErrorContains(t, ok.ValidateSingle(), "rounds, budget_usd")
}

// No comparison with NaN ever stops a run, and JSON has neither it nor Inf.
func TestABudgetIsANumber(t *testing.T) {
	for _, usd := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 1e10} {
		require.ErrorContains(t, batch.Job{Input: "in.jsonl", BulkJob: batch.BulkJob{BudgetUSD: usd}}.ValidateBulk(), "budget_usd")
		require.ErrorContains(t, batch.SetRequest{BudgetUSD: &usd}.Validate(), "budget_usd")
	}
}

func TestValidateSet(t *testing.T) {
	n, usd, stale := 3, 1.5, batch.Duration(time.Hour)
	require.NoError(t, batch.SetRequest{MaxInFlight: &n, BudgetUSD: &usd, StaleAfter: &stale, Rounds: &n}.Validate())
	none, low, ago := 0, -1.0, batch.Duration(-time.Hour)
	for want, s := range map[string]batch.SetRequest{
		"nothing":       {},
		"max_in_flight": {MaxInFlight: &none},
		"budget_usd":    {BudgetUSD: &low},
		"stale_after":   {StaleAfter: &ago},
		"rounds":        {Rounds: &none},
	} {
		require.ErrorContains(t, s.Validate(), want)
	}
}

func TestUnitLimits(t *testing.T) {
	p := batch.Profile{MaxRows: 100, MaxBytes: 1000, MaxInlineBytes: 5000, MaxTokens: 7}
	require.Equal(t, batch.UnitLimits{MaxRows: 100, MaxBytes: 1000, MaxTokens: 7}, p.UnitLimits(batch.BulkJob{}, batch.CreateFile))
	require.Equal(t, batch.UnitLimits{MaxRows: 10, MaxBytes: 5000, MaxTokens: 7},
		p.UnitLimits(batch.BulkJob{MaxRowsPerBatch: 10, MaxBytesPerBatch: 9000}, batch.CreateInline), "a job lowers limits, and raises none")
	require.Equal(t, batch.UnitLimits{MaxRows: 3}, batch.Profile{}.UnitLimits(batch.BulkJob{MaxRowsPerBatch: 3}, batch.CreateFile))
}
