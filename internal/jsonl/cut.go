package jsonl

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// defaultMemory is what the search for duplicates may use. It is small on
// purpose: sorting within the processor's cache is fast, and some 60 bytes a row
// of temporary space are cheap beside the rows.
const defaultMemory = 4 << 20

// spoolBuffer is how much of a temporary file is held in memory at most.
const spoolBuffer = 64 << 10

// Cut checks every row of an input of any size in one pass, and cuts the input
// into shards. The same input gives the same shards and the same bytes.
type Cut struct {
	Input io.Reader
	// Rules are those of the rows; MaxRows and MaxBytes in them do not count.
	Rules Rules
	// MaxRows, MaxBytes and MaxTokens bound a shard: its rows, good or bad, all
	// its bytes, and the estimated input tokens of its good rows; 0: no limit. A
	// line that alone has more bytes is a bad row and a shard of its own; a row
	// that alone has more tokens is a shard of its own. A line longer than
	// Rules.MaxLine begins a shard.
	MaxRows, MaxBytes, MaxTokens int64
	// Spill makes temporary space, in all some 60 bytes a row and its custom_id;
	// where the rows are too many to be sorted in one merge, 32 bytes a row more.
	// It is not asked for a small input; nil is an error once it is needed. All
	// of it is closed again, also after an error.
	Spill func() (Spill, error)
	// Memory is how many bytes the search for duplicate ids may use; 0: 4 MiB,
	// which sorts 75 million rows in one merge.
	Memory int
	// Invalid takes every bad line as one JSON line, in line order; nil discards.
	// Nothing is flushed after an error.
	Invalid io.Writer
	// Progress, which may be nil, is told how much is read, about once a MiB and
	// at the end, and the same again while duplicates are searched.
	Progress func(rows, bytes int64)
}

// Survey is what a cut found. Its Bad counts the bad lines, which Invalid does
// too, and the problems of the whole input: none of its shards may be sent then.
type Survey struct {
	Summary
	// Shards cover the whole input in order, without gap or overlap.
	Shards []Shard
	// Invalid counts the bad lines.
	Invalid int64
	// InputTokens and MaxOutputTokens are estimates for the good rows: a quarter
	// of the body's bytes, rounded up row by row, and the sum of the token limits
	// that rows set, none over 1,000,000.
	InputTokens, MaxOutputTokens int64
}

// Batches is how many shards have rows to send; the bad rows of the others are
// all that there is of them.
func (s Survey) Batches() int {
	n := 0
	for _, shard := range s.Shards {
		if shard.Rows > 0 {
			n++
		}
	}
	return n
}

// Shard is a contiguous byte range of the input, its blank and bad lines included.
type Shard struct {
	// Number counts from 1 in input order.
	Number int
	// Offset and Length are the range; FirstLine is the number of its first line.
	Offset, Length, FirstLine int64
	// Rows counts its good rows, Invalid its bad lines.
	Rows, Invalid int64
	// InputTokens and MaxOutputTokens are estimates for its good rows.
	InputTokens, MaxOutputTokens int64
	// SHA256 is the lower-case hexadecimal digest of the range.
	SHA256 string
	// InvalidOffset and InvalidLength are its part of the invalid lines.
	InvalidOffset, InvalidLength int64
}

// Run cuts. What is wrong with the input is in the survey; an error means that it
// could not be read, or the invalid lines not be written. Besides Memory it needs
// room for one line and about 200 bytes a shard.
func (c Cut) Run(ctx context.Context) (Survey, error) {
	run := newCutter(ctx, c)
	err := run.run()
	if err = errors.Join(err, run.scratch.release()); err != nil {
		return Survey{}, fmt.Errorf("cut input: %w", err)
	}
	return run.survey, nil
}
