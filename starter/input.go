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

// size is how many bytes the rows have, without reading them.
func (in input) size(ctx context.Context) (int64, error) {
	if in.part != nil {
		return in.part.Length, nil
	}
	if in.local {
		info, err := os.Stat(in.name)
		if err != nil {
			return 0, err
		}
		return info.Size(), nil
	}
	rows, size, err := in.store.OpenInput(ctx, in.name, 0, -1)
	if err != nil {
		return 0, err
	}
	return size, rows.Close()
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

// publish brings a local file into the store under its content's hash, where it
// is not there yet, and returns what the job should name.
func (in input) publish(ctx context.Context, found findings) (string, error) {
	if !in.local {
		return in.name, nil
	}
	digest, size := found.SHA256, found.Bytes
	if in.part != nil || digest == "" { // the check has read a part of the file
		var err error
		if digest, size, err = copyFile(ctx, io.Discard, in.name); err != nil {
			return "", fmt.Errorf("copy %s into the store: %w", in.name, err)
		}
	}
	key := "inputs/" + digest + ".jsonl"
	if there, err := in.store.Stat(ctx, key); err == nil && there == size {
		return key, nil
	}
	_, err := in.store.WriteAtomic(ctx, key, func(w io.Writer) error {
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
