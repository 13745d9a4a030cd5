package batch

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Defaults of a bulk run.
const (
	DefaultRounds = 3
	// DefaultMaxInFlight is how many batches a run keeps going where neither the
	// job nor the profile says; what the account allows in all is the governor's.
	DefaultMaxInFlight = 20
	MaxRounds          = 20
	maxMaxInFlight     = 1000
)

// OnBadRows says what becomes of an input with bad rows.
type OnBadRows string

// What can become of an input with bad rows.
const (
	RejectBadRows     OnBadRows = "reject"     // the run ends before anything is sent
	QuarantineBadRows OnBadRows = "quarantine" // they land in the failures, the others are sent
)

// BulkJob are the fields of a job that only BulkWorkflow takes.
type BulkJob struct {
	// MaxRowsPerBatch and MaxBytesPerBatch lower the profile's limits.
	MaxRowsPerBatch  int64 `json:"max_rows_per_batch,omitempty"`
	MaxBytesPerBatch int64 `json:"max_bytes_per_batch,omitempty"`
	// MaxInFlight is how many batches the run keeps going at a time.
	MaxInFlight int `json:"max_in_flight,omitempty"`
	// Rounds is how often a row is sent at most.
	Rounds int `json:"rounds,omitempty"`
	// BudgetUSD stops new batches once what was spent, and what the live ones are
	// expected to cost, reaches it; 0: no limit.
	BudgetUSD  float64     `json:"budget_usd,omitempty"`
	OnBadRows  OnBadRows   `json:"on_bad_rows,omitempty"`
	Downstream *Downstream `json:"downstream,omitempty"`
}

// Downstream starts a workflow of the user's for each page of answered rows.
type Downstream struct {
	Workflow    string `json:"workflow"`             // its registered name
	TaskQueue   string `json:"task_queue,omitempty"` // empty: this run's own
	RowsPerPage int64  `json:"rows_per_page,omitempty"`
	MaxParallel int    `json:"max_parallel,omitempty"`
}

// Defaults and bounds of a downstream.
const (
	DefaultRowsPerPage = 1000
	DefaultMaxParallel = 10
	minRowsPerPage     = 10
)

// any tells whether a field is set that only BulkWorkflow takes.
func (b BulkJob) names() []string {
	var out []string
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"max_rows_per_batch", b.MaxRowsPerBatch != 0}, {"max_bytes_per_batch", b.MaxBytesPerBatch != 0},
		{"max_in_flight", b.MaxInFlight != 0}, {"rounds", b.Rounds != 0}, {"budget_usd", b.BudgetUSD != 0},
		{"on_bad_rows", b.OnBadRows != ""}, {"downstream", b.Downstream != nil},
	} {
		if f.set {
			out = append(out, f.name)
		}
	}
	return out
}

// ValidateSingle refuses what only BulkWorkflow takes.
func (b BulkJob) ValidateSingle() error {
	if names := b.names(); len(names) > 0 {
		return fmt.Errorf("%s: only %s takes it", strings.Join(names, ", "), WorkflowBulk)
	}
	return nil
}

// ValidateBulk says all that keeps the job from running as a bulk run.
func (j Job) ValidateBulk() error {
	var errs []error
	if j.Input == "" {
		errs = append(errs, errors.New("input: a bulk run needs it: the rows are cut from it"))
	}
	if j.InputFileID != "" || j.BatchID != "" || j.InputRange != nil {
		errs = append(errs, errors.New("input_file_id, batch_id, input_range: a bulk run makes its own batches from input"))
	}
	b := j.BulkJob
	for _, f := range []struct {
		name   string
		value  int64
		lo, hi int64
	}{
		{"max_rows_per_batch", b.MaxRowsPerBatch, 0, 1 << 40}, {"max_bytes_per_batch", b.MaxBytesPerBatch, 0, 1 << 50},
		{"max_in_flight", int64(b.MaxInFlight), 0, maxMaxInFlight}, {"rounds", int64(b.Rounds), 0, MaxRounds},
	} {
		if f.value < f.lo || f.value > f.hi {
			errs = append(errs, fmt.Errorf("%s: %d: want 0 (the default) to %d", f.name, f.value, f.hi))
		}
	}
	if b.BudgetUSD < 0 {
		errs = append(errs, fmt.Errorf("budget_usd: %g is negative", b.BudgetUSD))
	}
	if !slices.Contains([]OnBadRows{"", RejectBadRows, QuarantineBadRows}, b.OnBadRows) {
		errs = append(errs, fmt.Errorf("on_bad_rows: %q is neither reject nor quarantine", b.OnBadRows))
	}
	return errors.Join(append(errs, b.Downstream.validate())...)
}

