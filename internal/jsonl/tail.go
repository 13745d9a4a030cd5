package jsonl

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// ErrCutTail is the error for a file whose last line was not sent in full.
var ErrCutTail = errors.New("the last line is cut")

// CheckTail tells whether a downloaded file ends where a line ends: with LF, or
// with a last line that reads as JSON. An empty file does. The error wraps
// ErrCutTail where the file was read and does not.
func CheckTail(r io.ReaderAt, size int64) error {
	line, err := lastLine(r, size)
	if err != nil {
		return fmt.Errorf("check the end of the file: %w", err)
	}
	if isBlank(line) {
		return nil
	}
	if err := newAnswerReader().read(line); err != nil && !errors.Is(err, errNoCustomID) && !errors.Is(err, errTwice) {
		return fmt.Errorf("check the end of the file: %w after %d bytes: %s", ErrCutTail, size, describe(err))
	}
	return nil
}

// lastLine is what follows the last LF.
func lastLine(r io.ReaderAt, size int64) ([]byte, error) {
	for reach := int64(64 << 10); ; reach *= 4 {
		reach = min(reach, size, DefaultMaxLine+1)
		tail := make([]byte, reach)
		if n, err := r.ReadAt(tail, size-reach); n < len(tail) {
			return nil, fmt.Errorf("read %d bytes at %d: %w", reach, size-reach, err)
		}
		if i := bytes.LastIndexByte(tail, '\n'); i >= 0 || reach == size {
			return tail[i+1:], nil
		}
		if reach > DefaultMaxLine {
			return nil, fmt.Errorf("%w, or longer than %d bytes", ErrCutTail, DefaultMaxLine)
		}
	}
}
