package jsonl

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// cursor walks over records in order, held or spooled.
type cursor struct {
	head  record
	batch []record
	r     *bufio.Reader // nil: the records are in the batch
	raw   [recordSize]byte
}

func newCursor(from io.ReaderAt, r run, buffer int) *cursor {
	return &cursor{r: bufio.NewReaderSize(io.NewSectionReader(from, r.offset, r.size), buffer)}
}

// advance moves to the next record, and tells whether there is one.
func (c *cursor) advance() (bool, error) {
	if c.r == nil {
		if len(c.batch) == 0 {
			return false, nil
		}
		c.head, c.batch = c.batch[0], c.batch[1:]
		return true, nil
	}
	_, err := io.ReadFull(c.r, c.raw[:])
	if errors.Is(err, io.EOF) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("merge: %w", err)
	}
	c.head = recordOf(c.raw[:])
	return true, nil
}

// merger yields the records of several cursors in order.
type merger struct {
	heap  []*cursor // the least head first
	pulse func() error
}

func newMerger(cursors []*cursor, pulse func() error) (*merger, error) {
	m := &merger{pulse: pulse}
	for _, c := range cursors {
		ok, err := c.advance()
		if err != nil {
			return nil, err
		}
		if ok {
			m.heap = append(m.heap, c)
		}
	}
	for i := len(m.heap)/2 - 1; i >= 0; i-- {
		m.sink(i)
	}
	return m, nil
}

// next is the least record left; false: there is none.
func (m *merger) next() (record, bool, error) {
	if len(m.heap) == 0 {
		return record{}, false, nil
	}
	if err := m.pulse(); err != nil {
		return record{}, false, err
	}
	least := m.heap[0].head
	ok, err := m.heap[0].advance()
	if err != nil {
		return record{}, false, err
	}
	if !ok {
		last := len(m.heap) - 1
		m.heap[0] = m.heap[last]
		m.heap = m.heap[:last]
	}
	m.sink(0)
	return least, true, nil
}

// sink restores the order of the heap below i.
func (m *merger) sink(i int) {
	for {
		child := 2*i + 1
		if child >= len(m.heap) {
			return
		}
		if right := child + 1; right < len(m.heap) && compareRecords(m.heap[right].head, m.heap[child].head) < 0 {
			child = right
		}
		if compareRecords(m.heap[i].head, m.heap[child].head) <= 0 {
			return
		}
		m.heap[i], m.heap[child] = m.heap[child], m.heap[i]
		i = child
	}
}
