package blobstore_test

import (
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"batchkeeper/batch"
	"batchkeeper/internal/blobstore"
)

// hostileNames are what an id, a key or a path of somebody else's making can be.
var hostileNames = []string{
	"a/b.jsonl", "", ".", "..", "../../x", "a/../../x", "/etc/passwd", "a\x00b", `a\..\..\b`, `C:\x`, "CON", "nul.jsonl", "a.tmp", "a.attrs",
	"a//b", "a/", "...",
	"%2e%2e/x", "..%2f..%2fx", "a:b", "a\u2028b", "\xff", "-", "~", "a b ", "__0x2f__", strings.Repeat("a", 300), strings.Repeat("a/", 600), "日本/é", "e\u0301",
}

// A key that is taken names a file right below the root, one and the same for
// every reader, and nothing beside it.
func FuzzKey(f *testing.F) {
	for _, name := range hostileNames {
		f.Add(name)
	}
	base := f.TempDir()
	s, err := blobstore.Open(f.Context(), blobstore.Config{URL: blobstore.FileURL(filepath.Join(base, "root"))})
	require.NoError(f, err)
	f.Cleanup(func() { require.NoError(f, s.Close()) })
	f.Fuzz(func(t *testing.T, key string) {
		if blobstore.CheckKey(key) != nil {
			_, err := s.Stat(t.Context(), key)
			require.ErrorIs(t, err, blobstore.ErrBadKey)
			return
		}
		require.True(t, filepath.IsLocal(filepath.FromSlash(key)))
		require.Equal(t, path.Clean(key), key)
		ref, err := s.WriteAtomic(t.Context(), key, text("x"))
		require.NoError(t, err)
		require.Equal(t, key, ref.Key)
		require.Equal(t, "x", get(t, s, key, 0, -1))
		require.Equal(t, []string{key}, keys(t, s, ""))
		require.NoError(t, s.Delete(t.Context(), key))
		require.Empty(t, files(t, base), "a file is left, in the root or beside it")
		left, err := os.ReadDir(filepath.Join(base, "root"))
		require.NoError(t, err)
		for _, folder := range left { // of the key
			require.NoError(t, os.RemoveAll(filepath.Join(base, "root", folder.Name())))
		}
	})
}

// Whatever an input is called, what is opened stands below the store or a place
// that was allowed; the rest of the disk stays shut.
func FuzzInput(f *testing.F) {
	base := f.TempDir()
	for _, name := range []string{"store/in", "allowed/in", "allowed/more/in", "secret", "allowed-not/in"} {
		require.NoError(f, os.MkdirAll(filepath.Dir(filepath.Join(base, name)), 0o700))
		require.NoError(f, os.WriteFile(filepath.Join(base, name), []byte(name), 0o600))
	}
	require.NoError(f, os.Symlink("../secret", filepath.Join(base, "allowed", "link")))
	root := blobstore.FileURL(base)
	for _, name := range append([]string{
		"in", "ROOT/store/in", "ROOT/allowed/in", "ROOT/secret", "ROOT/allowed/../secret", "ROOT/allowed/%2e%2e/secret", "ROOT/allowed/link",
		"ROOT/allowed-not/in",
		"file://localhostROOTPATH/allowed/in", "file:ROOTPATH/secret", "FILE://ROOTPATH/secret", "ROOT/allowed/in?x=1", "ROOT/allowed/in#f", "file:///dev/zero",
		"file:///proc/self/environ", "http://evil.example/x", "s3://bucket/x?endpoint=http://evil.example", "file://user:canary@localhost/x",
		"ROOT//allowed//in",
	}, hostileNames...) {
		f.Add(name)
	}
	s, err := blobstore.Open(f.Context(), blobstore.Config{
		URL: blobstore.FileURL(filepath.Join(base, "store")), Inputs: []string{blobstore.FileURL(filepath.Join(base, "allowed"))},
	})
	require.NoError(f, err)
	f.Cleanup(func() { require.NoError(f, s.Close()) })
	f.Fuzz(func(t *testing.T, name string) {
		name = strings.ReplaceAll(strings.ReplaceAll(name, "ROOTPATH", base), "ROOT", root)
		r, size, err := s.OpenInput(t.Context(), name, 0, -1)
		if err != nil {
			require.NotContains(t, err.Error(), ":canary@")
			return
		}
		content := drain(t, r)
		require.Len(t, content, int(size))
		require.Contains(t, []string{"store/in", "allowed/in", "allowed/more/in"}, content)
	})
}

// Whatever a workflow is called, its results have a place of their own in every
// kind of store: one folder below the root, and another one for another name.
func FuzzResultsPrefix(f *testing.F) {
	for _, id := range []string{
		"nightly-1", ".", "..", "../../x", "a/b/c", "CON", "adopt-../../x", strings.Repeat("%", 200), strings.Repeat("/", 200), "a.tmp", `a\b`,
	} {
		f.Add(id, "..")
	}
	f.Fuzz(func(t *testing.T, id, other string) {
		if batch.CheckWorkflowID(id) != nil {
			return
		}
		prefix := batch.ResultsPrefix(batch.Job{}, id, "0190-run")
		require.NoError(t, blobstore.CheckKey(path.Join(prefix, "raw", "output.jsonl")))
		require.Equal(t, 1, strings.Count(prefix, "/"))
		if batch.CheckWorkflowID(other) == nil && other != id {
			require.NotEqual(t, prefix, batch.ResultsPrefix(batch.Job{}, other, "0190-run"))
		}
	})
}
