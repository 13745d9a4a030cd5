package activities_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"batchkeeper/activities"
	"batchkeeper/batch"
	"batchkeeper/internal/gateway/gatewaytest"
	"batchkeeper/internal/jsonl"
)

// The steps of a bulk run, in the order in which the workflow takes them, over
// random inputs and random faults of the provider: the final files are what a
// model that holds everything in memory says.
func TestBulkStepsAgainstAModel(t *testing.T) {
	t.Parallel()
	w := newWorld(t, gatewaytest.Options{})
	w.acts = w.withRuns(&server{})
	w.fresh()
	require.NoError(t, flag.Set("rapid.checks", "25")) // each takes dozens of steps
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		m := &model{w: w, rt: rt, files: batch.Files{Prefix: fmt.Sprintf("bulk-%d", run), Token: "run"}, fate: map[string]fate{}}
		m.write()
		m.survey()
		for m.round = 1; ; m.round++ {
			m.sendAll()
			if m.left == 0 || m.round == 3 {
				break
			}
			m.plan()
		}
		m.publish()
		m.check()
	})
}

// fate is what becomes of a row in the end.
type fate struct {
	class string // empty: answered
	round int
	again bool // worth another try
}

type model struct {
	w      *world
	rt     *rapid.T
	files  batch.Files
	text   string
	ids    []string // of every row, in order; empty for an invalid one
	fate   map[string]fate
	found  activities.SurveyOutput
	round  int
	units  int // of the round
	counts batch.BulkCounts
	left   int64 // rows that the round left over
	past   []int // units settled, by round
}

func (m *model) write() {
	var b strings.Builder
	n := rapid.IntRange(1, 40).Draw(m.rt, "rows")
	for i := range n {
		id := fmt.Sprintf("row-%03d", i)
		least := min(i, 1) // the first row is good, so that there is something to send
		switch rapid.IntRange(1-least, 11).Draw(m.rt, "kind") {
		case 0:
			b.WriteString("not a row\n")
			id = ""
		case 1:
			b.WriteString("\n")
			fallthrough
		default:
			fmt.Fprintf(&b, `{"custom_id":%q,"method":"POST","url":"/v1/responses","body":`+
				`{"model":"m","input":"say %d","max_output_tokens":16}}`+"\n", id, i)
		}
		m.ids = append(m.ids, id)
	}
	m.text = b.String()
	m.w.put(m.job().Input, m.text)
}

func (m *model) survey() {
	m.found = must(m.w, m.w.acts.Survey, activities.SurveyInput{Files: m.files, Job: m.job()})
	m.w.fresh()
	require.Empty(m.rt, m.found.Rejected)
	m.units = m.found.Batches
	m.counts = batch.BulkCounts{Invalid: m.found.Invalid, Open: m.found.Facts.Rows - m.found.Invalid}
}

func (m *model) job() batch.Job {
	j := batch.Job{Input: m.files.Part("in.jsonl")}.WithDefaults()
	j.OnBadRows = batch.QuarantineBadRows
	j.MaxRowsPerBatch = int64(5)
	return j
}

// sendAll sends every unit of the round.
func (m *model) sendAll() {
	m.left = 0
	settled, offset := 0, int64(0)
	for settled < m.units {
		page := must(m.w, m.w.acts.ReadPlan, activities.ReadPlanInput{Files: m.files, Round: m.round, Offset: offset, Count: 3})
		m.w.fresh()
		require.NotEmpty(m.rt, page.Units)
		for _, u := range page.Units {
			if u.Rows > 0 {
				m.send(u)
				settled++
			}
		}
		offset = page.Next
	}
	m.past = append(m.past, settled)
}

