package e2e_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper/batch"
	"batchkeeper/internal/gateway/gatewaytest"
)

// inShards cuts an input into shards of so many rows.
func inShards(rows int64, inFlight int) func(*batch.Job) {
	return func(j *batch.Job) { j.MaxRowsPerBatch, j.MaxInFlight = rows, inFlight }
}

// marked are n prompts, those at the given places with a mark in front.
func marked(n int, marks map[int]string) []string {
	out := prompts(n)
	for i, mark := range marks {
		out[i] = mark + " " + out[i]
	}
	return out
}

// Some rows fail twice and are answered in the third round, one fails for good.
func TestBulkRounds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, endsAfter(time.Second))
	ids := w.writeInput(marked(1500, map[int]string{7: "[[429x2]]", 8: "[[503x1]]", 600: "[[timeoutx2]]", 601: "[[fail]]", 1499: "[[500x1]]"})...)
	r := w.startBulk(ids, inShards(500, 4))
	result := r.waitBulk()
	require.Equal(t, batch.OutcomeCompletedWithFailures, result.Outcome)
	require.Equal(t, batch.BulkCounts{Answered: 1499, RowErrors: 1}, result.Bulk.Counts)
	var sent, again, batches []int64
	for _, past := range result.Bulk.Past {
		sent, again, batches = append(sent, past.Rows), append(again, past.Again), append(batches, int64(past.Batches))
	}
	require.Equal(t, []int64{1500, 4, 2}, sent)
	require.Equal(t, []int64{4, 2, 0}, again)
	require.Equal(t, []int64{3, 1, 1}, batches, "what is left over of all shards fits one batch")
	require.Len(t, result.Bulk.Causes, 1)
	require.Contains(t, result.Bulk.Causes[0].Cause, "400")
	require.Contains(t, r.part(result, batch.FolderResults, 1), `"row-000007"`)
}

// part is the text of a final file.
func (r *run) part(result batch.Result, folder string, shard int) string {
	r.w.t.Helper()
	return r.w.read(filepath.Join(result.Results.Prefix, batch.PartName(folder, shard)))
}

// Half of a shard is answered when its batch expires: the other half is sent again.
func TestBulkShardExpires(t *testing.T) {
	t.Parallel()
	w := newWorld(t, endsAfter(time.Second), faults(gatewaytest.Rule{
		Op: gatewaytest.OpCreate, To: 1, Fault: gatewaytest.Fault{Kind: gatewaytest.FaultOutcome, Value: "expired", Rows: 100},
	}))
	r := w.startBulk(w.writeInput(prompts(600)...), inShards(200, 4))
	result := r.waitBulk()
	require.Equal(t, batch.OutcomeCompleted, result.Outcome)
	require.Equal(t, 2, result.Bulk.Round)
	require.EqualValues(t, 100, result.Bulk.Rows)
}

// A batch that fails as a whole is sent again as a whole.
func TestBulkBatchFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, endsAfter(time.Second), faults(gatewaytest.Rule{
		Op: gatewaytest.OpCreate, To: 1, Fault: gatewaytest.Fault{Kind: gatewaytest.FaultOutcome, Value: "expired_without_files"},
	}))
	r := w.startBulk(w.writeInput(prompts(600)...), inShards(200, 4))
	result := r.waitBulk()
	require.Equal(t, batch.OutcomeCompleted, result.Outcome)
	require.EqualValues(t, 200, result.Bulk.Rows)
}