func (d *Downstream) validate() error {
	switch {
	case d == nil:
		return nil
	case d.Workflow == "":
		return errors.New("downstream: workflow, the name of the workflow to start for each page, is needed")
	case d.RowsPerPage != 0 && d.RowsPerPage < minRowsPerPage:
		return fmt.Errorf("downstream: rows_per_page %d: want at least %d", d.RowsPerPage, minRowsPerPage)
	case d.MaxParallel < 0 || d.MaxParallel > maxMaxInFlight:
		return fmt.Errorf("downstream: max_parallel %d: want 1 to %d", d.MaxParallel, maxMaxInFlight)
	}
	return nil
}

// Unit is what one batch of a round carries. In round 1 it is a shard, a range
// of the input; later it is made of pieces, what is left over of shards that
// follow one another.
type Unit struct {
	Number int   `json:"n"` // from 1, in input order
	Rows   int64 `json:"rows"`
	Bytes  int64 `json:"bytes"`
	Tokens int64 `json:"tokens,omitempty"` // estimated input tokens
	// MaxOutput is the sum of the rows' output limits, for the estimate of the cost.
	MaxOutput int64   `json:"max_output,omitempty"`
	Shard     *Shard  `json:"shard,omitempty"` // round 1
	Pieces    []Piece `json:"pieces,omitempty"`
}

// Shard is a contiguous byte range of the input, small enough for one batch.
type Shard struct {
	Number    int    `json:"n"`
	Range     Range  `json:"range"`
	FirstLine int64  `json:"first_line"`
	Rows      int64  `json:"rows"` // that are sent
	Invalid   int64  `json:"invalid,omitempty"`
	Bad       *Range `json:"bad,omitempty"` // its part of the list of quarantined lines
	SHA256    string `json:"sha256,omitempty"`
}

// Piece is the part of a unit that belongs to one shard: a range of what the
// settling of a unit of the round before left over.
type Piece struct {
	Shard int   `json:"shard"`
	From  int   `json:"from"` // unit of the round before
	Range Range `json:"range"`
	Rows  int64 `json:"rows"`
}

// Pack makes the units of a round from pieces in input order, each within the
// limits; 0 means no limit. A piece is never divided: it came from one unit.
func Pack(pieces []Piece, maxRows, maxBytes, maxTokens int64) []Unit {
	var units []Unit
	for _, p := range pieces {
		tokens := (p.Range.Length + bytesPerToken - 1) / bytesPerToken
		if n := len(units); n == 0 || over(units[n-1].Rows+p.Rows, maxRows) || over(units[n-1].Bytes+p.Range.Length, maxBytes) ||
			over(units[n-1].Tokens+tokens, maxTokens) {
			units = append(units, Unit{Number: n + 1})
		}
		u := &units[len(units)-1]
		u.Pieces = append(u.Pieces, p)
		u.Rows += p.Rows
		u.Bytes += p.Range.Length
		u.Tokens += tokens
	}
	return units
}

// bytesPerToken is how many bytes of a row make a token of the estimate.
const bytesPerToken = 4

func over(value, limit int64) bool { return limit > 0 && value > limit }

// Attempt is where the rows of a shard were sent in one round.
type Attempt struct {
	Round int `json:"r"`
	Unit  int `json:"u"`
	// Index is which piece of the unit, Piece the piece; nil in round 1, where the
	// unit is the shard.
	Index int    `json:"i,omitempty"`
	Piece *Piece `json:"p,omitempty"`
}

// Record is what the settling of a unit found, as it is kept in the store.
type Record struct {
	Round    int           `json:"round"`
	Unit     int           `json:"unit"`
	BatchID  string        `json:"batch_id,omitempty"`
	Outcome  Outcome       `json:"outcome"`
	Prefix   string        `json:"prefix"`            // of the batch's own results
	Nothing  bool          `json:"nothing,omitempty"` // it has none
	Absent   Absence       `json:"absent,omitzero"`   // and then this became of every row
	Counts   BulkCounts    `json:"counts"`
	Money    Money         `json:"money"`
	Segments []Segment     `json:"segments"` // by piece
	Left     []Piece       `json:"left,omitempty"`
	Causes   []Cause       `json:"causes,omitempty"`
	Pages    []PageSegment `json:"pages,omitempty"`
}

// Absence is what became of rows that the gateway said nothing about.
type Absence struct {
	Class string `json:"class"`
	Cause string `json:"cause"`
}

// Segment is where one piece's rows stand in the results of its unit.
type Segment struct {
	Results  Range `json:"results"`
	Failures Range `json:"failures"`
}

// PageSegment is a part of a unit's answered rows.
type PageSegment struct {
	Range Range `json:"range"`
	Rows  int64 `json:"rows"`
}

// Cause is why rows failed, and how many.
type Cause struct {
	Cause string `json:"cause"`
	Rows  int64  `json:"rows"`
}

