package blobstore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path"
	"path/filepath"

	"gocloud.dev/blob"

	"batchkeeper/batch"
)

// WriteAtomic writes one object through write and publishes it under key, in
// place of what was there, only when write returns nil. When write fails,
// panics or ignores a failed Write, and when the context ends, the store is as
// it was before; write's own error is wrapped. It is the only way into the
// store: the drivers' own upload publishes what was written before a failure.
func (s *Store) WriteAtomic(ctx context.Context, key string, write func(io.Writer) error) (batch.Ref, error) {
	if err := CheckKey(key); err != nil {
		return batch.Ref{}, fmt.Errorf("write to the store: %w", err)
	}
	ref, err := s.write(ctx, key, write)
	if err != nil {
		return batch.Ref{}, fmt.Errorf("write %s: %w", shown(key), err)
	}
	return ref, nil
}

func (s *Store) write(ctx context.Context, key string, write func(io.Writer) error) (batch.Ref, error) {
	ctx, abort := context.WithCancel(ctx)
	defer abort()
	var file *os.File
	w, err := s.bucket.NewWriter(ctx, key, &blob.WriterOptions{
		ContentType: contentType(key), // else the first bytes are held back to guess it
		BeforeWrite: func(as func(any) bool) error {
			as(&file) // only a directory has one
			return nil
		},
	})
	if err != nil {
		return batch.Ref{}, err
	}
	closed := false
	defer func() {
		if !closed {
			abort() // a writer that is closed while its context lives publishes
			_ = w.Close()
		}
	}()
	counted := &countedWriter{w: w, digest: sha256.New()}
	if err := errors.Join(write(counted), counted.err, ctx.Err()); err != nil {
		return batch.Ref{}, err
	}
	if err := syncFile(file); err != nil {
		return batch.Ref{}, err
	}
	closed = true
	if err := w.Close(); err != nil {
		return batch.Ref{}, err
	}
	if err := s.syncFolders(file); err != nil {
		return batch.Ref{}, err
	}
	return batch.Ref{Key: key, Size: counted.size, SHA256: hex.EncodeToString(counted.digest.Sum(nil))}, nil
}

// countedWriter measures what goes through it and remembers a failure, so that
// a write function that overlooks one publishes nothing.
type countedWriter struct {
	w      io.Writer
	digest hash.Hash
	size   int64
	err    error
}

func (c *countedWriter) Write(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.w.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	c.size += int64(n)
	c.digest.Write(p[:n])
	c.err = err
	return n, err
}

// syncFile makes a file's bytes survive a power cut before its name does.
func syncFile(file *os.File) error {
	if file == nil {
		return nil
	}
	return file.Sync()
}

// syncFolders makes the new name survive, and those of the folders made for it.
func (s *Store) syncFolders(file *os.File) error {
	if file == nil {
		return nil
	}
	for dir := filepath.Dir(file.Name()); ; dir = filepath.Dir(dir) {
		if err := syncFolder(dir); err != nil {
			return fmt.Errorf("sync %s: %w", dir, err)
		}
		if dir == s.root.dir() || dir == filepath.Dir(dir) {
			return nil
		}
	}
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func contentType(key string) string {
	switch path.Ext(key) {
	case ".json":
		return "application/json"
	case ".jsonl":
		return "application/jsonl"
	default:
		return "application/octet-stream"
	}
}
