// Package pages reads the answered rows that a downstream workflow is given a
// reference to. It exists so that a user's own worker needs to know neither how
// the store is opened nor what its files look like:
//
//	reader, err := pages.Open(ctx, "")
//	for row, err := range reader.Rows(ctx, page) { … }
package pages

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"batchkeeper/batch"
	"batchkeeper/internal/blobstore"
	"batchkeeper/internal/env"
	"batchkeeper/internal/jsonl"
)

// ErrMalformed says that a page is not what its reference promises. What was
// written once stays as it is, so that reading again does not help; other errors
// may pass.
var ErrMalformed = errors.New("not the page that was referred to")

// Row is one answered row.
type Row struct {
	// CustomID is the row's id, as in the input.
	CustomID string
	// Body is the body of the response, byte for byte: one JSON value, not null.
	// It is valid JSON as providers write it, which is more than what every reader
	// takes: \u0000 or half a surrogate pair in a text, a name that stands twice.
	Body json.RawMessage
}

// Reader reads pages from a store. It is safe for concurrent use.
type Reader struct {
	store *blobstore.Store
}

// Open opens the store at a URL such as file:///dir or s3://bucket/prefix; the
// empty one stands for what BATCHKEEPER_STORE or its default says, as for every
// program. It must be the store of the worker that runs the batches. Close the
// reader after use.
func Open(ctx context.Context, url string) (*Reader, error) {
	if url == "" {
		cfg, err := env.Load(os.LookupEnv)
		if err != nil {
			return nil, fmt.Errorf("open pages: %w", err)
		}
		url = cfg.StoreURL
	}
	store, err := blobstore.Open(ctx, blobstore.Config{URL: url})
	if err != nil {
		return nil, fmt.Errorf("open pages: %w", err)
	}
	return &Reader{store: store}, nil
}

// Close releases the store's connections.
func (r *Reader) Close() error { return r.store.Close() }

// Rows yields the rows of a page in order, one in memory at a time, and ends at
// the first error. Only who has seen the end without one has seen the whole page.
func (r *Reader) Rows(ctx context.Context, page batch.Page) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		err := r.walk(ctx, page, func(row Row) bool { return yield(row, nil) })
		if err != nil && !errors.Is(err, errEnough) {
			yield(Row{}, fmt.Errorf("page %d of %q: %w", page.Number, page.Key, err))
		}
	}
}

// errEnough: who reads the rows wants no more of them.
var errEnough = errors.New("enough rows")

func (r *Reader) walk(ctx context.Context, page batch.Page, take func(Row) bool) error {
	if page.Offset < 0 || page.Length < 0 {
		return fmt.Errorf("offset %d, length %d: %w", page.Offset, page.Length, ErrMalformed)
	}
	part, err := r.store.Read(ctx, page.Key, page.Offset, page.Length)
	switch {
	case errors.Is(err, blobstore.ErrBadKey), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	case err != nil:
		return err
	}
	defer func() { _ = part.Close() }()
	lines, rows := jsonl.NewScanner(part, 0), int64(0)
	for ; lines.Scan(); rows++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		row, err := decode(lines.Line())
		if err != nil {
			return fmt.Errorf("line %d: %w: %w", lines.Line().Number, ErrMalformed, err)
		}
		if !take(row) {
			return errEnough
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	if rows != page.Rows || lines.Offset() != page.Length {
		return fmt.Errorf("it has %d rows in %d bytes, want %d in %d: %w", rows, lines.Offset(), page.Rows, page.Length, ErrMalformed)
	}
	return nil
}
