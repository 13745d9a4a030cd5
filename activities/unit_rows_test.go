package activities_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"batchkeeper/activities"
	"batchkeeper/batch"
	"batchkeeper/internal/gateway/gatewaytest"
)

// files is where the bulk run of these tests keeps its files.
var files = batch.Files{Prefix: "p", Token: "run"}

// knows gives the activities a Temporal server beside the world's store.
func (w *world) knows(s *server) {
	w.acts = activities.New(activities.Options{Runs: s, Store: w.store, SpoolDir: w.t.TempDir()})
	w.fresh()
}

// prepared asks to prepare a unit under a workflow id: the server knows "a" as
// open and "b" as closed.
func prepared(w *world, id string, u batch.Unit) (activities.PrepareOutput, error) {
	w.fresh()
	return do(w, w.acts.Prepare, activities.PrepareInput{Files: files, Round: 1, Unit: u, Try: 1, Input: "in.jsonl", WorkflowID: id})
}

func TestPrepareFindsWhatWasSent(t *testing.T) {
	unit := batch.Unit{Number: 1, Rows: 2, Shard: &batch.Shard{Number: 1, Rows: 2}}
	own, other := batch.Job{ResultsPrefix: files.Unit(1, 1, 1)}, batch.Job{ResultsPrefix: batch.Files{Prefix: "p", Token: "before"}.Unit(1, 1, 1)}
	for name, tc := range map[string]struct {
		id   string
		job  batch.Job
		want activities.PrepareOutput
	}{
		"never":                {"c", own, activities.PrepareOutput{}},
		"it runs":              {"a", own, activities.PrepareOutput{Open: true}},
		"it has ended":         {"b", own, activities.PrepareOutput{Ended: &batch.Finished{WorkflowID: "b", Outcome: batch.OutcomeCompleted}}},
		"another run's, ended": {"b", other, activities.PrepareOutput{}},
		"another run's, open":  {"a", other, activities.PrepareOutput{Foreign: "workflow a of another run is open: cancel it, or wait for its end"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, gatewaytest.Options{})
			w.knows(&server{job: tc.job})
			out, err := prepared(w, tc.id, unit)
			require.NoError(t, err)
			require.Equal(t, tc.want, out)
		})
	}
}

func TestPrepareFindsResults(t *testing.T) {
	w := newWorld(t, gatewaytest.Options{})
	w.knows(&server{down: errors.New("it is not even asked")})
	w.put(files.Unit(1, 1, 1)+"/"+batch.FileManifest, `{"version":1,"outcome":"completed","counts":{"rows":2,"succeeded":2}}`)
	out, err := prepared(w, "a", batch.Unit{Number: 1, Rows: 2})
	require.NoError(t, err)
	require.Equal(t, activities.PrepareOutput{Collected: true}, out)

	_, err = prepared(w, "a", batch.Unit{Number: 1, Rows: 3})
	k, again := kind(t, err)
	require.Equal(t, batch.KindResultsUnavailable, k, "it is not about this unit")
	require.False(t, again)
}

// An earlier run with the same prefix, whose batches had the same numbers, has
// answered other rows: nothing of it is this run's.
func TestPrepareFindsNothingOfAnotherRun(t *testing.T) {
	w := newWorld(t, gatewaytest.Options{})
	w.knows(&server{})
	before := batch.Files{Prefix: "p", Token: "before"}
	for _, prefix := range []string{before.Unit(1, 1, 1), "p/work/r1/s00001"} {
		w.put(prefix+"/"+batch.FileManifest, `{"version":1,"outcome":"completed","counts":{"rows":2,"succeeded":2}}`)
	}
	out, err := prepared(w, "c", batch.Unit{Number: 1, Rows: 2, Shard: &batch.Shard{Number: 1, Rows: 2}})
	require.NoError(t, err)
	require.Equal(t, activities.PrepareOutput{}, out)
}

// The rows of pieces stand in one file, in their order.
func TestPrepareGathersPieces(t *testing.T) {
	w := newWorld(t, gatewaytest.Options{})
	w.knows(&server{})
	w.put(files.Left(1, 4), "a\nb\n")
	w.put(files.Left(1, 9), "c\n")
	w.put(files.Plan(2), `{"n":2}
{"n":3,"rows":2,"pieces":[{"shard":4,"from":4,"range":{"offset":2,"length":2},"rows":1},{"shard":9,"from":9,"range":{"offset":0,"length":2},"rows":1}]}
`)
	page := must(w, w.acts.ReadPlan, activities.ReadPlanInput{Files: files, Round: 2, Count: 9})
	w.fresh()
	in := activities.PrepareInput{Files: files, Round: 2, Try: 1, WorkflowID: "c", Unit: page.Units[1]}
	out := must(w, w.acts.Prepare, in)
	require.Equal(t, files.Rows(2, 3), out.Key)
	require.Equal(t, "b\nc\n", w.text(out.Key))

	w.fresh()
	in.Unit.At = 0
	_, err := do(w, w.acts.Prepare, in)
	require.ErrorContains(t, err, "the plan has unit 2 of 0 rows where unit 3 of 2 rows was")
	w.fresh()
	in.Unit = page.Units[1]
	require.NoError(t, w.store.Delete(t.Context(), files.Left(1, 9)))
	_, err = do(w, w.acts.Prepare, in)
	require.ErrorContains(t, err, "round 2, shard 9: its rows in "+files.Left(1, 9))
	k, _ := kind(t, err)
	require.Equal(t, batch.KindResultsUnavailable, k)
}

func TestPrepareWithoutTheServer(t *testing.T) {
	w := newWorld(t, gatewaytest.Options{})
	w.knows(&server{down: errors.New("no route")})
	_, err := prepared(w, "a", batch.Unit{Number: 1, Shard: &batch.Shard{Number: 1}})
	k, again := kind(t, err)
	require.Equal(t, batch.KindTemporalUnavailable, k)
	require.True(t, again)
}

func TestEnds(t *testing.T) {
	w := newWorld(t, gatewaytest.Options{})
	w.knows(&server{})
	out := must(w, w.acts.Ends, activities.EndsInput{WorkflowIDs: []string{"a", "b", "c"}})
	require.Equal(t, []batch.Finished{{WorkflowID: "b", Outcome: batch.OutcomeCompleted}}, out.Ended)
	require.Equal(t, []string{"c"}, out.Missing)
}

func TestReadPages(t *testing.T) {
	w := newWorld(t, gatewaytest.Options{})
	w.put(files.Record(1, 2), `{"round":1,"unit":2,"pages":[{"rows":1},{"rows":2},{"rows":3}]}`)
	for _, tc := range []struct {
		from, count int
		want        []int64
	}{{1, 2, []int64{1, 2}}, {3, 9, []int64{3}}, {4, 1, nil}} {
		w.fresh()
		out := must(w, w.acts.ReadPages, activities.ReadPagesInput{Files: files, Round: 1, Unit: 2, From: tc.from, Count: tc.count})
		var rows []int64
		for _, p := range out.Pages {
			rows = append(rows, p.Rows)
		}
		require.Equal(t, tc.want, rows)
	}
}
