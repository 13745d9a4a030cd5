package batch

import (
	"fmt"
	"slices"
	"strings"
)

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
	Odd      OddLines      `json:"odd,omitzero"`
}

// OddLines are lines of a provider's files that are no row's one answer. They
// change nothing about the rows.
type OddLines struct {
	Duplicates int64 `json:"duplicates"`
	Unmatched  int64 `json:"unmatched"`
	Malformed  int64 `json:"malformed"` // that could not be read
}

// Plus adds counts.
func (o OddLines) Plus(p OddLines) OddLines {
	return OddLines{Duplicates: o.Duplicates + p.Duplicates, Unmatched: o.Unmatched + p.Unmatched, Malformed: o.Malformed + p.Malformed}
}

// Attempt is where one round's word on the rows of a shard stands: a record's
// part about them, so that the final files are made without the record.
type Attempt struct {
	Round   int    `json:"r"`
	Unit    int    `json:"u"`
	BatchID string `json:"b,omitempty"`
	Rows    int64  `json:"n"`
	// Prefix is of the batch's own results, Segment the part of them; where the
	// batch has none, Absent says why.
	Prefix  string   `json:"x,omitempty"`
	Segment *Segment `json:"s,omitempty"`
	Absent  *Absence `json:"a,omitempty"`
	// Piece is the rows that were sent; nil: all of the shard.
	Piece *Piece `json:"p,omitempty"`
	// Odd is of the whole unit; the first of its pieces alone has it.
	Odd OddLines `json:"o,omitzero"`
}

// Attempt is what the record says of one piece of its unit.
func (r Record) Attempt(u PlannedUnit, piece int) (Attempt, error) {
	at := Attempt{Round: r.Round, Unit: r.Unit, BatchID: r.BatchID, Rows: u.PieceRows()[piece]}
	if u.Shard == nil {
		at.Piece = &u.Pieces[piece]
	}
	if piece == 0 {
		at.Odd = r.Odd
	}
	switch {
	case r.Nothing:
		at.Absent = &r.Absent
	case piece >= len(r.Segments):
		return at, fmt.Errorf("the record of unit %d of round %d has no segment %d: %w", r.Unit, r.Round, piece+1, ErrBroken)
	default:
		at.Prefix, at.Segment = r.Prefix, &r.Segments[piece]
	}
	return at, nil
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
