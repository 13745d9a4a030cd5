package activities_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"batchkeeper/activities"
	"batchkeeper/batch"
)

// Thirty thousand shards that have a row left each: what a unit is made of stays
// in the store, and only its size passes through the workflow.
func TestBulkUnitOfManyPieces(t *testing.T) {
	r := newRide(t, bulkRows(5))
	const records, each = 30, batch.MaxPieces
	var before []batch.PlannedUnit
	row := int64(len(bulkRows(1)))
	for n := 1; n <= records; n++ {
		record := batch.Record{Round: 2, Unit: n, Outcome: batch.OutcomeCompleted}
		for i := range each {
			record.Left = append(record.Left, batch.Piece{
				Shard: (n-1)*each + i + 1, From: n, Rows: 1, Range: batch.Range{Offset: int64(i) * row, Length: row}, Tokens: 30, MaxOutput: 16,
			})
		}
		r.w.put(r.files.Record(2, n), encoded(t, record))
		before = append(before, batch.PlannedUnit{Unit: batch.Unit{Number: n, Rows: each}})
	}
	text := ""
	for _, u := range before {
		text += encoded(t, u) + "\n"
	}
	r.w.put(r.files.Plan(2), text)
	planned := ok(r, r.w.acts.PlanRound, activities.PlanRoundInput{Files: r.files, Round: 3, Rows: records * each, Limits: batch.UnitLimits{MaxRows: 50_000}})
	require.Equal(t, records, planned.Units)

	page := ok(r, r.w.acts.ReadPlan, activities.ReadPlanInput{Files: r.files, Round: 3, Count: 50})
	require.Len(t, page.Units, records)
	require.Equal(t, planned.PlanSize-1, page.Next, "but for the last line's end")
	require.Less(t, len(encoded(t, page)), 16<<10)
	last := page.Units[records-1]
	require.Equal(t, batch.Unit{
		Number: records, Rows: each, Bytes: each * row, Tokens: each * 30, MaxOutput: each * 16, At: last.At,
	}, last)

	prepare := activities.PrepareInput{Files: r.files, Round: 3, Unit: last, Try: 1, Input: "in.jsonl", WorkflowID: "new"}
	r.w.put(r.files.Left(2, records), bulkRows(each))
	key := ok(r, r.w.acts.Prepare, prepare).Key
	require.Equal(t, bulkRows(each), r.w.text(key), "the pieces are found in the plan")
	r.collect(r.files.Unit(3, records, 1), r.w.text(key), func(string) int { return 500 })
	settle := settleInput(r, last)
	settle.Round = 3
	out := ok(r, r.w.acts.SettleUnit, settle)
	require.EqualValues(t, each, out.Counts.Open)
	for _, passes := range []any{prepare, settle, out, batch.OpenUnit{Unit: last}} {
		require.Less(t, len(encoded(t, passes)), 1<<10)
	}
	var record batch.Record
	raw := r.w.text(r.files.Record(3, records))
	require.NoError(t, json.Unmarshal([]byte(raw), &record))
	require.Len(t, record.Left, each)
	require.Equal(t, batch.Piece{
		Shard: (records-1)*each + 1, From: records, Rows: 1, Range: batch.Range{Length: row}, Tokens: 13, MaxOutput: 16,
	}, record.Left[0])
	require.Less(t, len(raw), 300<<10)
}

func settleInput(r *ride, u batch.Unit) activities.SettleUnitInput {
	return activities.SettleUnitInput{
		Files: r.files, Round: 1, Unit: u, Try: 1, Input: "in.jsonl", Finished: batch.Finished{Outcome: batch.OutcomeCompleted},
	}
}

func encoded(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	require.NoError(t, err)
	return string(raw)
}
