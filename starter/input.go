package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"batchkeeper/batch"
	"batchkeeper/internal/blobstore"
	"batchkeeper/internal/jsonl"
)

// input is what INPUT names: a local file, which is copied into the store so
// that any worker can read it, or a store key or URL, which is passed on.
type input struct {
	name  string
	local bool
	store *blobstore.Store
	part  *batch.Range // nil: the whole
}

// findInput tells a local path from a store key; a path wins.
func findInput(ctx context.Context, store *blobstore.Store, name string, part *batch.Range) (input, error) {
	in := input{name: name, store: store, part: part}
	if strings.Contains(name, "://") {
		return in, nil
	}
	if isFile(name) {
		in.local = true
		return in, nil
	}
	_, err := os.Stat(name)
	switch {
	case err == nil:
		return in, usage("%s: it is not a regular file", name)
	case !errors.Is(err, os.ErrNotExist), strings.HasPrefix(name, "/"), strings.HasPrefix(name, "."):
		return in, usage("input: %w", err)
	}
	_, err = store.Stat(ctx, name)
	if errors.Is(err, blobstore.ErrNotFound) {
		return in, usage("%s: there is no such file here, nor %s in the store", name, store.URL(name))
	}
	return in, err
}

func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

// exceeds tells whether a local file is larger than so many bytes, so that it
// need not be read to know.
func (in input) exceeds(limit int64) bool {
	if !in.local || in.part != nil {
		return false
	}
	info, err := os.Stat(in.name)
	return err == nil && info.Size() > limit
}

// open opens the rows.
func (in input) open(ctx context.Context) (io.ReadCloser, error) {
	offset, length := int64(0), int64(-1)
	if in.part != nil {
		offset, length = in.part.Offset, in.part.Length
	}
	if !in.local {
		rows, _, err := in.store.OpenInput(ctx, in.name, offset, length)
		return rows, err
	}
	file, err := os.Open(in.name)
	if err != nil || in.part == nil {
		return file, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.NewSectionReader(file, offset, length), file}, nil
}

// inspect checks every row; progress may be nil.
func (in input) inspect(ctx context.Context, rules jsonl.Rules, progress func(rows, bytes int64)) (jsonl.Summary, error) {
	rows, err := in.open(ctx)
	if err != nil {
		return jsonl.Summary{}, err
	}
	summary, err := jsonl.Inspect(ctx, rows, rules, progress)
	return summary, errors.Join(err, rows.Close())
}

// publish brings a local file into the store under its content's hash, where it
// is not there yet, and returns what the job should name.
func (in input) publish(ctx context.Context) (string, error) {
	if !in.local {
		return in.name, nil
	}
	digest, size, err := hashFile(ctx, in.name)
	if err != nil {
		return "", fmt.Errorf("copy %s into the store: %w", in.name, err)
	}
	key := "inputs/" + digest + ".jsonl"
	if there, err := in.store.Stat(ctx, key); err == nil && there == size {
		return key, nil
	}
	_, err = in.store.WriteAtomic(ctx, key, func(w io.Writer) error {
		copied, _, err := copyFile(ctx, w, in.name)
		if err == nil && copied != digest {
			err = errors.New("it changed while it was read")
		}
		return err
	})
	if err != nil {
		return "", fmt.Errorf("copy %s into the store: %w", in.name, err)
	}
	return key, nil
}

func hashFile(ctx context.Context, name string) (digest string, size int64, err error) {
	return copyFile(ctx, io.Discard, name)
}

// copyFile streams a file to w and returns the digest and length of what went.
func copyFile(ctx context.Context, w io.Writer, name string) (digest string, size int64, err error) {
	file, err := os.Open(name)
	if err != nil {
		return "", 0, err
	}
	defer file.Close()
	sum := sha256.New()
	size, err = io.Copy(io.MultiWriter(w, sum), untilDone{ctx, file})
	return hex.EncodeToString(sum.Sum(nil)), size, err
}

// untilDone stops a long read between two chunks once the context is done.
type untilDone struct {
	ctx context.Context
	r   io.Reader
}

func (u untilDone) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(p)
}
