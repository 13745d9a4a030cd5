package jsonl

import (
	"bytes"
	"unicode/utf8"
)

// stampName is the member that Final adds to a line.
const stampName = "batchkeeper"

// stampReader takes an answer apart and puts one more member into it.
type stampReader struct {
	answerReader
	members []part // in order, with the comma before them, without a stamp of before
	stamped bool   // the provider's line has such a member
}

// part is where something stands in a line.
type part struct{ start, end int64 }

func newStampReader() *stampReader {
	return &stampReader{answerReader: *newAnswerReader()}
}

// read takes one line apart and gives the row's id, valid until the next line.
func (r *stampReader) read(line []byte) ([]byte, error) {
	r.answer, r.members, r.stamped = answer{}, r.members[:0], false
	if !utf8.Valid(line) {
		return nil, errNotUTF8
	}
	if err := r.open(line); err != nil {
		return nil, err
	}
	for r.more() {
		start := r.dec.InputOffset()
		name, err := r.name()
		if err != nil {
			return nil, err
		}
		isStamp := string(name) == stampName
		if err := r.member(name); err != nil {
			return nil, err
		}
		if isStamp {
			r.stamped = true
		} else {
			r.members = append(r.members, part{start, r.dec.InputOffset()})
		}
	}
	if err := r.close(); err != nil {
		return nil, err
	}
	if len(r.answer.customID) == 0 {
		return nil, errNoCustomID
	}
	return r.answer.customID, nil
}

// stamp appends the line that was read with the mark as its last member. A
// provider's own member of that name makes way: a name stands once in an object.
func (r *stampReader) stamp(out, mark []byte) []byte {
	brace := bytes.LastIndexByte(r.line, '}')
	if !r.stamped {
		out = append(append(out, r.line[:brace]...), mark...)
		return append(out, r.line[brace:]...)
	}
	out = append(out, '{')
	for i, m := range r.members {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, bytes.TrimLeft(r.line[m.start:m.end], ", \t\r")...)
	}
	return append(append(out, mark...), '}')
}
