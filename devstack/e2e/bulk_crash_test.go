package e2e_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"batchkeeper"
	"batchkeeper/batch"
)

// settleUnposted plays the operator: a batch whose create was cut short before
// it reached the gateway is posted again, which would else wait ten minutes for
// its proof that there is none.
func (r *run) settleUnposted() {
	r.w.t.Helper()
	ctx, cancel := context.WithTimeout(r.w.t.Context(), time.Second)
	defer cancel()
	state, err := r.State(ctx)
	if err != nil || state.Bulk == nil {
		return
	}
	for _, live := range state.Bulk.Live {
		unit, err := batchkeeper.Attach(ctx, r.w.client, live.WorkflowID, "")
		if err != nil {
			continue
		}
		s, err := unit.State(ctx)
		if err != nil || s.Submission == nil || !s.Submission.Ambiguous || len(r.w.gateway.BatchesOf(s.SessionID)) > 0 {
			continue
		}
		_, err = r.w.client.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
			WorkflowID: live.WorkflowID, UpdateName: batch.UpdateSettle, Args: []any{batch.SettleRequest{Resubmit: true}},
			WaitForStage: client.WorkflowUpdateStageAccepted,
		})
		r.w.t.Logf("%s is posted again: %v", live.WorkflowID, err)
	}
}

// The worker is killed every two seconds, from the start to the end.
func TestBulkWorkerKilledThroughout(t *testing.T) {
	t.Parallel()
	w := newWorld(t, endsAfter(2*time.Second))
	r := w.startBulk(w.writeInput(marked(500, map[int]string{3: "[[429x1]]", 400: "[[fail]]"})...), inShards(100, 3))
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	kills := 0
	for open := true; open; kills++ {
		<-tick.C
		w.revive()
		r.settleUnposted()
		var err error
		open, err = r.Open(t.Context())
		require.NoError(t, err)
		require.Less(t, kills, 200, "it gets nowhere")
	}
	t.Logf("killed %d times", kills)
	result := r.waitBulk()
	require.Equal(t, batch.OutcomeCompletedWithFailures, result.Outcome)
	require.Equal(t, batch.BulkCounts{Answered: 499, RowErrors: 1}, result.Bulk.Counts)
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
