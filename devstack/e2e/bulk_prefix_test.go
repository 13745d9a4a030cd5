package e2e_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper"
	"batchkeeper/batch"
)

// Tonight's run has the name, the prefix and the custom ids of last night's, and
// other rows: what is published is its own, and nothing else is left beside it.
func TestBulkSamePrefixAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, endsAfter(time.Second))
	nightly := func(j *batch.Job) { j.ResultsPrefix = "nightly" }
	before := w.startBulk(w.writeInput(prompts(60)...), inShards(10, 4), nightly)
	require.Equal(t, batch.OutcomeCompleted, before.waitBulk().Outcome)
	tonight := prompts(30)
	for i := range tonight {
		tonight[i] = fmt.Sprintf("Tonight: %s", tonight[i])
	}
	made := len(w.gateway.BatchesOf(""))
	require.Equal(t, 6, made)
	ids := w.writeInput(tonight...)
	job := batch.Job{Input: inputKey, Poll: batch.PollPolicy{Min: batch.Duration(time.Second), Max: batch.Duration(2 * time.Second)}}
	inShards(10, 4)(&job)
	nightly(&job)
	started, err := batchkeeper.Start(t.Context(), w.client, job, batchkeeper.WithID(before.ID()), batchkeeper.WithTaskQueue(w.queue),
		batchkeeper.WithType(batch.WorkflowBulk), batchkeeper.WithRerun())
	require.NoError(t, err)
	r := &run{Run: started, w: w, ids: ids}
	result := r.waitWithin(bulkPatience)
	require.Equal(t, batch.OutcomeCompleted, result.Outcome)
	require.Len(t, w.gateway.BatchesOf(""), made+3, "every shard is sent again")
	r.partsConserve(result)
	for shard := 1; shard <= 3; shard++ {
		require.Equal(t, 10, strings.Count(r.part(result, batch.FolderResults, shard), "Tonight: "))
	}
	left, err := filepath.Glob(filepath.Join(w.store(), "nightly", "*", "*.jsonl"))
	require.NoError(t, err)
	require.Len(t, left, 6, "the parts of the longer run before are gone")
}
