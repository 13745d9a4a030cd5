package activities_test

import (
	"cmp"
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"batchkeeper/batch"
)

// A record that is gone holds answers that were paid for: nothing goes on as if
// its unit had never been sent.
func TestBulkLostRecord(t *testing.T) {
	r := newRide(t, bulkRows(20))
	third := func(id string) int { return map[bool]int{true: 500, false: 200}[id == "row-012"] }
	r.send(1, r.units(1), third)
	lost := r.files.Record(1, 3)
	record := r.w.text(lost)
	require.NoError(t, r.w.store.Delete(t.Context(), lost))
	fails(r, r.w.acts.PlanRound, r.nextRound(2), "round 1, unit 3", lost)
	fails(r, r.w.acts.PlanFinal, r.finalPlan(), "round 1: 4 units were settled, 3 have a record", lost)

	r.w.put(lost, r.w.text(r.files.Record(1, 2)))
	fails(r, r.w.acts.PlanRound, r.nextRound(2), "it is of unit 2 of round 1")
	fails(r, r.w.acts.PlanFinal, r.finalPlan(), "it is of unit 2 of round 1")

	r.w.put(lost, record)
	short := r.nextRound(2)
	short.Rows = 2
	fails(r, r.w.acts.PlanRound, short, "the records of round 1 have 1 rows left over, 2 were counted")
	require.EqualValues(t, 1, ok(r, r.w.acts.PlanRound, r.nextRound(2)).Rows)
	r.send(2, r.units(2), answer)
	require.NoError(t, r.w.store.Delete(t.Context(), r.files.Record(2, 1)))
	fails(r, r.w.acts.PlanFinal, r.finalPlan(), "round 2: 1 units were settled, 0 have a record")
}

// So it is with the files of a unit's own batch.
func TestBulkLostAnswers(t *testing.T) {
	for name, lose := range map[string]func(*ride) (key string){
		"results": func(r *ride) string { return path.Join(r.files.Unit(1, 2, 1), batch.FileResults) },
		"of round 2": func(r *ride) string {
			return path.Join(r.files.Unit(2, 1, 1), batch.FileFailures)
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRide(t, bulkRows(10))
			r.send(1, r.units(1), func(id string) int { return map[bool]int{true: 500, false: 200}[id == "row-003"] })
			ok(r, r.w.acts.PlanRound, r.nextRound(2))
			r.send(2, r.units(2), func(string) int { return 500 })
			ok(r, r.w.acts.PlanFinal, r.finalPlan())
			key := lose(r)
			require.NoError(t, r.w.store.Delete(t.Context(), key))
			fails(r, r.w.acts.PublishShards, r.parts(), "shard ", "round ", "unit ", key)
		})
	}
}

// A unit whose list of failures is gone has not answered every row.
func TestSettleUnitWithoutItsFailures(t *testing.T) {
	r := newRide(t, bulkRows(5))
	u := r.units(1)[0]
	prefix := r.files.Unit(1, 1, 1)
	r.collect(prefix, r.text, func(id string) int { return map[bool]int{true: 400, false: 200}[id == "row-003"] })
	require.NoError(t, r.w.store.Delete(t.Context(), path.Join(prefix, batch.FileFailures)))
	fails(r, r.w.acts.SettleUnit, settleInput(r, u), "round 1, unit 1: 5 rows have no failure, its manifest says that 4 are answered")
}

// The parts hold other rows than were counted: there is no manifest of that.
func TestPublishManifestHoldsTheLaw(t *testing.T) {
	r := newRide(t, bulkRows(15)+"bad\n")
	r.send(1, r.units(1)[:2], func(id string) int {
		return map[string]int{"row-001": 400, "row-002": 500}[id] + map[bool]int{true: 200}[id > "row-002"]
	})
	require.Equal(t, batch.BulkCounts{Answered: 7, RowErrors: 1, Invalid: 1, Open: 7}, r.counts)
	ok(r, r.w.acts.PlanFinal, r.finalPlan())
	ok(r, r.w.acts.PublishShards, r.parts())
	for message, change := range map[string]func(*batch.Settled){
		"answered: 8 rows were counted, the final files have 7":   func(s *batch.Settled) { s.Counts.Answered++ },
		"invalid: 0 rows were counted, the final files have 1":    func(s *batch.Settled) { s.Counts.Invalid-- },
		"never sent: 4 rows were counted, the final files have 5": func(s *batch.Settled) { s.Unsent-- },
		"expired: 1 rows were counted, the final files have 0":    func(s *batch.Settled) { s.Counts.Expired++ },
	} {
		in := r.manifest()
		change(&in.Settled)
		fails(r, r.w.acts.PublishManifest, in, "the result is not published", message)
	}
	require.NoError(t, r.w.store.Delete(t.Context(), r.files.Final(3)))
	fails(r, r.w.acts.PublishManifest, r.manifest(), "shard 3 was published", r.files.Final(3))
	ok(r, r.w.acts.PublishShards, r.parts())
	out := ok(r, r.w.acts.PublishManifest, r.manifest())
	require.Equal(t, batch.BulkCounts{Answered: 7, RowErrors: 2, Missing: 1, Cancelled: 5, Invalid: 1}, out.Counts)
}

