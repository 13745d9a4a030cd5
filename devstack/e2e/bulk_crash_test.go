package e2e_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper/batch"
)

// The worker is killed every two seconds, from the start to the end.
func TestBulkWorkerKilledThroughout(t *testing.T) {
	t.Parallel()
	w := newWorld(t, endsAfter(2*time.Second))
	r := w.startBulk(w.writeInput(marked(800, map[int]string{3: "[[429x1]]", 700: "[[fail]]"})...), inShards(100, 3))
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	kills := 0
	for open := true; open; kills++ {
		<-tick.C
		w.revive()
		var err error
		open, err = r.Open(t.Context())
		require.NoError(t, err)
		require.Less(t, kills, 100, "it gets nowhere")
	}
	t.Logf("killed %d times", kills)
	result := r.waitBulk()
	require.Equal(t, batch.OutcomeCompletedWithFailures, result.Outcome)
	require.Equal(t, batch.BulkCounts{Answered: 799, RowErrors: 1}, result.Bulk.Counts)
}

// A server that suggests to continue as new after a few events: every few
// shards the run does, and loses no batch and no notice.
func TestBulkContinueAsNew(t *testing.T) {
	t.Parallel()
	w := newWorld(t, endsAfter(time.Second), withServer(ownTemporal(t, "--dynamic-config-value", "limit.historyCount.suggestContinueAsNew=150")))
	r := w.startBulk(w.writeInput(marked(1200, map[int]string{3: "[[429x2]]", 700: "[[fail]]"})...), inShards(100, 3))
	result := r.waitBulk()
	require.Equal(t, batch.BulkCounts{Answered: 1199, RowErrors: 1}, result.Bulk.Counts)
	require.Equal(t, 3, result.Bulk.Round)
	histories := r.histories()
	require.Greater(t, len(histories), 2, "it has continued as new")
	for _, h := range histories {
		require.Less(t, len(h.GetEvents()), 400)
	}
	t.Logf("%d executions", len(histories))
}
