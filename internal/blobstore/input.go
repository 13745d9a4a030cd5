package blobstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"gocloud.dev/blob"
)

// OpenInput opens length bytes of an input from offset on (length -1: to its
// end) and tells the size of the whole. The input is a key of the store, or a
// URL inside the store or below one of the configured inputs; while the store
// is a directory and no inputs are configured, any file:// URL. Anything else is
// ErrNotAllowed. A URL with a query is refused: it could send the store's
// credentials elsewhere. The caller closes the reader.
func (s *Store) OpenInput(ctx context.Context, input string, offset, length int64) (rc io.ReadCloser, size int64, err error) {
	rc, size, err = s.openInput(ctx, input, offset, length)
	if err != nil {
		return nil, 0, fmt.Errorf("open input %s: %w", shownURL(input), err)
	}
	return rc, size, nil
}

func (s *Store) openInput(ctx context.Context, input string, offset, length int64) (io.ReadCloser, int64, error) {
	if !strings.Contains(input, "://") {
		if err := CheckKey(input); err != nil {
			return nil, 0, err
		}
		return readRange(ctx, s.bucket, input, offset, length)
	}
	loc, err := parseLocation(input)
	if err != nil {
		return nil, 0, err
	}
	if len(loc.query) > 0 || strings.Contains(input, "?") {
		return nil, 0, fmt.Errorf("%w: it has a query; a question mark in a name is written %%3F", ErrBadKey)
	}
	if key, ok := s.root.below(loc); ok {
		if err := CheckKey(key); err != nil {
			return nil, 0, err
		}
		return readRange(ctx, s.bucket, key, offset, length)
	}
	if loc.scheme == schemeFile {
		return s.openFile(loc, offset, length)
	}
	for i, allowed := range s.inputs {
		if key, ok := allowed.below(loc); ok {
			return s.readOther(ctx, i, key, offset, length)
		}
	}
	return nil, 0, s.notAllowed()
}

func (s *Store) notAllowed() error {
	return fmt.Errorf("%w: it is outside the store %s; list its prefix in BATCHKEEPER_INPUTS", ErrNotAllowed, s.root)
}

// readOther reads from a bucket that is not the store's.
func (s *Store) readOther(ctx context.Context, i int, key string, offset, length int64) (io.ReadCloser, int64, error) {
	at := s.inputs[i]
	full := strings.Trim(at.path+"/"+key, "/")
	if err := CheckKey(full); err != nil {
		return nil, 0, err
	}
	bucket, err := s.other(ctx, i)
	if err != nil {
		return nil, 0, err
	}
	return readRange(ctx, bucket, full, offset, length)
}

// other opens the whole bucket of an input prefix: the prefix may itself be the
// name of the one object allowed.
func (s *Store) other(ctx context.Context, i int) (*blob.Bucket, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b, ok := s.others[i]; ok {
		return b, nil
	}
	whole := s.inputs[i]
	whole.path = ""
	b, err := whole.open(ctx)
	if err != nil {
		return nil, err
	}
	s.others[i] = b
	return b, nil
}

// openFile opens a file outside the store.
func (s *Store) openFile(loc location, offset, length int64) (io.ReadCloser, int64, error) {
	file, err := s.allowedFile(loc)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	if err != nil {
		return nil, 0, err
	}
	r, size, err := fileRange(file, offset, length)
	if err != nil {
		return nil, 0, errors.Join(err, file.Close())
	}
	return r, size, nil
}

// allowedFile opens a file below one of the configured inputs, which no
// symbolic link leads out of, or any file where that is allowed.
func (s *Store) allowedFile(loc location) (*os.File, error) {
	if len(s.inputs) == 0 && s.root.scheme == schemeFile {
		return openRegular(os.Stat, os.Open, loc.dir())
	}
	for _, allowed := range s.inputs {
		key, ok := allowed.below(loc)
		if !ok {
			continue
		}
		if key == "" {
			return openRegular(os.Stat, os.Open, loc.dir())
		}
		root, err := os.OpenRoot(allowed.dir())
		if err != nil {
			return nil, err
		}
		defer root.Close()
		return openRegular(root.Stat, root.Open, filepath.FromSlash(key))
	}
	return nil, s.notAllowed()
}

// openRegular looks before it opens: opening a pipe would wait for a writer.
func openRegular(stat func(string) (os.FileInfo, error), open func(string) (*os.File, error), name string) (*os.File, error) {
	info, err := stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: it is not a regular file", ErrBadKey)
	}
	return open(name)
}

func fileRange(file *os.File, offset, length int64) (io.ReadCloser, int64, error) {
	if offset < 0 || length < -1 {
		return nil, 0, fmt.Errorf("offset %d, length %d: not a range", offset, length)
	}
	info, err := file.Stat()
	if err != nil {
		return nil, 0, err
	}
	size := info.Size()
	if offset > size {
		return nil, 0, beyond(offset, size)
	}
	if length < 0 || length > size-offset {
		length = size - offset
	}
	return struct {
		io.Reader
		io.Closer
	}{io.NewSectionReader(file, offset, length), file}, size, nil
}
