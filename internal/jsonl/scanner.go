package jsonl

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// DefaultMaxLine is the longest line that is held in memory, in bytes.
const DefaultMaxLine = 16 << 20

// keptOfLongLine is how much of a line over the limit is shown.
const keptOfLongLine = 4 << 10

const readBuffer = 256 << 10

// Line is one line that holds more than white space.
type Line struct {
	// Number counts from 1; blank lines count too.
	Number int64
	// Offset is where the line begins, in bytes from the start of the reader.
	Offset int64
	// Size is how many bytes it has, its end included.
	Size int64
	// Text is the line without its end (LF or CRLF), valid until the next
	// Scan. Of a line that is too long it is the beginning.
	Text []byte
	// TooLong tells that the line exceeds the limit and was not kept.
	TooLong bool
}

// Scanner splits a reader into lines. Blank lines are skipped and counted, a
// UTF-8 byte order mark at the start is skipped and reported by BOM, the last
// line may lack its end, and a line over the limit is passed over, not held.
type Scanner struct {
	r       *bufio.Reader
	maxLine int
	line    Line
	number  int64
	offset  int64
	blank   int64
	bom     bool
	long    []byte
	err     error
	raw     []byte            // the line with its end and mark; nil of one that is too long
	over    func(part []byte) // takes the bytes of a line that is too long; may be nil
}

// NewScanner reads lines of at most maxLine bytes, their end included; 0 means
// DefaultMaxLine.
func NewScanner(r io.Reader, maxLine int) *Scanner {
	if maxLine <= 0 {
		maxLine = DefaultMaxLine
	}
	return &Scanner{r: bufio.NewReaderSize(r, readBuffer), maxLine: maxLine}
}

// Line is the line that Scan has found.
func (s *Scanner) Line() Line { return s.line }

// Offset is how many bytes have been read as lines.
func (s *Scanner) Offset() int64 { return s.offset }

// Blank is how many blank lines were skipped.
func (s *Scanner) Blank() int64 { return s.blank }

// BOM tells whether the first line began with a UTF-8 byte order mark.
func (s *Scanner) BOM() bool { return s.bom }

// Err is what ended the scan early; nil at the end of the reader.
func (s *Scanner) Err() error { return s.err }

// Scan moves to the next line that is not blank.
func (s *Scanner) Scan() bool {
	blank := true
	for blank && s.step() {
		blank = s.isBlank()
	}
	return !blank
}

// step moves to the next line, blank or not.
func (s *Scanner) step() bool {
	start := s.offset
	raw, tooLong, ok := s.next()
	if !ok {
		s.line = Line{}
		return false
	}
	s.number++
	if s.number == 1 && bytes.HasPrefix(raw, []byte("\xef\xbb\xbf")) {
		s.bom = true
		raw, start = raw[3:], start+3
	}
	s.line = Line{Number: s.number, Offset: start, Size: s.offset - start, Text: trimEnd(raw), TooLong: tooLong}
	if s.isBlank() {
		s.blank++
	}
	return true
}

func (s *Scanner) isBlank() bool { return !s.line.TooLong && isBlank(s.line.Text) }

// next reads up to and including the next LF. A line within the reader's buffer
// is not copied.
func (s *Scanner) next() (raw []byte, tooLong, ok bool) {
	if s.err != nil {
		return nil, false, false
	}
	raw, err := s.r.ReadSlice('\n')
	size := len(raw)
	if errors.Is(err, bufio.ErrBufferFull) {
		raw, size, err = s.nextLong(raw)
	} else if size > s.maxLine {
		s.pass(raw)
	}
	s.offset += int64(size)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = fmt.Errorf("read line %d: %w", s.number+1, err)
		return nil, false, false
	}
	s.raw = raw
	if size > s.maxLine {
		s.raw = nil
		return raw[:min(len(raw), keptOfLongLine)], true, true
	}
	return raw, false, size > 0
}

// nextLong reads on from a full buffer. Of a line over the limit it returns the
// beginning, and passes on the whole.
func (s *Scanner) nextLong(chunk []byte) (raw []byte, size int, err error) {
	s.long, size = append(s.long[:0], chunk...), len(chunk)
	passed := false
	for err = bufio.ErrBufferFull; errors.Is(err, bufio.ErrBufferFull); {
		chunk, err = s.r.ReadSlice('\n')
		if size += len(chunk); size <= s.maxLine {
			s.long = append(s.long, chunk...)
			continue
		}
		if !passed {
			s.pass(s.long)
		}
		passed = true
		s.pass(chunk)
	}
	return s.long, size, err
}

func (s *Scanner) pass(part []byte) {
	if s.over != nil {
		s.over(part)
	}
}

// trimEnd drops LF and the CRs before it; JSON knows CR as white space only.
func trimEnd(raw []byte) []byte {
	raw = bytes.TrimSuffix(raw, []byte("\n"))
	return bytes.TrimRight(raw, "\r")
}

func isBlank(text []byte) bool {
	for _, c := range text {
		if c != ' ' && c != '\t' && c != '\r' {
			return false
		}
	}
	return true
}
