package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"batchkeeper/activities"
	"batchkeeper/batch"
)

// What was counted while settling goes along to the steps that read the files
// again, also where a stop left some of the input unsent.
func TestBulkTellsWhatItHasSettled(t *testing.T) {
	f := newFloor(t, 4)
	f.planned = 1
	f.leaves(1, 7)
	e := f.runBulk(bulkJob)
	require.EqualValues(t, 28, f.planRound.Rows)
	require.Equal(t, []int{4, 1}, f.planFinal.Settled)
	// The plan of the floor's second round has a whole shard, whatever was left over.
	require.Equal(t, batch.Settled{Counts: batch.BulkCounts{Answered: 4*93 + shardRows, Open: 28 - shardRows}}, f.manifest.Settled)
	require.Equal(t, 2, e.Bulk.Round)

	f = newFloor(t, 4)
	f.leaves(1, 7)
	f.at(time.Minute, func() { f.update(batch.UpdateCancel, bulkCancel) })
	f.runBulk(`{"input":"in.jsonl","max_in_flight":1}`)
	require.Equal(t, []int{1}, f.planFinal.Settled)
	require.Equal(t, batch.Settled{
		Counts: batch.BulkCounts{Answered: 93, Open: 7 + 3*shardRows}, Unsent: 3 * shardRows,
	}, f.manifest.Settled)
}

// All that a run notes is under its token, so that another run of the same
// prefix does not find it; a batch's own results are there too.
func TestBulkNotesUnderItsToken(t *testing.T) {
	f := newFloor(t, 1)
	prefix := ""
	f.prepare = func(in activities.PrepareInput) (activities.PrepareOutput, error) {
		prefix = in.Files.Unit(1, 1, 1)
		return activities.PrepareOutput{}, nil
	}
	e := f.runBulk(`{"input":"in.jsonl","results_prefix":"nightly"}`)
	token := f.manifest.Manifest.RunID
	require.NotEmpty(t, token)
	require.Equal(t, batch.Files{Prefix: "nightly", Token: token}, f.manifest.Files)
	require.Equal(t, f.manifest.Files, f.settled[0].Files)
	require.Equal(t, "nightly/work/"+token+"/r1/s00001", prefix)
	require.Equal(t, []string{prefix}, f.prefixes, "where the batch puts its results")
	require.Equal(t, "nightly", e.Results.Prefix)
}

// A run that finds less than it has counted says so, and has no result.
func TestBulkBreaksTheLaw(t *testing.T) {
	const said = "round 1: 2 units were settled, 1 have a record"
	for _, step := range []string{"PlanFinal", "PublishManifest"} {
		f := newFloor(t, 2)
		f.refuses = map[string]error{step: temporal.NewNonRetryableApplicationError(said, string(batch.KindResultsUnavailable), nil)}
		e := f.runBulk(bulkJob)
		require.Equal(t, string(batch.KindResultsUnavailable), e.status)
		require.Contains(t, e.Failure.Message, said)
		require.Nil(t, e.Results)
	}
}
