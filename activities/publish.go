package activities

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"

	"batchkeeper/batch"
	"batchkeeper/internal/blobstore"
	"batchkeeper/internal/jsonl"
)

// publication writes the files of one result.
type publication struct {
	store  *blobstore.Store
	prefix string
	files  []batch.ManifestFile
}

// write runs the join into the files. An old manifest goes first: where there
// is a manifest, the files beside it are the ones that it describes.
func (p *publication) write(ctx context.Context, spool spool, join jsonl.Join) (jsonl.Tally, error) {
	if err := p.remove(ctx, batch.FileManifest); err != nil {
		return jsonl.Tally{}, err
	}
	var tally jsonl.Tally
	join.Unmatched = spool.file
	var failures batch.Ref
	results, err := p.store.WriteAtomic(ctx, p.key(batch.FileResults), func(answered io.Writer) (err error) {
		failures, err = p.store.WriteAtomic(ctx, p.key(batch.FileFailures), func(others io.Writer) (err error) {
			join.Results, join.Failures = answered, others
			tally, err = join.Run(ctx)
			return err
		})
		return err
	})
	if err != nil {
		return jsonl.Tally{}, err
	}
	p.add(batch.FileResults, results)
	p.add(batch.FileFailures, failures)
	return tally, p.writeUnmatched(ctx, spool)
}

// writeUnmatched publishes what nobody asked for, only where there is some.
func (p *publication) writeUnmatched(ctx context.Context, spool spool) error {
	size, err := spool.file.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("unmatched rows: %w", err)
	}
	if size == 0 {
		return p.remove(ctx, batch.FileUnmatched)
	}
	ref, err := p.store.WriteAtomic(ctx, p.key(batch.FileUnmatched), func(w io.Writer) error {
		_, err := io.Copy(w, io.NewSectionReader(spool.file, 0, size))
		return err
	})
	if err == nil {
		p.add(batch.FileUnmatched, ref)
	}
	return err
}

func (p *publication) remove(ctx context.Context, name string) error {
	if err := p.store.Delete(ctx, p.key(name)); err != nil && !errors.Is(err, blobstore.ErrNotFound) {
		return err
	}
	return nil
}

func (p *publication) add(name string, ref batch.Ref) {
	p.files = append(p.files, batch.ManifestFile{Name: name, Size: ref.Size, SHA256: ref.SHA256})
}

func (p *publication) key(name string) string { return path.Join(p.prefix, name) }
