package jsonl

import (
	"context"
	"fmt"
	"io"
)

// Leftovers finds the rows of a finished batch that are worth another try. The
// same input gives the same bytes.
type Leftovers struct {
	// Input is the rows in the order of the batch; FirstLine is the number of its
	// first line in the whole input, 0 meaning 1.
	Input     io.Reader
	FirstLine int64
	// Skip, which may be nil, is the invalid lines in Input that were not sent, in
	// order, each a JSON object whose line is its number in the whole input. Those
	// of other parts do no harm.
	Skip io.Reader
	// Failures is what Join wrote for the rows without an answer. Where the batch
	// gave nothing at all it is nil, and Absent says why.
	Failures io.Reader
	Absent   Absent
	// RetryCancelled tells that nobody here asked to cancel.
	RetryCancelled bool
	// Pieces is how many rows each part of the batch has, in order; none: there
	// is one part.
	Pieces []int64
	// MaxLine is the longest row in bytes, its end included; 0: DefaultMaxLine.
	MaxLine int
	// Output takes the leftovers, byte for byte, each ending with LF; nil discards.
	// Nothing is flushed after an error.
	Output io.Writer
	// Progress, which may be nil, is told how many rows are read, about once a MiB
	// of reading and at the end.
	Progress func(rows int64)
}

// Absent is what is said of rows of which no line says anything.
type Absent struct {
	// Class is one of the classes of a row without an answer.
	Class string
	// Cause is why, for people: "not sent: cancelled".
	Cause string
}

func (a Absent) failure() Failure { return Failure{Class: a.Class, Code: a.Cause} }

// LeftoverTally says where a batch's rows went:
// Rows = Answered + Failed + Retry.
type LeftoverTally struct {
	Rows, Answered int64
	// Failed counts the rows that failed for good, Retry those worth another try.
	Failed, Retry Classes
	// Pieces is the leftovers of each piece.
	Pieces []Leftover
	// Causes says why rows failed for good, RetryCauses why the others did: the
	// first 32 of each, then OtherCauses.
	Causes, RetryCauses map[string]int64
}

// Leftover is what one piece left over.
type Leftover struct {
	Span
	// InputTokens and MaxOutputTokens are estimates for its rows, as in a Survey.
	InputTokens, MaxOutputTokens int64
}

// Span is a byte range that holds whole lines, and how many.
type Span struct {
	Offset, Length, Rows int64
}

// Run finds the leftovers. Memory does not grow with the number of rows.
func (l Leftovers) Run(ctx context.Context) (LeftoverTally, error) {
	if l.Failures == nil && !knownClass(l.Absent.Class) {
		return LeftoverTally{}, fmt.Errorf("leftovers: %q is no class for a row without an answer", l.Absent.Class)
	}
	s := &sieve{Leftovers: l, why: newFailureReader(), kept: newRowReader(nil), out: buffered(l.Output), causes: causes{}, retried: causes{}, piece: -1}
	from := reading{ctx: ctx, maxLine: lineLimit(l.MaxLine), tell: s.tell}
	s.walk = from.walk(l.Input, l.Skip, l.FirstLine)
	s.failures = from.feed("failures", l.Failures, s.why.read)
	for _, step := range []func() error{s.rows, s.failures.drained, s.endPieces, s.out.Flush} {
		if err := step(); err != nil {
			return LeftoverTally{}, fmt.Errorf("leftovers: %w", err)
		}
	}
	s.tell()
	s.tally.Causes, s.tally.RetryCauses = s.causes, s.retried
	return s.tally, nil
}
