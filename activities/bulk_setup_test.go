package activities_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"batchkeeper/activities"
	"batchkeeper/batch"
	"batchkeeper/internal/gateway/gatewaytest"
	"batchkeeper/internal/jsonl"
)

// ride takes an input through the steps of a bulk run, and counts as the
// workflow does.
type ride struct {
	w       *world
	files   batch.Files
	text    string
	found   activities.SurveyOutput
	settled []int // units, by round
	counts  batch.BulkCounts
	left    int64                // rows that the last round left over
	odd     batch.ManifestCounts // of every batch: what its files have besides
}

// newRide surveys an input, five rows a shard.
func newRide(t *testing.T, text string) *ride {
	t.Helper()
	w := newWorld(t, gatewaytest.Options{})
	w.acts = w.withRuns(&server{})
	w.fresh()
	r := &ride{w: w, files: files, text: text}
	w.put("in.jsonl", text)
	job := batch.Job{Input: "in.jsonl"}.WithDefaults()
	job.OnBadRows, job.MaxRowsPerBatch = batch.QuarantineBadRows, 5
	r.found = ok(r, w.acts.Survey, activities.SurveyInput{Files: r.files, Job: job})
	require.Empty(t, r.found.Rejected)
	r.counts = batch.BulkCounts{Invalid: r.found.Invalid, Open: r.found.Facts.Rows - r.found.Invalid}
	return r
}

// ok is a step without trouble.
func ok[In, Out any](r *ride, step func(context.Context, In) (Out, error), in In) Out {
	r.w.t.Helper()
	out := must(r.w, step, in)
	r.w.fresh()
	return out
}

// fails is a step that finds that what the run has written is gone or has changed.
func fails[In, Out any](r *ride, step func(context.Context, In) (Out, error), in In, message ...string) {
	r.w.t.Helper()
	_, err := do(r.w, step, in)
	r.w.fresh()
	k, again := kind(r.w.t, err)
	require.Equal(r.w.t, batch.KindResultsUnavailable, k, err)
	require.False(r.w.t, again)
	for _, m := range message {
		require.ErrorContains(r.w.t, err, m)
	}
	_, err = r.w.store.Stat(r.w.t.Context(), r.files.Manifest())
	require.Error(r.w.t, err, "there is no manifest")
}

// units are the units of a round that have rows to send.
func (r *ride) units(round int) []batch.Unit {
	var out []batch.Unit
	for _, u := range ok(r, r.w.acts.ReadPlan, activities.ReadPlanInput{Files: r.files, Round: round, Count: 100}).Units {
		if u.Rows > 0 {
			out = append(out, u)
		}
	}
	return out
}

// send sends units of a round; status is what the provider answers, 0: nothing.
func (r *ride) send(round int, units []batch.Unit, status func(id string) int) {
	r.left = 0
	for _, u := range units {
		ready := ok(r, r.w.acts.Prepare, activities.PrepareInput{
			Files: r.files, Round: round, Unit: u, Try: 1, Input: "in.jsonl", WorkflowID: "new",
		})
		require.False(r.w.t, ready.Collected)
		rows := ""
		if ready.Key != "" {
			rows = r.w.text(ready.Key)
		} else {
			rows = r.text[u.Shard.Range.Offset:][:u.Shard.Range.Length]
		}
		r.collect(r.files.Unit(round, u.Number, 1), rows, status)
		out := ok(r, r.w.acts.SettleUnit, activities.SettleUnitInput{
			Files: r.files, Round: round, Unit: u, Try: 1, Input: "in.jsonl", Finished: batch.Finished{Outcome: batch.OutcomeCompleted},
		})
		r.counts = r.counts.Plus(out.Counts)
		r.counts.Open -= u.Rows
		r.left += out.Counts.Open
	}
	r.settled = append(r.settled, len(units))
}

// collect stands for the unit's own batch.
func (r *ride) collect(prefix, rows string, status func(id string) int) {
	var output, results, failures bytes.Buffer
	for line := range strings.SplitSeq(rows, "\n") {
		if s := status(idOf(line)); idOf(line) != "" && s != 0 {
			fmt.Fprintf(&output, `{"id":"x","custom_id":%q,"response":{"status_code":%d,"request_id":"r","body":{}},"error":null}`+"\n", idOf(line), s)
		}
	}
	tally, err := jsonl.Join{
		Input: strings.NewReader(rows), Absent: jsonl.ClassMissing, Results: &results, Failures: &failures,
		Answers: []jsonl.Source{{R: bytes.NewReader(output.Bytes()), Size: int64(output.Len()), Name: "output"}},
	}.Run(r.w.t.Context())
	require.NoError(r.w.t, err)
	raw, err := json.Marshal(batch.Manifest{
		Version: 1, BatchIDs: []string{"batch_" + prefix}, Outcome: batch.OutcomeCompleted,
		Counts: batch.ManifestCounts{
			Rows: tally.Rows, Succeeded: tally.Succeeded, Duplicates: r.odd.Duplicates, Unmatched: r.odd.Unmatched, Malformed: r.odd.Malformed,
		},
	})
	require.NoError(r.w.t, err)
	r.w.put(path.Join(prefix, batch.FileResults), results.String())
	r.w.put(path.Join(prefix, batch.FileFailures), failures.String())
	r.w.put(path.Join(prefix, batch.FileManifest), string(raw))
}

func (r *ride) nextRound(round int) activities.PlanRoundInput {
	return activities.PlanRoundInput{Files: r.files, Round: round, Rows: r.left, Limits: batch.UnitLimits{MaxRows: 5}}
}

func (r *ride) finalPlan() activities.PlanFinalInput {
	return activities.PlanFinalInput{Files: r.files, Settled: r.settled}
}

func (r *ride) parts() activities.PublishShardsInput {
	return activities.PublishShardsInput{
		Files: r.files, Input: "in.jsonl", Count: 100, Unsent: batch.Absence{Class: batch.ClassCancelled, Cause: "not_sent"},
	}
}

func (r *ride) manifest() activities.PublishManifestInput {
	unsent := int64(0)
	if len(r.settled) == 1 {
		unsent = r.counts.Open - r.left
	}
	return activities.PublishManifestInput{
		Files: r.files, Shards: r.found.Shards, Rows: r.found.Facts.Rows, Settled: batch.Settled{Counts: r.counts, Unsent: unsent},
	}
}

// answer answers every row.
func answer(string) int { return 200 }

// bulkRows is n good rows.
func bulkRows(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"custom_id":"row-%03d","method":"POST","url":"/v1/responses","body":{"model":"m","input":"say","max_output_tokens":16}}`+"\n", i)
	}
	return b.String()
}
