package jsonl

import (
	"errors"
	"fmt"
	"io"
	"slices"
)

// Spill is temporary space: bytes are appended, then read back from any offset.
// Close gives the space back.
type Spill interface {
	io.Writer
	io.ReaderAt
	io.Closer
}

var errNoSpill = errors.New("more memory is needed than is allowed, and there is no temporary space")

// scratch hands out temporary space and knows which is still in use.
type scratch struct {
	open  func() (Spill, error) // may be nil
	inUse []Spill
}

func (s *scratch) take() (Spill, error) {
	if s.open == nil {
		return nil, errNoSpill
	}
	spill, err := s.open()
	if err != nil {
		return nil, fmt.Errorf("open temporary space: %w", err)
	}
	s.inUse = append(s.inUse, spill)
	return spill, nil
}

func (s *scratch) giveBack(spill Spill) error {
	s.inUse = slices.DeleteFunc(s.inUse, func(other Spill) bool { return other == spill })
	if err := spill.Close(); err != nil {
		return fmt.Errorf("close temporary space: %w", err)
	}
	return nil
}

// release gives back all that is in use, whatever goes wrong.
func (s *scratch) release() error {
	var errs []error
	for len(s.inUse) > 0 {
		errs = append(errs, s.giveBack(s.inUse[0]))
	}
	return errors.Join(errs...)
}

// spool is a file that begins in memory and goes on in temporary space, so that a
// small input needs none.
type spool struct {
	scratch *scratch
	limit   int   // how much of it is held in memory, in bytes
	spill   Spill // nil while all of it is in the tail
	spilled int64
	tail    []byte
}

func (s *spool) size() int64 { return s.spilled + int64(len(s.tail)) }

func (s *spool) Write(p []byte) (int, error) {
	s.tail = append(s.tail, p...)
	if len(s.tail) < s.limit {
		return len(p), nil
	}
	if s.spill == nil {
		spill, err := s.scratch.take()
		if err != nil {
			return 0, err
		}
		s.spill = spill
	}
	if _, err := s.spill.Write(s.tail); err != nil {
		return 0, fmt.Errorf("write temporary space: %w", err)
	}
	s.spilled += int64(len(s.tail))
	s.tail = s.tail[:0]
	return len(p), nil
}

func (s *spool) ReadAt(p []byte, off int64) (int, error) {
	n := 0
	if off < s.spilled {
		want := int(min(int64(len(p)), s.spilled-off))
		var err error
		if n, err = s.spill.ReadAt(p[:want], off); n < want {
			if err == nil || errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return n, fmt.Errorf("read temporary space: %w", err)
		}
	}
	if n < len(p) {
		n += copy(p[n:], s.tail[min(off+int64(n)-s.spilled, int64(len(s.tail))):])
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (s *spool) close() error {
	s.tail = nil
	if s.spill == nil {
		return nil
	}
	spill := s.spill
	s.spill = nil
	return s.scratch.giveBack(spill)
}
