package batch

import (
	"errors"
	"fmt"
)

// Unit is what one batch of a round carries. In round 1 it is a shard, a range
// of the input; later it is made of pieces, what is left over of shards that
// follow one another. The pieces are in the plan alone: this is what travels
// through a workflow's history, and it is small whatever the unit is made of.
type Unit struct {
	Number int   `json:"n"` // from 1, in input order
	Rows   int64 `json:"rows"`
	Bytes  int64 `json:"bytes"`
	Tokens int64 `json:"tokens,omitempty"` // estimated input tokens
	// MaxOutput is the sum of the rows' output limits, for the estimate of the cost.
	MaxOutput int64 `json:"max_output,omitempty"`
	// At is where its round's plan says what it is made of.
	At    int64  `json:"at,omitempty"`
	Shard *Shard `json:"shard,omitempty"` // round 1
}

// PlannedUnit is a unit as its round's plan has it.
type PlannedUnit struct {
	Unit
	Pieces []Piece `json:"pieces,omitempty"` // none in round 1
}

// ErrBroken tells that the store has something else than what a run has written
// into it.
var ErrBroken = errors.New("not what was written")

// Check tells whether this is what the plan says of a unit that was read before.
func (p PlannedUnit) Check(u Unit) error {
	rows := int64(0)
	for _, piece := range p.Pieces {
		rows += piece.Rows
	}
	if p.Number != u.Number || p.Rows != u.Rows || u.Shard == nil && rows != u.Rows {
		return fmt.Errorf("the plan has unit %d of %d rows where unit %d of %d rows was: %w", p.Number, rows, u.Number, u.Rows, ErrBroken)
	}
	return nil
}

// PieceRows is how many rows each piece has; a shard is one piece.
func (p PlannedUnit) PieceRows() []int64 {
	if len(p.Pieces) == 0 {
		return []int64{p.Rows}
	}
	rows := make([]int64, len(p.Pieces))
	for i, piece := range p.Pieces {
		rows[i] = piece.Rows
	}
	return rows
}

// ShardOf is which shard the rows of a piece are of.
func (p PlannedUnit) ShardOf(piece int) int {
	if p.Shard != nil {
		return p.Shard.Number
	}
	return p.Pieces[piece].Shard
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
	// Tokens and MaxOutput are the estimates for its rows, as of a Unit.
	Tokens    int64 `json:"tokens,omitempty"`
	MaxOutput int64 `json:"max_output,omitempty"`
}

// MaxPieces bounds the pieces of one unit, and so its line of the plan and its
// record, at some 200 kB.
const MaxPieces = 1000

// UnitLimits bound one batch of a bulk run; zero fields mean no limit.
type UnitLimits struct {
	MaxRows   int64 `json:"max_rows,omitempty"`
	MaxBytes  int64 `json:"max_bytes,omitempty"`
	MaxTokens int64 `json:"max_tokens,omitempty"` // estimated input tokens
}

// UnitLimits are the profile's limits of one batch, as far as the job does not
// lower them.
func (p Profile) UnitLimits(job BulkJob, mode CreateMode) UnitLimits {
	return UnitLimits{
		MaxRows: lower(p.MaxRows, job.MaxRowsPerBatch), MaxBytes: lower(p.BytesLimit(mode), job.MaxBytesPerBatch), MaxTokens: p.MaxTokens,
	}
}

// lower is the lower of two limits, of which 0 is none.
func lower(limit, wish int64) int64 {
	if wish > 0 && (limit == 0 || wish < limit) {
		return wish
	}
	return limit
}

// Pack makes the units of a round from pieces in input order, each within the
// limits and of at most MaxPieces. A piece is never divided: it came from one unit.
func Pack(pieces []Piece, limits UnitLimits) []PlannedUnit {
	var units []PlannedUnit
	for _, p := range pieces {
		if n := len(units); n == 0 || !units[n-1].hasRoom(p, limits) {
			units = append(units, PlannedUnit{Unit: Unit{Number: n + 1}})
		}
		u := &units[len(units)-1]
		u.Pieces = append(u.Pieces, p)
		u.Rows += p.Rows
		u.Bytes += p.Range.Length
		u.Tokens += p.Tokens
		u.MaxOutput += p.MaxOutput
	}
	return units
}

func (p PlannedUnit) hasRoom(next Piece, limits UnitLimits) bool {
	return len(p.Pieces) < MaxPieces && !over(p.Rows+next.Rows, limits.MaxRows) &&
		!over(p.Bytes+next.Range.Length, limits.MaxBytes) && !over(p.Tokens+next.Tokens, limits.MaxTokens)
}

func over(value, limit int64) bool { return limit > 0 && value > limit }
