package jsonl

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
)

// The classes of a row without an answer.
const (
	ClassRowError  = "row_error"
	ClassExpired   = "expired"
	ClassCancelled = "cancelled"
	ClassMissing   = "missing"
)

// Source is one of the provider's files, local and not changing.
type Source struct {
	R    io.ReaderAt
	Size int64
	// Name stands in messages and beside lines that cannot be read.
	Name string
}

// Join sorts a provider's answers to the rows that were asked. The same input
// gives the same bytes.
type Join struct {
	// Input is the rows in order.
	Input io.Reader
	// Answers are the output file, then the error file; either may lack.
	Answers []Source
	// Absent is the class of a row that no line answers: ClassMissing,
	// ClassExpired or ClassCancelled.
	Absent string
	// MaxLine is the longest line in bytes, its end included; 0: DefaultMaxLine.
	// A longer answer counts as malformed, a longer row is an error.
	MaxLine int
	// Results takes the answered rows in input order, each the provider's line as
	// sent; Failures the other rows in input order; Unmatched the lines that
	// answer no row. A nil one discards. Nothing is flushed after an error.
	Results, Failures, Unmatched io.Writer
	// Progress, which may be nil, is told how many rows are written, about once a
	// MiB of reading and once all are.
	Progress func(rows int64)
}

// Tally says where everything went:
// Rows = Succeeded + Failed + Expired + Cancelled + Missing.
type Tally struct {
	Rows      int64
	Succeeded int64
	Failed    int64 // answered with an error
	Expired   int64
	Cancelled int64
	Missing   int64
	// Duplicates are further lines for a row that has one; they are dropped.
	Duplicates int64
	// Unmatched are lines for an id nobody asked for.
	Unmatched int64
	// Malformed are lines that do not say which row they answer.
	Malformed int64
	// Usage sums the answered rows.
	Usage Usage
}

// place is where the best line for a custom_id stands.
type place struct {
	offset int64
	sum    uint64 // of the line
	usage  Usage
	length int32
	source int16 // noSource: the row was asked and has no line
	ok     bool  // the line is a success
	asked  bool  // a row with this id was seen
}

const noSource = -1

type joiner struct {
	Join
	ctx     context.Context // lives as long as one Run
	seed    maphash.Seed
	answers *answerReader
	index   map[digest128]place
	lines   int64 // lines in the answers
	used    int64 // lines that became a row's answer
	tally   Tally
	read    []byte // a line read back
	out     []byte // a line being built
	results *bufio.Writer
	failed  *bufio.Writer
	stray   *bufio.Writer
}

// Run joins. Memory grows with the number of rows, about 100 bytes each.
func (j Join) Run(ctx context.Context) (Tally, error) {
	switch j.Absent {
	case ClassMissing, ClassExpired, ClassCancelled:
	default:
		return Tally{}, fmt.Errorf("join: %q is no class for a row without an answer", j.Absent)
	}
	if j.MaxLine <= 0 {
		j.MaxLine = DefaultMaxLine
	}
	run := &joiner{
		Join: j, ctx: ctx, seed: maphash.MakeSeed(), answers: newAnswerReader(), index: map[digest128]place{},
		results: buffered(j.Results), failed: buffered(j.Failures), stray: buffered(j.Unmatched),
	}
	for _, step := range []func() error{run.indexAnswers, run.joinRows, run.keepStrays, run.flush} {
		if err := step(); err != nil {
			return Tally{}, fmt.Errorf("join: %w", err)
		}
	}
	return run.tally, nil
}

func buffered(w io.Writer) *bufio.Writer {
	if w == nil {
		w = io.Discard
	}
	return bufio.NewWriterSize(w, 64<<10)
}

func (r *joiner) flush() error {
	return errors.Join(r.results.Flush(), r.failed.Flush(), r.stray.Flush())
}
