package activities

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"

	"batchkeeper/batch"
)

// errInputChanged: rows that changed since they were inspected are no longer
// the ones that were checked, or answered.
var errInputChanged = errors.New("the input has changed since it was inspected: give the rows of each run a name of their own")

// source is a reader that remembers its failure, which a transfer would blame
// on the receiving side.
type source struct {
	io.ReadCloser
	err error
}

// Read implements io.Reader.
func (s *source) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// rowSource is the job's input being read. It ends in an error where it is not
// what was inspected, so that no transfer of other rows is ever completed.
type rowSource struct {
	source
	size      int64 // of what is read: the whole, or the part
	digest    hash.Hash
	inspected string // SHA-256; empty: not known
}

// openRows opens the input: a store key or an allowed URL, or a part of it.
func (a *Activities) openRows(ctx context.Context, input string, r *batch.Range, inspected string) (*rowSource, error) {
	offset, length := int64(0), int64(-1)
	if r != nil {
		offset, length = r.Offset, r.Length
	}
	rc, size, err := a.store.OpenInput(ctx, input, offset, length)
	if err != nil {
		return nil, err
	}
	if r != nil {
		size = min(length, size-offset)
	}
	return &rowSource{source: source{ReadCloser: rc}, size: size, digest: sha256.New(), inspected: inspected}, nil
}

// Read implements io.Reader.
func (r *rowSource) Read(p []byte) (int, error) {
	n, err := r.source.Read(p)
	_, _ = r.digest.Write(p[:n]) // a hash never fails
	if errors.Is(err, io.EOF) && r.inspected != "" && hex.EncodeToString(r.digest.Sum(nil)) != r.inspected {
		r.err = errInputChanged
		return n, errInputChanged
	}
	return n, err
}
