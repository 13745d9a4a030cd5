package jsonl

import (
	"context"
	"fmt"
	"io"
)

// Segment is the lines about one piece of a batch, in its two files.
type Segment struct {
	Results, Failures Span
}

// Segments finds the lines about each piece of a batch in what Join wrote for it.
// The pieces are the numbers of their rows, in order. The input of the batch had
// no blank lines, as those that Leftovers and Clean write have none: a failure's
// line number says then which piece it is in, and the other rows are answered. A
// nil reader has no lines. Memory does not grow with the number of rows.
func Segments(ctx context.Context, results, failures io.Reader, pieces ...int64) ([]Segment, error) {
	why := newFailureReader()
	from := reading{ctx: ctx, maxLine: DefaultMaxLine}
	s := &segmenter{answers: from.lines(results, DefaultMaxLine), failures: from.feed("failures", failures, why.read), why: why}
	segments := make([]Segment, 0, len(pieces))
	for i, rows := range pieces {
		segment, err := s.piece(rows)
		if err != nil {
			return nil, fmt.Errorf("find the lines of piece %d: %w", i+1, err)
		}
		segments = append(segments, segment)
	}
	if err := s.ended(); err != nil {
		return nil, fmt.Errorf("find the lines of %d pieces: %w", len(pieces), err)
	}
	return segments, nil
}

type segmenter struct {
	answers  *Scanner
	failures *feed
	why      *failureReader
	before   int64 // the line number of the last failure
	rows     int64 // of the pieces so far
}

// piece passes the lines about the next rows.
func (s *segmenter) piece(rows int64) (Segment, error) {
	if rows < 0 {
		return Segment{}, fmt.Errorf("a piece of %d rows", rows)
	}
	s.rows += rows
	failed := Span{Offset: s.failures.end}
	for {
		there, err := s.failures.head()
		if err != nil {
			return Segment{}, err
		}
		if !there || s.why.line > s.rows {
			break
		}
		if s.why.line <= s.before {
			return Segment{}, fmt.Errorf("failures line %d: line %d is out of order", s.failures.line.Number, s.why.line)
		}
		s.before = s.why.line
		s.failures.take()
		failed.Rows++
	}
	failed.Length = s.failures.end - failed.Offset
	answered, err := s.pass(rows - failed.Rows)
	return Segment{Results: answered, Failures: failed}, err
}

// pass passes n answers.
func (s *segmenter) pass(n int64) (Span, error) {
	if s.answers == nil {
		if n > 0 {
			return Span{}, fmt.Errorf("no results for %d rows", n)
		}
		return Span{}, nil
	}
	span := Span{Offset: s.answers.Offset(), Rows: n}
	for i := range n {
		if s.answers.Scan() {
			continue
		}
		if err := s.answers.Err(); err != nil {
			return Span{}, fmt.Errorf("results: %w", err)
		}
		return Span{}, fmt.Errorf("the results have %d lines for %d rows", i, n)
	}
	span.Length = s.answers.Offset() - span.Offset
	return span, nil
}

// ended makes sure that all lines belong to a piece.
func (s *segmenter) ended() error {
	there, err := s.failures.head()
	if err != nil {
		return err
	}
	if there {
		return fmt.Errorf("failures line %d: line %d is behind the last of %d rows", s.failures.line.Number, s.why.line, s.rows)
	}
	if s.answers == nil {
		return nil
	}
	if s.answers.Scan() {
		return fmt.Errorf("results line %d is about no row", s.answers.Line().Number)
	}
	if err := s.answers.Err(); err != nil {
		return fmt.Errorf("results: %w", err)
	}
	return nil
}
