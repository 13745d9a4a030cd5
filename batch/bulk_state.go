package batch

import (
	"fmt"
	"time"
)

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
	Past  []RoundSummary `json:"past,omitempty"`
	Money Money          `json:"money"`
	// AtRiskNanos is what batches may have cost besides whose end is not known.
	AtRiskNanos int64 `json:"at_risk_nanos,omitempty"`
	// Estimate is by the rows' length and the output that they allow, each sent once.
	Estimate Money   `json:"estimate"`
	Causes   []Cause `json:"causes,omitempty"` // of permanent failures, the most frequent first
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
	Told        int `json:"told"`
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
	// Unconfirmed were asked to stop and had not ended when the run did.
	Unconfirmed int `json:"unconfirmed,omitempty"`
	// Failures are the first pages that did not complete, by workflow id.
	Failures []string `json:"failures,omitempty"`
}
