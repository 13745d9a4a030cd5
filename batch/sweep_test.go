package batch_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper/batch"
)

func TestParseSweepJob(t *testing.T) {
	for name, tc := range map[string]struct {
		raw, refused string
		want         batch.SweepJob
	}{
		"nothing":  {"", "", batch.SweepJob{}},
		"defaults": {"{}", "", batch.SweepJob{}},
		"all": {`{"cancel":true,"max_age":"2h","since":"48h","profile":"p"}`, "", batch.SweepJob{
			Cancel: true, MaxAge: batch.Duration(2 * time.Hour), Since: batch.Duration(48 * time.Hour), Profile: "p",
		}},
		"a mistyped name": {`{"cancle":true}`, `unknown field "cancle"`, batch.SweepJob{}},
		"two values":      {`{} {}`, "more than one", batch.SweepJob{}},
		"a bare number":   {`{"max_age":3600}`, "duration 3600", batch.SweepJob{}},
		"negative age":    {`{"max_age":"-1h"}`, "max_age -1h0m0s is negative", batch.SweepJob{}},
		"negative since":  {`{"since":"-1h"}`, "since -1h0m0s is negative", batch.SweepJob{}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := batch.ParseSweepJob([]byte(tc.raw))
			if tc.refused != "" {
				require.ErrorContains(t, err, tc.refused)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tc.want, got)
		})
	}
	require.Equal(t, batch.SweepJob{MaxAge: batch.Duration(26 * time.Hour), Since: batch.Duration(168 * time.Hour)}, batch.SweepJob{}.WithDefaults())
}

const (
	ours  = "b1"
	other = "b2"
	maker = "nightly"
)

// swept is one batch of ours, an hour old.
func swept(status batch.Status, change ...func(*batch.AccountBatch)) batch.AccountBatch {
	b := batch.AccountBatch{
		BatchID: ours, SessionID: maker + "~run", Status: status, CreatedAt: t0.Add(-time.Hour), Rows: 10,
		Cost: batch.Cost{Source: batch.CostUnknown},
	}
	for _, c := range change {
		c(&b)
	}
	return b
}

func old(b *batch.AccountBatch)  { b.CreatedAt = t0.Add(-27 * time.Hour) }
func lost(b *batch.AccountBatch) { b.Lost, b.Problem = true, "404" }

func openRun(batchID string) batch.Sighting {
	return batch.Sighting{WorkflowID: maker, Status: batch.RunOpen, BatchID: batchID}
}

// endedRun saw the end of its batch; goneRun left no result.
func endedRun(batchID string) batch.Sighting {
	return batch.Sighting{WorkflowID: maker, Status: batch.RunClosed, BatchID: batchID, Outcome: batch.OutcomeCompleted, Ended: true}
}

var (
	goneRun    = batch.Sighting{WorkflowID: maker, Status: batch.RunClosed}
	missingRun = batch.Sighting{WorkflowID: maker, Status: batch.RunMissing}
)

func madeBy(maker batch.Sighting) batch.Tracking { return batch.Tracking{Maker: maker} }

// adoptedBy is a batch with an adoption beside its maker, namedBy one with a run
// under another id.
func adoptedBy(maker, s batch.Sighting) batch.Tracking {
	s.WorkflowID = batch.AdoptID(ours)
	return batch.Tracking{Maker: maker, Adopter: s}
}

func namedBy(maker, s batch.Sighting) batch.Tracking {
	s.WorkflowID = "mine"
	return batch.Tracking{Maker: maker, Other: s}
}

