package jsonl

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// entry is what is kept of a line until it is known whether the line is good.
type entry struct {
	line, offset, size int64
	tokens             tokens
	id                 []byte // valid until the next read
	message            string // what is wrong with the line
}

var errJournal = errors.New("temporary space does not hold what was written")

// journal keeps entries in the order of their lines.
type journal struct {
	spool *spool
	body  []byte
	frame []byte
}

// append keeps an entry and returns its place.
func (j *journal) append(e entry) (int64, error) {
	body := j.body[:0]
	for _, n := range []int64{e.line, e.offset, e.size, e.tokens.input, e.tokens.output, int64(len(e.id))} {
		body = binary.AppendUvarint(body, uint64(n))
	}
	j.body = append(append(body, e.id...), e.message...)
	j.frame = append(binary.AppendUvarint(j.frame[:0], uint64(len(j.body))), j.body...)
	at := j.spool.size()
	if _, err := j.spool.Write(j.frame); err != nil {
		return 0, fmt.Errorf("keep line %d: %w", e.line, err)
	}
	return at, nil
}

// journalReader reads entries back, forwards only.
type journalReader struct {
	section *io.SectionReader
	r       *bufio.Reader
	at      int64
	body    []byte
}

func (j *journal) reader() *journalReader {
	section := io.NewSectionReader(j.spool, 0, j.spool.size())
	return &journalReader{section: section, r: bufio.NewReaderSize(section, j.spool.limit)}
}

// goTo makes the entry at a place the next one.
func (r *journalReader) goTo(place int64) error {
	gap := place - r.at
	r.at = place
	if gap <= int64(r.r.Buffered()) {
		_, err := r.r.Discard(int(gap))
		return err
	}
	_, err := r.section.Seek(place, io.SeekStart)
	r.r.Reset(r.section)
	return err
}

// next is the entry after the last one; false: there is none.
func (r *journalReader) next() (entry, bool, error) {
	size, err := binary.ReadUvarint(r.r)
	if errors.Is(err, io.EOF) {
		return entry{}, false, nil
	}
	if err != nil {
		return entry{}, false, fmt.Errorf("read a kept line: %w", err)
	}
	if size > uint64(r.section.Size()-r.at) {
		return entry{}, false, errJournal
	}
	r.at += int64(len(binary.AppendUvarint(r.body[:0], size))) + int64(size)
	r.body = append(r.body[:0], make([]byte, size)...)
	if _, err := io.ReadFull(r.r, r.body); err != nil {
		return entry{}, false, fmt.Errorf("read a kept line: %w", err)
	}
	e, ok := decodeEntry(r.body)
	if !ok {
		return entry{}, false, errJournal
	}
	return e, true, nil
}

func decodeEntry(body []byte) (e entry, ok bool) {
	var idSize int64
	for _, field := range []*int64{&e.line, &e.offset, &e.size, &e.tokens.input, &e.tokens.output, &idSize} {
		value, n := binary.Uvarint(body)
		if n <= 0 {
			return entry{}, false
		}
		*field, body = int64(value), body[n:]
	}
	if idSize > int64(len(body)) {
		return entry{}, false
	}
	e.id, e.message = body[:idSize], string(body[idSize:])
	return e, true
}
