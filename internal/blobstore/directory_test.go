package blobstore_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/blobstore"
)

func isAny(err error, targets ...error) bool {
	for _, target := range targets {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// files are all files below a directory, the store's own helpers included.
func files(t *testing.T, dir string) []string {
	t.Helper()
	found := []string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, path)
			found = append(found, filepath.ToSlash(rel))
		}
		return err
	}))
	return found
}

func TestADirectoryHoldsPlainFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "when missing")
	s := openDir(t, dir)
	put(t, s, "nightly%2F1/run-1/results.jsonl", "{}\n")
	require.Equal(t, []string{"nightly%2F1/run-1/results.jsonl"}, files(t, dir))
	raw, err := os.ReadFile(filepath.Join(dir, "nightly%2F1", "run-1", "results.jsonl"))
	require.NoError(t, err)
	require.Equal(t, "{}\n", string(raw))
	path, ok := blobstore.PathOf(s.URL("nightly%2F1/run-1/results.jsonl"))
	require.True(t, ok)
	require.FileExists(t, path)
}

func TestAFailedWriteLeavesNoFile(t *testing.T) {
	dir := t.TempDir()
	s := openDir(t, dir)
	_, err := s.WriteAtomic(t.Context(), "results.jsonl", func(w io.Writer) error {
		require.Len(t, files(t, dir), 1, "it is written beside its place")
		return errors.Join(text("half")(w), errBroken)
	})
	require.ErrorIs(t, err, errBroken)
	require.Empty(t, files(t, dir))
}

func TestWhatAKilledWriterLeavesIsNoObject(t *testing.T) {
	dir := t.TempDir()
	s := openDir(t, dir)
	left := ""
	_, err := s.WriteAtomic(t.Context(), "run/results.jsonl", func(w io.Writer) error {
		require.NoError(t, text("half")(w))
		left = files(t, dir)[0] // what SIGKILL would leave at this moment
		return errBroken
	})
	require.ErrorIs(t, err, errBroken)
	writeFile(t, filepath.Join(dir, left), "half")

	require.Empty(t, keys(t, s, ""))
	_, err = s.Stat(t.Context(), "run/results.jsonl")
	require.ErrorIs(t, err, blobstore.ErrNotFound)
	_, err = s.Read(t.Context(), left, 0, -1)
	require.ErrorIs(t, err, blobstore.ErrBadKey)

	put(t, s, "run/results.jsonl", "whole")
	require.Equal(t, []string{"run/results.jsonl"}, keys(t, s, "run"))
	require.Equal(t, "whole", get(t, s, "run/results.jsonl", 0, -1))
}

func TestAReaderKeepsTheBytesItOpened(t *testing.T) {
	s := openDir(t, t.TempDir())
	put(t, s, "a", "old")
	r, err := s.Read(t.Context(), "a", 0, -1)
	require.NoError(t, err)
	put(t, s, "a", "new")
	require.Equal(t, "old", drain(t, r))
}

func TestADirectoryThatCannotBeMade(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	writeFile(t, file, "x")
	_, err := blobstore.Open(t.Context(), blobstore.Config{URL: blobstore.FileURL(filepath.Join(file, "below"))})
	require.ErrorContains(t, err, "open the store")
	_, err = openDir(t, filepath.Dir(file)).WriteAtomic(t.Context(), "file/below", text("x"))
	require.ErrorContains(t, err, `write "file/below"`)
	require.NotErrorIs(t, err, blobstore.ErrNotFound)
}
