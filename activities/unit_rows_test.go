package activities_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"batchkeeper/activities"
	"batchkeeper/batch"
	"batchkeeper/internal/gateway/gatewaytest"
)

// knows gives the activities a Temporal server beside the world's store.
func (w *world) knows(s *server) {
	w.acts = activities.New(activities.Options{Runs: s, Store: w.store, SpoolDir: w.t.TempDir()})
	w.fresh()
}

// prepared asks to prepare a unit under a workflow id: the server knows "a" as
// open and "b" as closed.
func prepared(w *world, id string, u batch.Unit) (activities.PrepareOutput, error) {
	w.fresh()
	return do(w, w.acts.Prepare, activities.PrepareInput{Prefix: "p", Round: 1, Unit: u, Try: 1, Input: "in.jsonl", WorkflowID: id})
}

func TestPrepareFindsWhatWasSent(t *testing.T) {
	unit := batch.Unit{Number: 1, Rows: 2, Shard: &batch.Shard{Number: 1, Rows: 2}}
	own, other := batch.Job{ResultsPrefix: batch.UnitPrefix("p", 1, 1, 1)}, batch.Job{ResultsPrefix: "elsewhere"}
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
	w.put(batch.UnitPrefix("p", 1, 1, 1)+"/"+batch.FileManifest, "{}")
	out, err := prepared(w, "a", batch.Unit{Number: 1})
	require.NoError(t, err)
	require.Equal(t, activities.PrepareOutput{Collected: true}, out)
}

// The rows of pieces stand in one file, in their order.
func TestPrepareGathersPieces(t *testing.T) {
	w := newWorld(t, gatewaytest.Options{})
	w.knows(&server{})
	w.put(batch.LeftKey("p", 1, 4), "a\nb\n")
	w.put(batch.LeftKey("p", 1, 9), "c\n")
	out := must(w, w.acts.Prepare, activities.PrepareInput{Prefix: "p", Round: 2, Try: 1, WorkflowID: "c", Unit: batch.Unit{
		Number: 3, Rows: 2, Pieces: []batch.Piece{
			{Shard: 4, From: 4, Rows: 1, Range: batch.Range{Offset: 2, Length: 2}}, {Shard: 9, From: 9, Rows: 1, Range: batch.Range{Length: 2}},
		},
	}})
	require.Equal(t, batch.RowsKey("p", 2, 3), out.Key)
	require.Equal(t, "b\nc\n", w.text(out.Key))
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
	w.put(batch.RecordKey("p", 1, 2), `{"pages":[{"rows":1},{"rows":2},{"rows":3}]}`)
	for _, tc := range []struct {
		from, count int
		want        []int64
	}{{1, 2, []int64{1, 2}}, {3, 9, []int64{3}}, {4, 1, nil}} {
		w.fresh()
		out := must(w, w.acts.ReadPages, activities.ReadPagesInput{Prefix: "p", Round: 1, Unit: 2, From: tc.from, Count: tc.count})
		var rows []int64
		for _, p := range out.Pages {
			rows = append(rows, p.Rows)
		}
		require.Equal(t, tc.want, rows)
	}
}
