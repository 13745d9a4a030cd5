package jsonl

import (
	"fmt"
	"io"
)

// rowWalk walks the lines of an input beside those that were set aside as invalid.
type rowWalk struct {
	lines *Scanner
	rows  *idReader
	skip  *feed
	bad   *invalidReader
	first int64 // the number of the first line in the whole input
	max   int   // the longest line in bytes

	line    Line
	number  int64 // of the line in the whole input
	invalid bool  // the line was set aside: skip.line says why
}

func (r reading) walk(rows, skip io.Reader, firstLine int64) *rowWalk {
	bad := &invalidReader{walker: newAnswerReader().walker}
	return &rowWalk{
		lines: r.lines(rows, r.maxLine), rows: newIDReader(), skip: r.feed("invalid lines", skip, bad.read), bad: bad,
		first: max(firstLine, 1), max: r.maxLine,
	}
}

// next moves to the next line that is not blank; false: there is none.
func (w *rowWalk) next() (bool, error) {
	if w.lines == nil {
		return false, nil
	}
	if !w.lines.Scan() {
		if err := w.lines.Err(); err != nil {
			return false, fmt.Errorf("input: %w", err)
		}
		return false, nil
	}
	w.line = w.lines.Line()
	w.number = w.first + w.line.Number - 1
	var err error
	if w.invalid, err = w.setAside(); err != nil || w.invalid {
		return w.invalid, err
	}
	if w.line.TooLong {
		return false, fmt.Errorf("input line %d: longer than %d bytes", w.number, w.max)
	}
	return true, nil
}

// setAside tells whether the line is the next invalid one. Invalid lines of other
// parts of the input may stand before and after those of this one.
func (w *rowWalk) setAside() (bool, error) {
	for {
		there, err := w.skip.head()
		if err != nil || !there || w.bad.line > w.number {
			return false, err
		}
		w.skip.take()
		if w.bad.line == w.number {
			return true, nil
		}
		if w.bad.line >= w.first {
			return false, fmt.Errorf("invalid lines line %d: there is no row in line %d, or it is out of order", w.skip.line.Number, w.bad.line)
		}
	}
}

// id is the row's custom_id, valid until the next one is read.
func (w *rowWalk) id() ([]byte, error) {
	id, err := w.rows.read(w.line.Text)
	if err != nil {
		return nil, fmt.Errorf("input line %d: %s", w.number, describe(err))
	}
	return id, nil
}

// invalidReader takes apart what says that a line was set aside.
type invalidReader struct {
	walker
	line int64
}

// read gives no id: an invalid line may have none.
func (r *invalidReader) read(line []byte) ([]byte, error) {
	r.line = 0
	if err := r.open(line); err != nil {
		return nil, err
	}
	for r.more() {
		name, err := r.name()
		if err != nil {
			return nil, err
		}
		isLine := string(name) == "line"
		raw, err := r.dec.ReadValue()
		if err != nil {
			return nil, err
		}
		if isLine {
			r.line = whole(raw)
		}
	}
	if err := r.close(); err != nil {
		return nil, err
	}
	if r.line < 1 {
		return nil, errNoLine
	}
	return nil, nil
}