func TestClassify(t *testing.T) {
	const live, completed = batch.StatusInProgress, batch.StatusCompleted
	unconfirmed := batch.Sighting{WorkflowID: maker, Status: batch.RunClosed, BatchID: ours, Outcome: batch.OutcomeCancelUnconfirmed}
	asked := openRun(ours)
	asked.CancelRequested = true
	mute := openRun("")
	mute.Problem = "no worker answers"
	rejected := batch.Sighting{Status: batch.RunClosed, Outcome: batch.OutcomeRejected}
	none, adopt, both, ask := batch.SweepMove{}, batch.SweepMove{Adopt: true}, batch.SweepMove{Adopt: true, Cancel: true}, batch.SweepMove{Cancel: true}
	for name, tc := range map[string]struct {
		batch    batch.AccountBatch
		seen     batch.Tracking
		class    batch.SweepClass // empty: no finding
		move     batch.SweepMove
		withStop batch.SweepMove // with cancel set
		count    string          // the figure of the report that it adds to
	}{
		"its run follows it":               {swept(live), madeBy(openRun(ours)), "", none, none, "followed"},
		"its run does not know yet":        {swept(live), madeBy(openRun("")), "", none, none, "followed"},
		"its run has another":              {swept(live), madeBy(openRun(other)), batch.SweepDuplicate, none, both, ""},
		"its run has another, it ended":    {swept(completed), madeBy(openRun(other)), batch.SweepDuplicate, none, none, ""},
		"its run ended with another":       {swept(live), madeBy(endedRun(other)), batch.SweepDuplicate, none, both, ""},
		"a duplicate that is adopted":      {swept(live), adoptedBy(openRun(other), openRun("")), "", none, none, "followed"},
		"a duplicate that was collected":   {swept(completed), adoptedBy(openRun(other), endedRun(ours)), "", none, none, "accounted"},
		"its run cannot be read":           {swept(live), madeBy(mute), batch.SweepUnknown, none, none, ""},
		"nobody looked":                    {swept(live), batch.Tracking{}, batch.SweepUnknown, none, none, ""},
		"of another namespace":             {swept(live), madeBy(missingRun), batch.SweepUnknown, none, none, ""},
		"of another namespace, old":        {swept(live, old), madeBy(missingRun), batch.SweepUnknown, none, none, ""},
		"of another namespace, ended":      {swept(completed), madeBy(missingRun), "", none, none, "elsewhere"},
		"of another namespace, adopted":    {swept(live), adoptedBy(missingRun, openRun(ours)), "", none, none, "followed"},
		"its run was terminated":           {swept(live), madeBy(goneRun), batch.SweepOrphan, adopt, both, ""},
		"terminated, and it ended":         {swept(completed), madeBy(goneRun), batch.SweepOrphan, adopt, adopt, ""},
		"terminated, and adopted":          {swept(live), adoptedBy(goneRun, openRun("")), "", none, none, "followed"},
		"adopted under another name":       {swept(live), namedBy(goneRun, openRun(ours)), "", none, none, "followed"},
		"collected under another name":     {swept(completed), namedBy(goneRun, endedRun(ours)), "", none, none, "accounted"},
		"the adoption was terminated":      {swept(live), adoptedBy(goneRun, goneRun), batch.SweepOrphan, adopt, both, ""},
		"the adoption was rejected":        {swept(live), adoptedBy(goneRun, rejected), batch.SweepOrphan, none, both, ""},
		"collected":                        {swept(completed), madeBy(endedRun(ours)), "", none, none, "accounted"},
		"it ended while we looked":         {swept(live), madeBy(endedRun(ours)), "", none, none, "accounted"},
		"a run that gave up on its cancel": {swept(batch.StatusCancelling), madeBy(unconfirmed), batch.SweepOrphan, adopt, both, ""},
		"the same, ended since":            {swept(batch.StatusCancelled), madeBy(unconfirmed), batch.SweepOrphan, adopt, adopt, ""},
		"listed and not found":             {swept(batch.StatusSubmissionUnknown, lost), madeBy(goneRun), batch.SweepOrphan, none, none, ""},
		"too old":                          {swept(live, old), madeBy(openRun(ours)), batch.SweepOverAge, none, ask, "followed"},
		"too old, asked before":            {swept(live, old), madeBy(asked), batch.SweepOverAge, none, none, "followed"},
		"too old, but ended":               {swept(completed, old), madeBy(openRun(ours)), "", none, none, "followed"},
		"too old, and an orphan":           {swept(live, old), madeBy(goneRun), batch.SweepOrphan, adopt, both, ""},
		"no time of creation": {swept(live, func(b *batch.AccountBatch) { b.CreatedAt = time.Time{} }), madeBy(openRun(ours)),
			"", none, none, "followed"},
	} {
		t.Run(name, func(t *testing.T) {
			tc.seen.BatchID = ours
			for cancel, move := range map[bool]batch.SweepMove{false: tc.move, true: tc.withStop} {
				r := batch.Classify(t0, batch.SweepJob{Cancel: cancel}, batch.Account{Batches: []batch.AccountBatch{tc.batch}}, []batch.Tracking{tc.seen})
				count := map[string]int{"followed": r.Followed, "accounted": r.Accounted, "elsewhere": r.Elsewhere}
				for what, n := range count {
					require.Equal(t, what == tc.count, n == 1, "%s: %d", what, n)
				}
				if tc.class == "" {
					require.Empty(t, r.Findings)
					require.Empty(t, r.Sums)
					continue
				}
				require.Len(t, r.Findings, 1)
				f := r.Findings[0]
				require.Equal(t, tc.class, f.Class)
				require.Equal(t, move, f.Move, "cancel %t", cancel)
				require.Equal(t, batch.SweepReported, f.Action, "nothing is done yet")
				require.Equal(t, maker, f.WorkflowID)
				require.Equal(t, f.Age.Std() > 26*time.Hour && !f.Status.IsTerminal(), f.OverAge)
				if move == none && cancel {
					require.NotEmpty(t, f.Problem, "why nothing is done")
				}
			}
		})
	}
}

