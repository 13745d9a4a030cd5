package batch_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"batchkeeper/batch"
)

// However many shards have a row left over, what passes through the workflow of
// a unit of them is a few numbers, and its record stays within bounds.
func TestUnitsOfManyPiecesStaySmall(t *testing.T) {
	const n = 30_000
	pieces := make([]batch.Piece, 0, n)
	for i := range n {
		pieces = append(pieces, batch.Piece{Shard: i + 1, From: i + 1, Rows: 1, Range: batch.Range{Length: 1000}, Tokens: 250, MaxOutput: 16})
	}
	units := batch.Pack(pieces, batch.UnitLimits{MaxRows: 50_000, MaxBytes: 200_000_000})
	require.Len(t, units, n/batch.MaxPieces)
	for i, u := range units {
		require.Len(t, u.Pieces, batch.MaxPieces)
		require.Equal(t, i*batch.MaxPieces+1, u.ShardOf(0))
		raw, err := json.Marshal(u.Unit)
		require.NoError(t, err)
		require.Less(t, len(raw), 200)
		raw, err = json.Marshal(u)
		require.NoError(t, err)
		require.Less(t, len(raw), 200<<10)
	}
}

// The same rows are held for alike in every round.
func TestHoldOfALaterRound(t *testing.T) {
	p := batch.Prices{InputUSDPerMillion: 1, OutputUSDPerMillion: 10}
	one := batch.Unit{Rows: 1000, Tokens: 100_000, MaxOutput: 1_000_000}
	first, _ := batch.Hold(p, one, batch.Money{}, 0)
	two := batch.Pack([]batch.Piece{
		{Shard: 1, From: 1, Rows: 400, Tokens: 40_000, MaxOutput: 400_000}, {Shard: 2, From: 2, Rows: 600, Tokens: 60_000, MaxOutput: 600_000},
	}, batch.UnitLimits{})
	second, _ := batch.Hold(p, two[0].Unit, batch.Money{CostNanos: first}, 1000)
	require.Equal(t, first, second)
}

func TestPlannedUnitCheck(t *testing.T) {
	p := batch.PlannedUnit{Unit: batch.Unit{Number: 2, Rows: 3}, Pieces: []batch.Piece{{Rows: 1}, {Rows: 2}}}
	require.NoError(t, p.Check(batch.Unit{Number: 2, Rows: 3, At: 9}))
	for name, u := range map[string]batch.Unit{"another unit": {Number: 1, Rows: 3}, "other rows": {Number: 2, Rows: 4}} {
		require.ErrorIs(t, p.Check(u), batch.ErrBroken, name)
	}
	p.Pieces = p.Pieces[:1]
	require.ErrorIs(t, p.Check(batch.Unit{Number: 2, Rows: 3}), batch.ErrBroken, "a piece is missing")
}

func TestRecordAttempt(t *testing.T) {
	shard := batch.PlannedUnit{Unit: batch.Unit{Number: 7, Rows: 3, Shard: &batch.Shard{Number: 7}}}
	pieces := batch.PlannedUnit{Unit: batch.Unit{Number: 1, Rows: 3}, Pieces: []batch.Piece{{Shard: 7, Rows: 1}, {Shard: 9, Rows: 2}}}
	require.Equal(t, 7, shard.ShardOf(0))
	require.Equal(t, 9, pieces.ShardOf(1))
	record := batch.Record{Round: 1, Unit: 7, BatchID: "b", Prefix: "x", Segments: []batch.Segment{{Results: batch.Range{Length: 5}}}}
	at, err := record.Attempt(shard, 0)
	require.NoError(t, err)
	require.Equal(t, batch.Attempt{Round: 1, Unit: 7, BatchID: "b", Rows: 3, Prefix: "x", Segment: &record.Segments[0]}, at)
	_, err = record.Attempt(pieces, 1)
	require.ErrorIs(t, err, batch.ErrBroken)
	require.ErrorContains(t, err, "the record of unit 7 of round 1 has no segment 2")
	nothing := batch.Record{Round: 2, Unit: 1, Nothing: true, Absent: batch.Absence{Class: batch.ClassExpired}}
	at, err = nothing.Attempt(pieces, 1)
	require.NoError(t, err)
	require.Equal(t, batch.Attempt{Round: 2, Unit: 1, Rows: 2, Absent: &nothing.Absent, Piece: &pieces.Pieces[1]}, at)
}

func TestSettledAgree(t *testing.T) {
	settled := batch.Settled{Counts: batch.BulkCounts{Answered: 5, RowErrors: 1, Missing: 2, Invalid: 1, Open: 4}, Unsent: 2}
	final := batch.BulkCounts{Answered: 5, RowErrors: 2, Missing: 2, Expired: 1, Cancelled: 2, Invalid: 1}
	require.NoError(t, settled.Agree(final, 2))
	for want, change := range map[string]func(*batch.BulkCounts, *int64){
		"answered: 5 rows were counted, the final files have 4":   func(c *batch.BulkCounts, _ *int64) { c.Answered--; c.Cancelled++ },
		"answered: 5 rows were counted, the final files have 6":   func(c *batch.BulkCounts, _ *int64) { c.Answered++; c.Cancelled-- },
		"invalid: 1 rows were counted, the final files have 2":    func(c *batch.BulkCounts, _ *int64) { c.Invalid++; c.Cancelled-- },
		"missing: 2 rows were counted, the final files have 1":    func(c *batch.BulkCounts, _ *int64) { c.Missing--; c.Cancelled++ },
		"never sent: 2 rows were counted, the final files have 3": func(_ *batch.BulkCounts, unsent *int64) { *unsent++ },
		"4 rows were open, 5 are said to have failed at last":     func(c *batch.BulkCounts, _ *int64) { c.Cancelled++ },
	} {
		counts, unsent := final, int64(2)
		change(&counts, &unsent)
		require.ErrorContains(t, settled.Agree(counts, unsent), want)
	}
}

func TestFiles(t *testing.T) {
	a, b := batch.Files{Prefix: "nightly", Token: "first"}, batch.Files{Prefix: "nightly", Token: "second"}
	keys := func(f batch.Files) []string {
		return []string{
			f.Plan(1), f.Bad(), f.FinalPlan(), f.Final(2), f.Unit(1, 2, 1), f.Unit(1, 2, 3), f.Record(1, 2), f.Left(1, 2), f.Rows(1, 2),
		}
	}
	seen := map[string]bool{}
	for _, key := range append(keys(a), keys(b)...) {
		require.True(t, strings.HasPrefix(key, "nightly/work/first/") || strings.HasPrefix(key, "nightly/work/second/"), key)
		require.False(t, seen[key], key)
		seen[key] = true
	}
	require.Equal(t, "nightly/work/first/r1/s00002-3", a.Unit(1, 2, 3))
	require.Equal(t, a.Manifest(), b.Manifest(), "the result is at the prefix itself")
	for name, want := range map[string]int{
		"nightly/results/00012.jsonl": 12, "123456.jsonl": 123456, "12.jsonl": 0, "000012.jsonl": 0, "00012.json": 0, "-0012.jsonl": 0, "x.jsonl": 0,
	} {
		require.Equal(t, want, batch.PartNumber(name), name)
	}
}
