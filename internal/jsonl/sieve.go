package jsonl

import (
	"bufio"
	"fmt"
)

// sieve is a Leftovers at work.
type sieve struct {
	Leftovers
	walk     *rowWalk
	failures *feed
	why      *failureReader
	kept     *rowReader
	out      *bufio.Writer
	tally    LeftoverTally
	causes   causes // of what failed for good
	retried  causes
	piece    int   // index of the piece that the last row was in
	left     int64 // rows of it that are still to come
	offset   int64 // bytes of leftovers
}

func (s *sieve) tell() {
	if s.Progress != nil {
		s.Progress(s.tally.Rows)
	}
}

func (s *sieve) rows() error {
	for {
		there, err := s.walk.next()
		if err != nil || !there {
			return err
		}
		if s.walk.invalid {
			continue
		}
		if err := s.row(); err != nil {
			return err
		}
	}
}

func (s *sieve) row() error {
	s.tally.Rows++
	if err := s.enterPiece(); err != nil {
		return err
	}
	id, err := s.walk.id()
	if err != nil {
		return err
	}
	failure := s.Absent.failure()
	if s.Failures != nil {
		failed, err := s.failures.takeFor(id)
		if err != nil {
			return err
		}
		if !failed {
			s.tally.Answered++
			return nil
		}
		failure = s.why.failure()
	}
	if !failure.WorthRetry(s.RetryCancelled) {
		s.tally.Failed.add(failure.Class)
		s.causes.add(failure.Cause())
		return nil
	}
	s.tally.Retry.add(failure.Class)
	s.retried.add(failure.Cause())
	return s.keep(s.walk.line.Text)
}

// keep writes a leftover and counts it to its piece.
func (s *sieve) keep(text []byte) error {
	size := int64(len(text)) + 1
	piece := &s.tally.Pieces[s.piece]
	piece.Length += size
	piece.Rows++
	cost := s.cost(text)
	piece.InputTokens += cost.input
	piece.MaxOutputTokens += cost.output
	s.offset += size
	return writeLine(s.out, text)
}

// cost is what sending a leftover once more may cost. Leftovers alone are read
// whole for it; one that does not read well, though it was checked before it was
// sent, is estimated by its size: an estimate stops nothing.
func (s *sieve) cost(text []byte) tokens {
	if s.kept.read(text) != nil {
		return tokens{input: tokensOf(int64(len(text)))}
	}
	return s.kept.row.tokens()
}

// enterPiece finds the piece of the next row.
func (s *sieve) enterPiece() error {
	if len(s.Pieces) == 0 {
		if s.piece < 0 {
			s.beginPiece()
		}
		return nil
	}
	for s.left == 0 {
		if s.piece+1 == len(s.Pieces) {
			return fmt.Errorf("input line %d: the pieces have fewer rows", s.walk.number)
		}
		s.beginPiece()
		s.left = s.Pieces[s.piece]
	}
	s.left--
	return nil
}

func (s *sieve) beginPiece() {
	s.piece++
	s.tally.Pieces = append(s.tally.Pieces, Leftover{Span: Span{Offset: s.offset}})
}

// endPieces makes sure that every piece had its rows.
func (s *sieve) endPieces() error {
	for s.piece+1 < max(len(s.Pieces), 1) {
		s.beginPiece()
		if len(s.Pieces) > 0 {
			s.left += s.Pieces[s.piece]
		}
	}
	if s.left != 0 {
		return fmt.Errorf("the pieces have %d rows more than the input", s.left)
	}
	return nil
}
