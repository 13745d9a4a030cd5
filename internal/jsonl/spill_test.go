package jsonl_test

import (
	"bytes"
	"errors"

	"batchkeeper/internal/jsonl"
)

// spills makes temporary space in memory and knows what is still open.
type spills struct {
	made, open, written int
	failOpen            int // the how manieth fails; 0: none
	failWrite           int // the how manieth write of all fails; 0: none
	failRead, failClose error
	writes              int
}

var (
	errNoSpace = errors.New("no space left")
	errBadDisk = errors.New("bad sector")
)

type spill struct {
	of      *spills
	content []byte
	closed  bool
}

func (s *spills) make() (jsonl.Spill, error) {
	if s.made++; s.made == s.failOpen {
		return nil, errNoSpace
	}
	s.open++
	return &spill{of: s}, nil
}

func (s *spill) Write(p []byte) (int, error) {
	if s.of.writes++; s.of.writes == s.of.failWrite || s.closed {
		return 0, errNoSpace
	}
	s.content = append(s.content, p...)
	s.of.written += len(p)
	return len(p), nil
}

func (s *spill) ReadAt(p []byte, off int64) (int, error) {
	if s.of.failRead != nil || s.closed {
		return 0, errors.Join(errBadDisk, s.of.failRead)
	}
	return bytes.NewReader(s.content).ReadAt(p, off)
}

func (s *spill) Close() error {
	if s.closed {
		return errors.New("closed twice")
	}
	s.closed = true
	s.of.open--
	return s.of.failClose
}
