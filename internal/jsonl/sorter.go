package jsonl

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
)

// record is what is sorted, word by word.
type record [4]uint64

const recordSize = 32

func compareRecords(a, b record) int {
	for i := range a {
		if a[i] != b[i] {
			return cmp.Compare(a[i], b[i])
		}
	}
	return 0
}

func (r record) append(out []byte) []byte {
	for _, word := range r {
		out = binary.BigEndian.AppendUint64(out, word)
	}
	return out
}

func recordOf(b []byte) (r record) {
	for i := range r {
		r[i] = binary.BigEndian.Uint64(b[8*i:])
	}
	return r
}

// run is a part of a spool whose records are in order.
type run struct{ offset, size int64 }

// sorter sorts any number of records within a fixed memory: it sorts as many as
// it may hold, spools them as a run, and merges the runs.
type sorter struct {
	limit   int // bytes of records it holds, and bytes of buffers it merges through
	scratch *scratch
	pulse   func() error // called for every record that is merged
	batch   []record
	spool   *spool
	runs    []run
	out     []byte
}

// minRead and maxRead bound how much is read of a run at a time: a seek for less
// wastes the disk, and more is not faster.
const (
	minRead = 4 << 10
	maxRead = 64 << 10
)

func newSorter(limit int, scratch *scratch, pulse func() error) *sorter {
	s := &sorter{limit: limit, scratch: scratch, pulse: pulse}
	s.spool = s.newSpool()
	return s
}

func (s *sorter) newSpool() *spool {
	return &spool{scratch: s.scratch, limit: min(spoolBuffer, s.limit)}
}

func (s *sorter) add(r record) error {
	if s.batch == nil {
		// At once: a slice that grows leaves as much garbage behind as it holds.
		s.batch = make([]record, 0, max(2, s.limit/recordSize))
	}
	s.batch = append(s.batch, r)
	if len(s.batch) < cap(s.batch) {
		return nil
	}
	return s.endRun()
}

// endRun spools what is held.
func (s *sorter) endRun() error {
	if len(s.batch) == 0 {
		return nil
	}
	slices.SortFunc(s.batch, compareRecords)
	start := s.spool.size()
	for _, r := range s.batch {
		if err := s.put(s.spool, r); err != nil {
			return err
		}
	}
	s.runs = append(s.runs, run{start, s.spool.size() - start})
	s.batch = s.batch[:0]
	return nil
}

func (s *sorter) put(to *spool, r record) error {
	s.out = r.append(s.out[:0])
	if _, err := to.Write(s.out); err != nil {
		return fmt.Errorf("sort: %w", err)
	}
	return nil
}

// sorted is all records in order; nothing may be added afterwards.
func (s *sorter) sorted() (*merger, error) {
	if len(s.runs) == 0 {
		slices.SortFunc(s.batch, compareRecords)
		return newMerger([]*cursor{{batch: s.batch}}, s.pulse)
	}
	if err := s.endRun(); err != nil {
		return nil, err
	}
	s.batch = nil
	for len(s.runs) > s.fanIn() {
		if err := s.mergeRuns(); err != nil {
			return nil, err
		}
	}
	return s.merge(s.runs)
}

// fanIn is how many runs are merged at a time.
func (s *sorter) fanIn() int { return max(2, s.limit/minRead) }

// mergeRuns makes fewer and longer runs.
func (s *sorter) mergeRuns() error {
	to := s.newSpool()
	var runs []run
	for group := range slices.Chunk(s.runs, s.fanIn()) {
		start := to.size()
		merged, err := s.merge(group)
		if err != nil {
			return err
		}
		for {
			r, ok, err := merged.next()
			if err != nil {
				return err
			}
			if !ok {
				break
			}
			if err := s.put(to, r); err != nil {
				return err
			}
		}
		runs = append(runs, run{start, to.size() - start})
	}
	err := s.spool.close()
	s.spool, s.runs = to, runs
	return err
}

func (s *sorter) merge(runs []run) (*merger, error) {
	cursors := make([]*cursor, len(runs))
	for i, r := range runs {
		cursors[i] = newCursor(s.spool, r, min(maxRead, s.limit/len(runs)))
	}
	return newMerger(cursors, s.pulse)
}

func (s *sorter) close() error {
	s.batch, s.runs = nil, nil
	return s.spool.close()
}