// What the batches' files had besides their rows is counted once a batch, however
// many shards its rows are of.
func TestBulkCountsOddLines(t *testing.T) {
	r := newRide(t, bulkRows(15))
	r.odd = batch.ManifestCounts{Duplicates: 1, Unmatched: 2, Malformed: 3}
	first := map[string]int{"row-000": 500, "row-005": 500, "row-010": 500}
	r.send(1, r.units(1), func(id string) int { return cmp.Or(first[id], 200) })
	ok(r, r.w.acts.PlanRound, r.nextRound(2))
	require.Len(t, r.units(2), 1, "it has a row of each shard")
	r.send(2, r.units(2), answer)
	ok(r, r.w.acts.PlanFinal, r.finalPlan())
	ok(r, r.w.acts.PublishShards, r.parts())
	in := r.manifest()
	in.Manifest.Outcome = batch.OutcomeCompleted
	out := ok(r, r.w.acts.PublishManifest, in)
	require.Equal(t, batch.OddLines{Duplicates: 4, Unmatched: 8, Malformed: 12}, out.Odd)
	m := manifest(t, r.w.text(r.files.Manifest()))
	require.Equal(t, batch.ManifestCounts{Rows: 15, Succeeded: 15, Duplicates: 4, Unmatched: 8, Malformed: 12}, m.Counts)
	require.Equal(t, batch.StatusCompleted, m.Status)
}

// An earlier run with the same prefix has left a manifest and more parts.
func TestBulkMakesRoomForItsResult(t *testing.T) {
	r := newRide(t, bulkRows(10))
	r.send(1, r.units(1), answer)
	stay := []string{"results/notes.txt", "results/of/00009.jsonl", "elsewhere.jsonl", "results/00003.jsonl.bak"}
	gone := []string{batch.FileManifest, "results/00003.jsonl", "results/00011.jsonl", "failures/00003.jsonl", "results/123456.jsonl"}
	own := []string{"results/00001.jsonl", "failures/00002.jsonl"}
	for _, names := range [][]string{stay, gone, own} {
		for _, name := range names {
			r.w.put(r.files.Part(name), "an earlier run's\n")
		}
	}
	ok(r, r.w.acts.PlanFinal, r.finalPlan())
	for _, name := range gone {
		_, err := r.w.store.Stat(t.Context(), r.files.Part(name))
		require.Error(t, err, name)
	}
	ok(r, r.w.acts.PublishShards, r.parts())
	ok(r, r.w.acts.PublishManifest, r.manifest())
	for _, name := range stay {
		require.Equal(t, "an earlier run's\n", r.w.text(r.files.Part(name)), name)
	}
	require.Equal(t, 5, strings.Count(r.w.text(r.files.Part(own[0])), "\n"))
}

// A shard of bad rows alone is no batch, and has its final files.
func TestBulkShardOfBadRows(t *testing.T) {
	bad := strings.Repeat("bad\n", 5)
	r := newRide(t, bad+bulkRows(5)+bad)
	require.Equal(t, 3, r.found.Shards)
	require.Equal(t, 1, r.found.Batches)
	units := r.units(1)
	require.Len(t, units, 1)
	require.Equal(t, 2, units[0].Number)
	r.send(1, units, func(string) int { return 500 })
	require.EqualValues(t, 5, ok(r, r.w.acts.PlanRound, r.nextRound(2)).Rows)
	r.send(2, r.units(2), answer)
	require.Equal(t, 3, ok(r, r.w.acts.PlanFinal, r.finalPlan()).Shards)
	ok(r, r.w.acts.PublishShards, r.parts())
	require.Equal(t, batch.BulkCounts{Answered: 5, Invalid: 10}, ok(r, r.w.acts.PublishManifest, r.manifest()).Counts)
	for _, shard := range []int{1, 3} {
		lines := r.w.text(r.files.Part(batch.PartName(batch.FolderFailures, shard)))
		require.Equal(t, 5, strings.Count(lines, `"class":"invalid"`))
	}
}
