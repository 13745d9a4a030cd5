package blobstore_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/blobstore"
)

func writeFile(t *testing.T, path, content string) string {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return blobstore.FileURL(path)
}

func TestInputFromAnyFileWhileTheStoreIsADirectory(t *testing.T) {
	s := openDir(t, t.TempDir())
	for _, name := range []string{"in.jsonl", "with space?and#and%41.jsonl", "pending.tmp"} {
		url := writeFile(t, filepath.Join(t.TempDir(), name), "rows")
		for _, input := range []string{url, strings.Replace(url, "file:///", "file://localhost/", 1)} {
			r, size, err := s.OpenInput(t.Context(), input, 1, 2)
			require.NoError(t, err, input)
			require.EqualValues(t, 4, size)
			require.Equal(t, "ow", drain(t, r))
		}
	}
}

func TestInputOutsideIsRefused(t *testing.T) {
	base := t.TempDir()
	allowed := filepath.Join(base, "in")
	writeFile(t, filepath.Join(allowed, "rows.jsonl"), "rows")
	secret := writeFile(t, filepath.Join(base, "input", "secret"), "secret") // shares the prefix as text
	tests := map[string]string{
		"another directory": secret,
		"a longer name":     blobstore.FileURL(allowed + "put/secret"),
		"dots":              blobstore.FileURL(allowed) + "/../input/secret",
		"escaped dots":      blobstore.FileURL(allowed) + "/%2e%2e/input/secret",
		"escaped slashes":   blobstore.FileURL(allowed) + "%2f..%2finput%2fsecret",
		"a bucket":          "s3://bucket/in/rows.jsonl",
		"another bucket":    "gs://bucket-of-others/in/rows.jsonl",
		"dots in a bucket":  "gs://bucket/in/../secret",
		"the web":           "https://example.com/rows.jsonl",
		"a query":           blobstore.FileURL(allowed) + "/rows.jsonl?metadata=skip",
		"a bare query":      "gs://bucket/in/rows.jsonl?",
		"an endpoint":       "gs://bucket/in/rows.jsonl?endpoint=http://example.com",
		"credentials":       "gs://me:word@bucket/in/rows.jsonl",
		"a fragment":        blobstore.FileURL(allowed) + "/rows.jsonl#1",
		"another host":      "file://host" + filepath.Join(allowed, "rows.jsonl"),
		"a relative file":   "file://./rows.jsonl",
		"no path":           "file://",
		"NUL":               blobstore.FileURL(allowed) + "/rows%00.jsonl",
	}
	for _, s := range []*blobstore.Store{
		openDir(t, filepath.Join(base, "store"), blobstore.FileURL(allowed), "gs://bucket/in"),
		open(t, blobstore.Config{URL: "mem://", Inputs: []string{blobstore.FileURL(allowed + "/")}}),
	} {
		r, _, err := s.OpenInput(t.Context(), blobstore.FileURL(filepath.Join(allowed, "rows.jsonl")), 0, -1)
		require.NoError(t, err)
		require.Equal(t, "rows", drain(t, r))
		for name, input := range tests {
			t.Run(name, func(t *testing.T) {
				_, _, err := s.OpenInput(t.Context(), input, 0, -1)
				require.Error(t, err)
				require.NotContains(t, err.Error(), "word")
				refused := isAny(err, blobstore.ErrNotAllowed, blobstore.ErrBadKey)
				require.True(t, refused, err)
			})
		}
		_, _, err = s.OpenInput(t.Context(), secret, 0, -1)
		require.ErrorIs(t, err, blobstore.ErrNotAllowed)
		require.ErrorContains(t, err, "BATCHKEEPER_INPUTS")
	}
}

func TestInputFilesNeedAFileStoreOrAnAllowance(t *testing.T) {
	url := writeFile(t, filepath.Join(t.TempDir(), "rows"), "rows")
	_, _, err := open(t, blobstore.Config{URL: "mem://"}).OpenInput(t.Context(), url, 0, -1)
	require.ErrorIs(t, err, blobstore.ErrNotAllowed)

	r, _, err := open(t, blobstore.Config{URL: "mem://", Inputs: []string{url}}).OpenInput(t.Context(), url, 0, -1)
	require.NoError(t, err, "a prefix may name one file")
	require.Equal(t, "rows", drain(t, r))
}

func TestInputThatIsNoRegularFile(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	for _, s := range []*blobstore.Store{
		openDir(t, t.TempDir()),
		openDir(t, t.TempDir(), blobstore.FileURL(dir)),
	} {
		for _, path := range []string{pipe, dir} {
			_, _, err := s.OpenInput(t.Context(), blobstore.FileURL(path), 0, -1)
			require.ErrorIs(t, err, blobstore.ErrBadKey, path)
		}
		_, _, err := s.OpenInput(t.Context(), blobstore.FileURL(filepath.Join(dir, "none")), 0, -1)
		require.ErrorIs(t, err, blobstore.ErrNotFound)
	}
}

func TestNoLinkLeadsOutOfAnAllowedDirectory(t *testing.T) {
	base := t.TempDir()
	writeFile(t, filepath.Join(base, "secret"), "secret")
	writeFile(t, filepath.Join(base, "in", "rows"), "rows")
	require.NoError(t, os.Symlink("../secret", filepath.Join(base, "in", "out")))
	require.NoError(t, os.Symlink("rows", filepath.Join(base, "in", "inside")))
	s := openDir(t, t.TempDir(), blobstore.FileURL(filepath.Join(base, "in")))

	r, _, err := s.OpenInput(t.Context(), blobstore.FileURL(filepath.Join(base, "in", "inside")), 0, -1)
	require.NoError(t, err)
	require.Equal(t, "rows", drain(t, r))
	_, _, err = s.OpenInput(t.Context(), blobstore.FileURL(filepath.Join(base, "in", "out")), 0, -1)
	require.ErrorContains(t, err, "escapes")
}

func TestOpenRefuses(t *testing.T) {
	tests := map[string]blobstore.Config{
		"no URL":              {},
		"a path":              {URL: "/data"},
		"an unknown scheme":   {URL: "https://example.com"},
		"a file host":         {URL: "file://data/x"},
		"a relative file":     {URL: "file://./x"},
		"no bucket":           {URL: "s3:///x"},
		"dots in a prefix":    {URL: "mem://b/a/../x"},
		"dots in a parameter": {URL: "mem://b?prefix=../x"},
		"credentials":         {URL: "s3://key:word@bucket"},
		"a bad input":         {URL: "mem://", Inputs: []string{"in"}},
	}
	for name, cfg := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := blobstore.Open(t.Context(), cfg)
			require.ErrorIs(t, err, blobstore.ErrBadKey)
			require.NotContains(t, err.Error(), "word")
		})
	}
}

func TestFileURLAndPathOf(t *testing.T) {
	for _, path := range []string{"/a/b", "/with space", "/a?b#c%41", "/日本"} {
		got, ok := blobstore.PathOf(blobstore.FileURL(path))
		require.True(t, ok)
		require.Equal(t, path, got)
	}
	for _, other := range []string{"s3://b/x", "a/b", "file://host/x", "::"} {
		_, ok := blobstore.PathOf(other)
		require.False(t, ok, other)
	}
}