func TestABatchWithoutAnAnswerIsNotTouched(t *testing.T) {
	r := batch.Classify(t0, batch.SweepJob{Cancel: true}, batch.Account{Batches: []batch.AccountBatch{swept(batch.StatusInProgress)}}, nil)
	require.Equal(t, batch.SweepUnknown, r.Findings[0].Class)
	require.Zero(t, r.Findings[0].Move)
}

func TestCostOf(t *testing.T) {
	prices := batch.Prices{InputUSDPerMillion: 1, OutputUSDPerMillion: 2}
	for name, tc := range map[string]struct {
		prices         batch.Prices
		usage, billing string
		want           batch.Cost
	}{
		"billed":               {prices, `{"input_tokens":5,"cost_nanos":7}`, `{"cost_nanos":9}`, batch.Cost{Nanos: 9, Source: batch.CostBilled}},
		"billed nothing":       {prices, "", `{"cost_nanos":0}`, batch.Cost{Source: batch.CostBilled}},
		"in the usage":         {prices, `{"cost_nanos":7}`, `{"cost_nanos":null}`, batch.Cost{Nanos: 7, Source: batch.CostBilled}},
		"priced":               {prices, `{"input_tokens":1000,"output_tokens":500}`, "", batch.Cost{Nanos: 2_000_000, Source: batch.CostPriced}},
		"tokens, no price":     {batch.Prices{}, `{"input_tokens":1000}`, "", batch.Cost{Source: batch.CostUnknown}},
		"a price, no tokens":   {prices, `{"input_tokens":0}`, "", batch.Cost{Source: batch.CostUnknown}},
		"nothing":              {prices, "", "", batch.Cost{Source: batch.CostUnknown}},
		"figures of some kind": {prices, `[]`, `"x"`, batch.Cost{Source: batch.CostUnknown}},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tc.want, batch.CostOf(tc.prices, json.RawMessage(tc.usage), json.RawMessage(tc.billing)))
		})
	}
}

func TestTheUrgentComesFirst(t *testing.T) {
	account := batch.Account{Batches: []batch.AccountBatch{
		swept(batch.StatusInProgress, func(b *batch.AccountBatch) { b.BatchID = "unknown" }),
		swept(batch.StatusInProgress, old, func(b *batch.AccountBatch) { b.BatchID = "old" }),
		swept(batch.StatusInProgress, func(b *batch.AccountBatch) { b.BatchID = "duplicate" }),
		swept(batch.StatusInProgress, func(b *batch.AccountBatch) { b.BatchID = "orphan" }),
		swept(batch.StatusInProgress, old, func(b *batch.AccountBatch) { b.BatchID = "old orphan" }),
	}}
	r := batch.Classify(t0, batch.SweepJob{}, account, []batch.Tracking{
		{BatchID: "unknown", Maker: missingRun}, {BatchID: "old", Maker: openRun("old")}, {BatchID: "duplicate", Maker: openRun(other)},
		{BatchID: "orphan", Maker: goneRun}, {BatchID: "old orphan", Maker: goneRun},
	})
	ids := []string{}
	for _, f := range r.Findings {
		ids = append(ids, f.BatchID)
	}
	require.Equal(t, []string{"old orphan", "orphan", "duplicate", "old", "unknown"}, ids)
}