// Bad and doubled lines are set aside; the rows around them are answered.
func TestBulkQuarantine(t *testing.T) {
	t.Parallel()
	w := newWorld(t, endsAfter(time.Second))
	w.writeInput(prompts(300)...)
	const body = `,"url":"/v1/responses","body":{"model":"gpt-5-mini-2025-08-07","input":"x","max_output_tokens":32}}` + "\n"
	w.appendInput(`{"custom_id":"row-000007","method":"POST"` + body)
	w.appendInput("this is no row\n")
	w.appendInput(`{"custom_id":"row-999999","method":"GET"` + body)
	r := w.startBulk(nil, inShards(100, 4), func(j *batch.Job) { j.OnBadRows = batch.QuarantineBadRows })
	result := r.waitWithin(bulkPatience)
	require.Equal(t, batch.OutcomeCompletedWithFailures, result.Outcome, "%+v", result.Failure)
	require.Equal(t, batch.BulkCounts{Answered: 300, Invalid: 3}, result.Bulk.Counts)
	m := readManifest(w, filepath.Join(w.store(), filepath.FromSlash(result.Results.Prefix)))
	require.EqualValues(t, 303, m.Counts.Rows)
	require.EqualValues(t, 3, m.Counts.Invalid)
	bad := ""
	for shard := 1; shard <= m.Bulk.Shards; shard++ {
		bad += r.part(result, batch.FolderFailures, shard)
	}
	for line := 301; line <= 303; line++ {
		require.Contains(t, bad, fmt.Sprintf(`"line":%d`, line))
	}
	r.oneBatchAUnit()
	r.childrenClosed()
}

// The same input without leave to set rows aside sends nothing.
func TestBulkRejectsBadRows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ids := w.writeInput(prompts(30)...)
	w.appendInput("this is no row\n")
	r := w.startBulk(ids)
	result := r.waitBulk()
	require.Equal(t, batch.OutcomeRejected, result.Outcome)
	require.NotEmpty(t, result.Failure.Problems)
	require.Empty(t, w.gateway.BatchesOf(""))
}

// The provider takes two batches at a time and refuses more: those are put back
// until there is room, and cost no round.
func TestBulkTokenLimit(t *testing.T) {
	t.Parallel()
	const row = 160 // bytes, about
	w := newWorld(t, endsAfter(4*time.Second), func(o *setup) { o.gateway.TokenLimit = 2 * 100 * row / 4 * 5 / 4 })
	r := w.startBulk(w.writeInput(prompts(600)...), inShards(100, 4))
	result := r.waitBulk()
	require.Equal(t, batch.OutcomeCompleted, result.Outcome)
	require.Equal(t, 1, result.Bulk.Round)
	failed := 0
	for _, b := range w.gateway.BatchesOf("") {
		if b.Status == string(batch.StatusFailed) {
			failed++
		}
	}
	require.Positive(t, failed, "some were refused")
	require.LessOrEqual(t, failed, 2, "the first window asked too much; then the governor knew")
}

// The gateway's upload quota is used up, which the profile knew nothing of: the
// batch is put back, the others wait, and no row is lost.
func TestBulkUploadQuota(t *testing.T) {
	t.Parallel()
	w := newWorld(t, endsAfter(time.Second), faults(gatewaytest.Rule{
		Op: gatewaytest.OpUpload, From: 2, To: 2, Fault: gatewaytest.Fault{Kind: gatewaytest.FaultNamed, Value: "upload_quota"},
	}))
	r := w.startBulk(w.writeInput(prompts(300)...), inShards(100, 1), func(j *batch.Job) { j.CreateMode = batch.CreateFile })
	r.await("the governor has learned of the quota", func(s batch.State) bool {
		return slices.ContainsFunc(s.Bulk.Live, func(l batch.LiveBatch) bool {
			return l.Stage == batch.UnitWaiting && strings.Contains(l.Problem, "uploads")
		})
	})
	require.Equal(t, 1, w.entries(effect(gatewaytest.EffectBatchCreated)))
	_, err := r.Cancel(t.Context(), batch.CancelRequest{Reason: "it would take an hour", RequestedBy: "the test"})
	require.NoError(t, err)
	result := r.waitBulk()
	require.Equal(t, batch.OutcomeCancelled, result.Outcome)
	require.EqualValues(t, 100, result.Bulk.Counts.Answered)
	require.EqualValues(t, 200, result.Bulk.Counts.Cancelled)
}