// send stands for a batch workflow: it joins made-up answers to the unit's rows.
func (m *model) send(u batch.Unit) {
	w := m.w
	try := rapid.SampledFrom([]int{1, 1, 1, 2}).Draw(m.rt, "try") // the first found no room
	ready := must(w, w.acts.Prepare, activities.PrepareInput{Files: m.files, Round: m.round, Unit: u, Try: try, Input: m.job().Input, WorkflowID: "new"})
	w.fresh()
	rows := m.text
	if ready.Key != "" {
		rows = w.text(ready.Key)
	} else {
		r := u.Shard.Range
		rows = rows[r.Offset : r.Offset+r.Length]
	}
	outcome := rapid.SampledFrom([]batch.Outcome{
		batch.OutcomeCompleted, batch.OutcomeCompleted, batch.OutcomeCompleted, batch.OutcomeExpired, batch.OutcomeUpstreamFailed, batch.OutcomeRejected,
		batch.OutcomeCancelled, batch.OutcomeResultsUnavailable, batch.OutcomeSubmissionUnknown,
	}).Draw(m.rt, "outcome")
	finished := batch.Finished{WorkflowID: "new", BatchID: fmt.Sprintf("batch_%d_%d", m.round, u.Number), Outcome: outcome}
	switch outcome {
	case batch.OutcomeRejected:
		m.decide(rows, fate{class: batch.ClassRowError, round: m.round})
	case batch.OutcomeCancelled: // before it had any results
		m.decide(rows, fate{class: batch.ClassCancelled, round: m.round})
	case batch.OutcomeResultsUnavailable, batch.OutcomeSubmissionUnknown: // it may have been paid for
		m.decide(rows, fate{class: batch.ClassMissing, round: m.round})
	case batch.OutcomeUpstreamFailed:
		m.decide(rows, fate{class: batch.ClassMissing, round: m.round, again: true})
	default:
		m.answer(u, try, rows, finished)
	}
	out := must(w, w.acts.SettleUnit, activities.SettleUnitInput{
		Files: m.files, Round: m.round, Unit: u, Try: try, Input: m.job().Input, Finished: finished, RowsPerPage: 10,
	})
	w.fresh()
	require.Equal(m.rt, u.Rows, out.Counts.Sum())
	again := int64(0)
	for line := range strings.SplitSeq(rows, "\n") {
		if m.fate[idOf(line)].again {
			again++
		}
	}
	require.Equal(m.rt, again, out.Counts.Open)
	m.left += again
	m.counts = m.counts.Plus(out.Counts)
	m.counts.Open -= u.Rows
}

// decide gives every row of a unit the same fate.
func (m *model) decide(rows string, f fate) {
	for line := range strings.SplitSeq(rows, "\n") {
		if id := idOf(line); id != "" {
			m.fate[id] = f
		}
	}
}

// answer makes up the provider's lines and writes the unit's own results.
func (m *model) answer(u batch.Unit, try int, rows string, f batch.Finished) {
	var output bytes.Buffer
	for line := range strings.SplitSeq(rows, "\n") {
		id := idOf(line)
		if id == "" {
			continue
		}
		status := rapid.SampledFrom([]int{200, 200, 200, 400, 500, 429, 0}).Draw(m.rt, "status")
		absent := batch.ClassMissing
		if f.Outcome == batch.OutcomeExpired {
			absent = batch.ClassExpired
		}
		class := map[int]string{200: "", 0: absent, 400: batch.ClassRowError, 500: batch.ClassRowError, 429: batch.ClassRowError}[status]
		m.fate[id] = fate{class: class, round: m.round, again: class != "" && status != 400}
		if status != 0 {
			fmt.Fprintf(&output, `{"id":"x","custom_id":%q,"response":{"status_code":%d,"request_id":"r","body":{}},"error":null}`+"\n", id, status)
		}
	}
	absent := jsonl.ClassMissing
	if f.Outcome == batch.OutcomeExpired {
		absent = jsonl.ClassExpired
	}
	var results, failures bytes.Buffer
	tally, err := jsonl.Join{
		Input: strings.NewReader(rows), Absent: absent, Results: &results, Failures: &failures,
		Answers: []jsonl.Source{{R: bytes.NewReader(output.Bytes()), Size: int64(output.Len()), Name: "output"}},
	}.Run(m.w.t.Context())
	require.NoError(m.rt, err)
	prefix := m.files.Unit(m.round, u.Number, try)
	m.w.put(path.Join(prefix, batch.FileResults), results.String())
	m.w.put(path.Join(prefix, batch.FileFailures), failures.String())
	raw, err := json.Marshal(batch.Manifest{
		BatchIDs: []string{f.BatchID}, Outcome: f.Outcome, Counts: batch.ManifestCounts{Rows: tally.Rows, Succeeded: tally.Succeeded},
	})
	require.NoError(m.rt, err)
	m.w.put(path.Join(prefix, batch.FileManifest), string(raw))
}

