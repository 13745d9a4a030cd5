package jsonl

import (
	"context"
	"fmt"
	"io"
)

// Final makes the final files of one part of an input, a shard, out of what every
// round said about its rows: each row stands in exactly one file, once, in input
// order. The same input gives the same bytes.
type Final struct {
	// Input is the part; FirstLine is the number of its first line in the whole
	// input, 0 meaning 1.
	Input     io.Reader
	FirstLine int64
	// Skip, which may be nil, is the invalid lines in order, each a JSON object
	// whose line is its number in the whole input. Those of other parts do no harm.
	Skip io.Reader
	// Rounds is what became of the rows, in order; the last round that carried a
	// row decides. The first carried every row that is not invalid.
	Rounds []Round
	// Absent is what is said of the rows where there are no rounds.
	Absent Absent
	// MaxLine is the longest row or answer in bytes, its end included; 0:
	// DefaultMaxLine.
	MaxLine int
	// Results takes the answered rows: the provider's line with one more member,
	// batchkeeper, at its end. Failures takes the others as Join writes them, with
	// the line number in the whole input and the same member, and the invalid
	// lines as they are. A nil one discards. Nothing is flushed after an error.
	Results, Failures io.Writer
	// Progress, which may be nil, is told how many rows are written, about once a
	// MiB of reading and at the end.
	Progress func(rows int64)
}

// Round is what one round did with the rows of one part of the input.
type Round struct {
	// Number counts from 1; BatchID is empty where no batch was created.
	Number  int
	BatchID string
	// Rows is how many of the rows the round carried.
	Rows int64
	// Results and Failures are what Join wrote about these rows; nil: no lines.
	Results, Failures io.Reader
	// Absent, where it has a class, says that the batch gave nothing at all; there
	// are no Results and Failures then. Carried is the rows it carried, in order;
	// nil: every row.
	Absent  Absent
	Carried io.Reader
}

// FinalTally says where the rows went, the invalid ones included:
// Rows = Answered + Failed + Invalid.
type FinalTally struct {
	Rows, Answered, Invalid int64
	// Failed counts the other rows.
	Failed Classes
	// Unsent is how many of them no round carried.
	Unsent int64
	// Rounds is in the order of Final's.
	Rounds []RoundTally
	// Causes says why rows failed: the first 32, then OtherCauses.
	Causes map[string]int64
	// Usage sums the answered rows.
	Usage Usage
}

// RoundTally is how many rows a round has decided.
type RoundTally struct {
	Round            int
	Answered, Failed int64
}

// Run writes the final files. Memory does not grow with the number of rows: it
// holds one line of every file.
func (f Final) Run(ctx context.Context) (FinalTally, error) {
	m, err := newMerge(ctx, f)
	if err != nil {
		return FinalTally{}, fmt.Errorf("final files: %w", err)
	}
	for _, step := range []func() error{m.rows, m.drained, m.conserved, m.flush} {
		if err := step(); err != nil {
			return FinalTally{}, fmt.Errorf("final files: %w", err)
		}
	}
	m.tell()
	m.tally.Causes = m.causes
	return m.tally, nil
}
