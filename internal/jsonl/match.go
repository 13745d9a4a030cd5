package jsonl

import (
	"fmt"
	"hash/maphash"
	"io"
)

func (r *joiner) tell() {
	if r.Progress != nil {
		r.Progress(r.tally.Rows)
	}
}

func (r *joiner) scan(from io.Reader) *Scanner {
	return NewScanner(&meter{ctx: r.ctx, r: from, tell: r.tell}, r.MaxLine)
}

// eachAnswer visits every line of every source in order.
func (r *joiner) eachAnswer(visit func(source int, line Line) error) error {
	for i, src := range r.Answers {
		lines := r.scan(io.NewSectionReader(src.R, 0, src.Size))
		for lines.Scan() {
			if err := visit(i, lines.Line()); err != nil {
				return err
			}
		}
		if err := lines.Err(); err != nil {
			return fmt.Errorf("%s: %w", src.Name, err)
		}
		if lines.Offset() != src.Size {
			return fmt.Errorf("%s: %d of %d bytes are there: %w", src.Name, lines.Offset(), src.Size, io.ErrUnexpectedEOF)
		}
	}
	return nil
}

// indexAnswers notes where the best line for each custom_id stands: a success
// before anything else, among equals the first.
func (r *joiner) indexAnswers() error {
	return r.eachAnswer(func(source int, line Line) error {
		r.lines++
		if line.TooLong || r.answers.read(line.Text) != nil {
			return nil
		}
		id := digestOf(r.answers.answer.customID)
		ok := r.answers.answer.succeeded()
		if best, known := r.index[id]; known && (best.ok || !ok) {
			return nil
		}
		r.index[id] = place{
			offset: line.Offset, length: int32(len(line.Text)), sum: maphash.Bytes(r.seed, line.Text),
			usage: r.answers.answer.usage.complete(), source: int16(source), ok: ok,
		}
		return nil
	})
}

// joinRows writes each row to one of the two files.
func (r *joiner) joinRows() error {
	rows := newIDReader()
	lines := r.scan(r.Input)
	for lines.Scan() {
		line := lines.Line()
		if line.TooLong {
			return fmt.Errorf("input line %d: longer than %d bytes", line.Number, r.MaxLine)
		}
		id, err := rows.read(line.Text)
		if err != nil {
			return fmt.Errorf("input line %d: %s", line.Number, describe(err))
		}
		if err := r.joinRow(id, line.Number); err != nil {
			return fmt.Errorf("input line %d: %w", line.Number, err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("input: %w", err)
	}
	r.tell()
	return nil
}

func (r *joiner) joinRow(id []byte, line int64) error {
	key := digestOf(id)
	at, known := r.index[key]
	if at.asked {
		return fmt.Errorf("custom_id %q stands in a line before", cut(string(id), maxShownID))
	}
	if !known {
		at = place{source: noSource}
	}
	at.asked = true
	r.index[key] = at
	r.tally.Rows++
	if !known {
		return r.fail(id, r.Absent, line, &answer{})
	}
	text, err := r.readBack(at)
	if err != nil {
		return err
	}
	r.used++
	if at.ok {
		r.tally.Succeeded++
		r.tally.Usage.add(at.usage)
		return writeLine(r.results, text)
	}
	if err := r.answers.read(text); err != nil {
		return err
	}
	return r.fail(id, classOf(&r.answers.answer), line, &r.answers.answer)
}

// readBack reads an indexed line again and makes sure that it is the same.
func (r *joiner) readBack(at place) ([]byte, error) {
	src := r.Answers[at.source]
	if cap(r.read) < int(at.length) {
		r.read = make([]byte, at.length)
	}
	text := r.read[:at.length]
	if n, err := src.R.ReadAt(text, at.offset); n < len(text) {
		return nil, fmt.Errorf("%s: read %d bytes at %d: %w", src.Name, len(text), at.offset, err)
	}
	if maphash.Bytes(r.seed, text) != at.sum {
		return nil, fmt.Errorf("%s: the line at byte %d is not the one read before: the file has changed", src.Name, at.offset)
	}
	return text, nil
}
