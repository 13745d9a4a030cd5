package jsonl

import (
	"bufio"
	"context"
	"fmt"
	"io"
)

// Clean copies the rows of a part of an input without the lines that were set
// aside as invalid. Blank lines are not copied, and every row ends with LF.
type Clean struct {
	// Input is the part; FirstLine is the number of its first line in the whole
	// input, 0 meaning 1.
	Input     io.Reader
	FirstLine int64
	// Skip, which may be nil, is the invalid lines in order, each a JSON object
	// whose line is its number in the whole input. Those of other parts do no harm.
	Skip io.Reader
	// MaxLine is the longest row in bytes, its end included; 0: DefaultMaxLine.
	MaxLine int
	// Output takes the rows; nil discards. Nothing is flushed after an error.
	Output io.Writer
	// Progress, which may be nil, is told how many rows are written, about once a
	// MiB of reading and at the end.
	Progress func(rows int64)
}

// Cleaned says what a Clean has written and left out.
type Cleaned struct {
	Rows, Bytes, Skipped int64
}

// Run copies. Memory does not grow with the number of rows.
func (c Clean) Run(ctx context.Context) (Cleaned, error) {
	var done Cleaned
	tell := func() {
		if c.Progress != nil {
			c.Progress(done.Rows)
		}
	}
	walk := reading{ctx: ctx, maxLine: lineLimit(c.MaxLine), tell: tell}.walk(c.Input, c.Skip, c.FirstLine)
	if err := walk.copyTo(buffered(c.Output), &done); err != nil {
		return Cleaned{}, fmt.Errorf("clean: %w", err)
	}
	tell()
	return done, nil
}

func lineLimit(maxLine int) int {
	if maxLine <= 0 {
		return DefaultMaxLine
	}
	return maxLine
}

func (w *rowWalk) copyTo(out *bufio.Writer, done *Cleaned) error {
	for {
		there, err := w.next()
		if err != nil {
			return err
		}
		if !there {
			return out.Flush()
		}
		if w.invalid {
			done.Skipped++
			continue
		}
		done.Rows++
		done.Bytes += int64(len(w.line.Text)) + 1
		if err := writeLine(out, w.line.Text); err != nil {
			return err
		}
	}
}
