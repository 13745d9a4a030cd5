package jsonl

import (
	"context"
	"io"
)

// tellEvery is how often progress is told, in bytes; a worker's heartbeat hangs
// on it.
const tellEvery = 1 << 20

// meter counts what is read, tells so, and stops a long read between two chunks
// once the context is done.
type meter struct {
	ctx  context.Context
	r    io.Reader
	tell func() // may be nil
	read int64
	told int64
}

func (m *meter) Read(p []byte) (int, error) {
	if err := m.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := m.r.Read(p)
	m.read += int64(n)
	if m.tell != nil && m.read-m.told >= tellEvery {
		m.told = m.read
		m.tell()
	}
	return n, err
}
