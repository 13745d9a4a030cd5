package jsonl

import (
	"bufio"
	"context"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// merge is a Final at work.
type merge struct {
	Final
	walk     *rowWalk
	rounds   []*roundFeed
	out      []byte // a line being built
	results  *bufio.Writer
	failures *bufio.Writer
	tally    FinalTally
	causes   causes
}

func newMerge(ctx context.Context, f Final) (*merge, error) {
	m := &merge{Final: f, results: buffered(f.Results), failures: buffered(f.Failures), causes: causes{}}
	from := reading{ctx: ctx, maxLine: lineLimit(f.MaxLine), tell: m.tell}
	m.walk = from.walk(f.Input, f.Skip, f.FirstLine)
	if len(f.Rounds) == 0 && !knownClass(f.Absent.Class) {
		return nil, fmt.Errorf("%q is no class for a row without an answer", f.Absent.Class)
	}
	for _, r := range f.Rounds {
		round, err := newRoundFeed(from, r)
		if err != nil {
			return nil, err
		}
		m.rounds = append(m.rounds, round)
		m.tally.Rounds = append(m.tally.Rounds, RoundTally{Round: r.Number})
	}
	return m, nil
}

func (m *merge) tell() {
	if m.Progress != nil {
		m.Progress(m.tally.Rows)
	}
}

func (m *merge) flush() error { return errors.Join(m.results.Flush(), m.failures.Flush()) }

// rows writes each row to one of the two files.
func (m *merge) rows() error {
	for {
		there, err := m.walk.next()
		if err != nil || !there {
			return err
		}
		m.tally.Rows++
		if m.walk.invalid {
			m.tally.Invalid++
			err = writeLine(m.failures, m.walk.skip.line.Text)
		} else {
			err = m.row()
		}
		if err != nil {
			return err
		}
	}
}

func (m *merge) row() error {
	id, err := m.walk.id()
	if err != nil {
		return err
	}
	if len(m.rounds) == 0 {
		m.tally.Unsent++
		return m.failAbsent(id, m.Absent, nil)
	}
	last := -1
	for i, round := range m.rounds {
		carried, err := round.take(id)
		if err != nil {
			return fmt.Errorf("input line %d: %w", m.walk.number, err)
		}
		if !carried {
			break
		}
		last = i
		if round.said == saidAnswer {
			break
		}
	}
	if last < 0 {
		return fmt.Errorf("input line %d: custom_id %q is not the next one in %s", m.walk.number, cut(string(id), maxShownID), m.rounds[0].name)
	}
	return m.write(id, m.rounds[last], &m.tally.Rounds[last])
}

// write writes what a round has decided about a row.
func (m *merge) write(id []byte, round *roundFeed, tally *RoundTally) error {
	if round.said == saidAnswer {
		tally.Answered++
		m.tally.Answered++
		m.tally.Usage.add(round.answer.answer.usage.complete())
		m.out = round.answer.stamp(m.out[:0], round.mark)
		return writeLine(m.results, m.out)
	}
	tally.Failed++
	if round.said == saidNothing {
		return m.failAbsent(id, round.Absent, round.mark)
	}
	why := round.why
	return m.fail(id, why.failure(), why.response, why.err, round.mark)
}

func (m *merge) failAbsent(id []byte, absent Absent, mark []byte) error {
	var cause jsontext.Value
	if absent.Cause != "" {
		quoted, err := jsontext.AppendQuote([]byte(`{"message":`), absent.failure().Cause())
		if err != nil {
			return fmt.Errorf("cause: %w", err)
		}
		cause = append(quoted, '}')
	}
	return m.fail(id, absent.failure(), nil, cause, mark)
}

func (m *merge) fail(id []byte, failure Failure, response, cause jsontext.Value, mark []byte) error {
	m.tally.Failed.add(failure.Class)
	m.causes.add(failure.Cause())
	out, err := appendFailure(m.out[:0], id, failure.Class, m.walk.number, response, cause)
	if err != nil {
		return err
	}
	m.out = append(append(out, mark...), '}')
	return writeLine(m.failures, m.out)
}

// drained makes sure that every round's lines have found their rows.
func (m *merge) drained() error {
	for _, round := range m.rounds {
		if err := round.drained(); err != nil {
			return err
		}
	}
	return nil
}

// conserved makes sure that no row was lost and none written twice.
func (m *merge) conserved() error {
	t := &m.tally
	if t.Rows != t.Answered+t.Failed.Total()+t.Invalid {
		return fmt.Errorf("of %d rows %d are answered, %d failed and %d invalid", t.Rows, t.Answered, t.Failed.Total(), t.Invalid)
	}
	decided := t.Unsent
	for _, round := range t.Rounds {
		decided += round.Answered + round.Failed
	}
	if t.Rows-t.Invalid != decided {
		return fmt.Errorf("of %d rows that are not invalid %d are decided", t.Rows-t.Invalid, decided)
	}
	return nil
}