// AddCauses adds counts of causes, the most frequent first, at most n of them.
func AddCauses(to, more []Cause, n int) []Cause {
	out := slices.Clone(to)
	for _, c := range more {
		if i := slices.IndexFunc(out, func(o Cause) bool { return o.Cause == c.Cause }); i >= 0 {
			out[i].Rows += c.Rows
		} else {
			out = append(out, c)
		}
	}
	slices.SortStableFunc(out, func(a, b Cause) int {
		return int(min(1, max(-1, b.Rows-a.Rows)))*2 + strings.Compare(a.Cause, b.Cause)
	})
	if len(out) > n {
		out = out[:n]
	}
	return out
}

// BulkCounts says where rows went:
// all = Answered + RowErrors + Expired + Missing + Cancelled + Invalid + Open.
type BulkCounts struct {
	Answered  int64 `json:"answered"`
	RowErrors int64 `json:"row_errors"`
	Expired   int64 `json:"expired"`
	Missing   int64 `json:"missing"`
	Cancelled int64 `json:"cancelled"`
	Invalid   int64 `json:"invalid"`
	// Open are worth another try, and still to be sent.
	Open int64 `json:"open,omitempty"`
}

// Failed is the number of rows that ended without an answer, by the provider.
func (c BulkCounts) Failed() int64 { return c.RowErrors + c.Expired + c.Missing }

// Sum is the number of rows that the counts account for.
func (c BulkCounts) Sum() int64 { return c.Answered + c.Failed() + c.Cancelled + c.Invalid + c.Open }

// Plus adds counts.
func (c BulkCounts) Plus(o BulkCounts) BulkCounts {
	return BulkCounts{
		Answered: c.Answered + o.Answered, RowErrors: c.RowErrors + o.RowErrors, Expired: c.Expired + o.Expired,
		Missing: c.Missing + o.Missing, Cancelled: c.Cancelled + o.Cancelled, Invalid: c.Invalid + o.Invalid, Open: c.Open + o.Open,
	}
}

// Conserve is the law that no row is lost or doubled.
func (c BulkCounts) Conserve(rows int64) error {
	if c.Open == 0 && c.Sum() == rows {
		return nil
	}
	return fmt.Errorf("%d rows were inspected, %d accounted for: %d answered, %d failed, %d invalid, %d cancelled, %d open",
		rows, c.Sum(), c.Answered, c.Failed(), c.Invalid, c.Cancelled, c.Open)
}

// Bulk is what a bulk run adds to the public state.
type Bulk struct {
	Shards int   `json:"shards"`
	Round  int   `json:"round"`
	Rounds int   `json:"rounds"` // at most
	Units  int   `json:"units"`  // batches of this round
	Ended  int   `json:"ended"`  // of them
	Rows   int64 `json:"rows"`   // of this round
	// Counts is where every row of the input stands.
	Counts BulkCounts `json:"counts"`
	// Live are the batches under way, and those that wait for capacity.
	Live []LiveBatch `json:"live,omitempty"`
	// Past is what each round came to.
	Past   []RoundSummary `json:"past,omitempty"`
	Money  Money          `json:"money"`
	Causes []Cause        `json:"causes,omitempty"` // of permanent failures, the most frequent first
	// Paused says why no batch is started; empty: none is held back.
	Paused    string           `json:"paused,omitempty"`
	Governor  string           `json:"governor,omitempty"` // workflow id of who meters the account
	MaxFlight int              `json:"max_in_flight"`
	Budget    float64          `json:"budget_usd,omitempty"`
	Cancelled *CancelSummary   `json:"cancelled,omitempty"`
	Published int              `json:"published,omitempty"` // shards
	Pages     *DownstreamState `json:"downstream,omitempty"`
	StartedAt time.Time        `json:"started_at"`
}

// LiveBatch is a batch of this round that has not ended.
type LiveBatch struct {
	WorkflowID string    `json:"workflow_id"`
	Stage      UnitStage `json:"stage"`
	Rows       int64     `json:"rows"`
	Try        int       `json:"try,omitempty"` // above 1: the gateway had no room before
	Since      time.Time `json:"since"`
	Problem    string    `json:"problem,omitempty"`
}

// RoundSummary is what a round came to.
type RoundSummary struct {
	Round    int   `json:"round"`
	Batches  int   `json:"batches"`
	Rows     int64 `json:"rows"`
	Answered int64 `json:"answered"`
	Again    int64 `json:"again"` // worth another try
	Money    Money `json:"money"`
}

// CancelSummary is what became of the batches that were live at a cancel.
type CancelSummary struct {
	Cancelled   int `json:"cancelled"`
	TooLate     int `json:"too_late"`
	Unconfirmed int `json:"unconfirmed"`
	NotSent     int `json:"not_sent"` // batches of this round that were never made
}

// DownstreamState is how far the downstream workflows are, in pages.
type DownstreamState struct {
	Started   int `json:"started"`
	Running   int `json:"running"`
	Completed int `json:"completed"`
	Failed    int `json:"failed"`
	Cancelled int `json:"cancelled"`
	NotRun    int `json:"not_run"` // never started, because the run was cancelled
	// Failures are the first pages that did not complete, by workflow id.
	Failures []string `json:"failures,omitempty"`
}
