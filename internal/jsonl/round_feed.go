package jsonl

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// said is what a round said about a row that it carried.
type said int

const (
	saidAnswer said = iota + 1
	saidFailure
	saidNothing
)

// roundFeed is a round's files, walked beside the rows.
type roundFeed struct {
	Round
	name              string
	results, failures *feed
	carried           *feed
	answer            *stampReader
	why               *failureReader
	said              said   // about the row that was taken last
	taken             int64  // how many rows were
	mark              []byte // the member that tells which round a line is from
}

func newRoundFeed(from reading, r Round) (*roundFeed, error) {
	f := &roundFeed{Round: r, name: "round " + strconv.Itoa(r.Number), answer: newStampReader(), why: newFailureReader()}
	if f.isLost() {
		switch {
		case r.Results != nil || r.Failures != nil:
			return nil, fmt.Errorf("%s: there are files of a batch that gave nothing", f.name)
		case !knownClass(r.Absent.Class):
			return nil, fmt.Errorf("%s: %q is no class for a row without an answer", f.name, r.Absent.Class)
		}
	}
	f.results = from.feed(f.name+" results", r.Results, f.answer.read)
	f.failures = from.feed(f.name+" failures", r.Failures, f.why.read)
	rows := newAnswerReader()
	f.carried = from.feed(f.name+" rows", r.Carried, func(line []byte) ([]byte, error) {
		err := rows.read(line)
		return rows.answer.customID, err
	})
	f.mark = strconv.AppendInt([]byte(`,"`+stampName+`":{"round":`), int64(r.Number), 10)
	mark, err := jsontext.AppendQuote(append(f.mark, `,"batch_id":`...), r.BatchID)
	if err != nil {
		return nil, fmt.Errorf("%s: batch id: %w", f.name, err)
	}
	f.mark = append(mark, '}')
	return f, nil
}

func (f *roundFeed) isLost() bool { return f.Absent.Class != "" }

var errBoth = errors.New("a row is answered and failed")

// take takes the lines about a row; false: the round did not carry it.
func (f *roundFeed) take(id []byte) (bool, error) {
	if f.isLost() {
		return f.takeLost(id)
	}
	answered, err := f.results.takeFor(id)
	if err != nil {
		return false, err
	}
	failed, err := f.failures.takeFor(id)
	if err != nil {
		return false, err
	}
	switch {
	case answered && failed:
		return false, fmt.Errorf("%s: %w", f.name, errBoth)
	case answered:
		f.said = saidAnswer
	case failed:
		f.said = saidFailure
	default:
		return false, nil
	}
	f.taken++
	return true, nil
}

func (f *roundFeed) takeLost(id []byte) (bool, error) {
	carried := f.Carried == nil
	if !carried {
		var err error
		if carried, err = f.carried.takeFor(id); err != nil || !carried {
			return false, err
		}
	}
	f.said = saidNothing
	f.taken++
	return true, nil
}

// drained makes sure that all lines were taken, and as many as there should be.
func (f *roundFeed) drained() error {
	for _, file := range []*feed{f.results, f.failures, f.carried} {
		if err := file.drained(); err != nil {
			return err
		}
	}
	if f.taken != f.Rows {
		return fmt.Errorf("%s: there are lines about %d of %d rows", f.name, f.taken, f.Rows)
	}
	return nil
}
