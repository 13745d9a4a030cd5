package jsonl

import (
	"bytes"
	"context"
	"fmt"
	"io"
)

// wrapping is by how much a line that Join or Final builds around a provider's
// line may exceed it, in bytes.
const wrapping = 16 << 10

// reading is what all readers of one walk share.
type reading struct {
	ctx     context.Context // lives as long as one Run
	maxLine int
	tell    func() // may be nil
}

// lines is nil where there is nothing to read.
func (r reading) lines(from io.Reader, maxLine int) *Scanner {
	if from == nil {
		return nil
	}
	return NewScanner(&meter{ctx: r.ctx, r: from, tell: r.tell}, maxLine)
}

// feed gives the lines of a file one at a time. The head stays until it is taken,
// so that several files in the same order can be walked side by side.
type feed struct {
	name  string
	lines *Scanner // nil: there are none
	parse func(line []byte) (id []byte, err error)
	line  Line
	id    []byte // of the head, valid until the next one is read
	held  bool
	taken int64
	end   int64 // where the lines that were taken end, in bytes
}

func (r reading) feed(name string, from io.Reader, parse func(line []byte) ([]byte, error)) *feed {
	return &feed{name: name, lines: r.lines(from, r.maxLine+wrapping), parse: parse}
}

// head makes sure that the next line is read; false: there is none.
func (f *feed) head() (bool, error) {
	if f.held || f.lines == nil {
		return f.held, nil
	}
	if !f.lines.Scan() {
		if err := f.lines.Err(); err != nil {
			return false, fmt.Errorf("%s: %w", f.name, err)
		}
		return false, nil
	}
	f.line = f.lines.Line()
	if f.line.TooLong {
		return false, fmt.Errorf("%s line %d: too long", f.name, f.line.Number)
	}
	id, err := f.parse(f.line.Text)
	if err != nil {
		return false, fmt.Errorf("%s line %d: %s", f.name, f.line.Number, describe(err))
	}
	f.id, f.held = id, true
	return true, nil
}

// take lets go of the head. Its text and id stay valid until head is called again.
func (f *feed) take() {
	f.held = false
	f.taken++
	f.end = f.lines.Offset()
}

// takeFor takes the head where it is the row's own.
func (f *feed) takeFor(id []byte) (bool, error) {
	there, err := f.head()
	if err != nil || !there || !bytes.Equal(f.id, id) {
		return false, err
	}
	f.take()
	return true, nil
}

// drained is an error where a line was not taken: it has no row, or the row
// stands elsewhere.
func (f *feed) drained() error {
	there, err := f.head()
	if err != nil || !there {
		return err
	}
	return fmt.Errorf("%s line %d: custom_id %q is not that of a row, or is out of order", f.name, f.line.Number, cut(string(f.id), maxShownID))
}