func idOf(line string) string {
	var row struct {
		CustomID string `json:"custom_id"`
	}
	if json.Unmarshal([]byte(line), &row) != nil {
		return ""
	}
	return row.CustomID
}

func (m *model) plan() {
	out := must(m.w, m.w.acts.PlanRound, activities.PlanRoundInput{
		Files: m.files, Round: m.round + 1, Rows: m.left, Limits: batch.UnitLimits{MaxRows: 5, MaxBytes: 1 << 20},
	})
	m.w.fresh()
	m.units = out.Units
}

func (m *model) publish() {
	w := m.w
	planned := must(w, w.acts.PlanFinal, activities.PlanFinalInput{Files: m.files, Settled: m.past})
	w.fresh()
	require.Equal(m.rt, m.found.Shards, planned.Shards)
	offset := int64(0)
	for done := 0; done < planned.Shards; {
		out := must(w, w.acts.PublishShards, activities.PublishShardsInput{
			Files: m.files, Input: m.job().Input, Offset: offset, Count: 2, Unsent: batch.Absence{Class: batch.ClassCancelled, Cause: "not sent"},
		})
		w.fresh()
		done, offset = done+out.Shards, out.Next
	}
	out := must(w, w.acts.PublishManifest, activities.PublishManifestInput{
		Files: m.files, Shards: planned.Shards, Rows: int64(len(m.ids)), Settled: batch.Settled{Counts: m.counts},
	})
	w.fresh()
	require.NoError(m.rt, out.Counts.Conserve(int64(len(m.ids))))
}

// check compares the final files with the model, row by row.
func (m *model) check() {
	man := manifest(m.w.t, m.w.text(m.files.Manifest()))
	var answered, others []string
	for _, f := range man.Files {
		for line := range strings.SplitSeq(strings.TrimSpace(m.w.text(m.files.Part(f.Name))), "\n") {
			switch {
			case line == "":
			case strings.HasPrefix(f.Name, batch.FolderResults):
				answered = append(answered, m.said(line, ""))
			default:
				others = append(others, m.said(line, "failed"))
			}
		}
	}
	var wantAnswered, wantOthers []string
	for _, id := range m.ids {
		switch f, sent := m.fate[id]; {
		case !sent:
			wantOthers = append(wantOthers, " invalid 0")
		case f.class == "":
			wantAnswered = append(wantAnswered, fmt.Sprintf("%s  %d", id, f.round))
		default:
			wantOthers = append(wantOthers, fmt.Sprintf("%s %s %d", id, f.class, f.round))
		}
	}
	require.Equal(m.rt, wantAnswered, answered)
	require.Equal(m.rt, wantOthers, others)
}

// said is a final line in short: its row, its class and the round that decided.
func (m *model) said(line, kind string) string {
	var row struct {
		CustomID    string `json:"custom_id"`
		Class       string `json:"class"`
		Batchkeeper struct {
			Round int `json:"round"`
		} `json:"batchkeeper"`
	}
	require.NoError(m.rt, json.Unmarshal([]byte(line), &row))
	require.Equal(m.rt, kind == "", row.Class == "")
	return fmt.Sprintf("%s %s %d", row.CustomID, row.Class, row.Batchkeeper.Round)
}
