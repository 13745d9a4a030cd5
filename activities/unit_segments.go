package activities

import (
	"context"
	"errors"
	"io"
	"path"
	"strings"

	"batchkeeper/batch"
	"batchkeeper/internal/blobstore"
	"batchkeeper/internal/jsonl"
)

// findSegments finds where the rows of each piece stand in the unit's results. A
// unit that is one shard needs no search: both files are about it.
func (s *settling) findSegments(ctx context.Context) error {
	r := s.record
	if r.Nothing {
		return nil
	}
	if s.unit.Shard != nil {
		whole := batch.Segment{}
		for name, part := range map[string]*batch.Range{batch.FileResults: &whole.Results, batch.FileFailures: &whole.Failures} {
			size, err := s.a.store.Stat(ctx, path.Join(r.Prefix, name))
			if err != nil && !errors.Is(err, blobstore.ErrNotFound) {
				return err
			}
			part.Length = size
		}
		r.Segments = []batch.Segment{whole}
		return nil
	}
	results, err := s.a.openFile(ctx, path.Join(r.Prefix, batch.FileResults))
	if err != nil {
		return err
	}
	defer results.Close()
	failures, err := s.a.openFile(ctx, path.Join(r.Prefix, batch.FileFailures))
	if err != nil {
		return err
	}
	defer failures.Close()
	segments, err := jsonl.Segments(ctx, results, failures, s.unit.PieceRows()...)
	for _, found := range segments {
		r.Segments = append(r.Segments, batch.Segment{Results: rangeOf(found.Results), Failures: rangeOf(found.Failures)})
	}
	return err
}

func (s *settling) findPages(ctx context.Context) error {
	r, in := s.record, s.in
	if r.Nothing || in.RowsPerPage <= 0 {
		return nil
	}
	results, err := s.a.openFile(ctx, path.Join(r.Prefix, batch.FileResults))
	if err != nil {
		return err
	}
	defer results.Close()
	pages, err := jsonl.Pages(ctx, results, in.RowsPerPage)
	for _, p := range pages {
		r.Pages = append(r.Pages, batch.PageSegment{Range: rangeOf(p), Rows: p.Rows})
	}
	return err
}

func rangeOf(s jsonl.Span) batch.Range { return batch.Range{Offset: s.Offset, Length: s.Length} }

// openFile opens a file of a result; one that is not there has no lines.
func (a *Activities) openFile(ctx context.Context, key string) (io.ReadCloser, error) {
	r, err := a.store.Read(ctx, key, 0, -1)
	if errors.Is(err, blobstore.ErrNotFound) {
		return io.NopCloser(strings.NewReader("")), nil
	}
	return r, err
}
