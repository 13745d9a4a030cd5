package batch

import (
	"slices"
	"strings"
)

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
// limits. A piece is never divided: it came from one unit.
func Pack(pieces []Piece, limits UnitLimits) []Unit {
	var units []Unit
	for _, p := range pieces {
		tokens := (p.Range.Length + bytesPerToken - 1) / bytesPerToken
		if n := len(units); n == 0 || over(units[n-1].Rows+p.Rows, limits.MaxRows) || over(units[n-1].Bytes+p.Range.Length, limits.MaxBytes) ||
			over(units[n-1].Tokens+tokens, limits.MaxTokens) {
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
