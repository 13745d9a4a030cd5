package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/blobstore"
)

// Whatever a manifest names, a copy holds files of that result and nothing else,
// and nothing is written beside the directory that was asked for.
func TestACopyStaysInItsDirectory(t *testing.T) {
	const sum = `"size":2,"sha256":"87428fc522803d31065e7bce3cf03fe475096631e5e07bbd7a0fde60c4cf25c7"`
	base := t.TempDir()
	store, err := blobstore.Open(t.Context(), blobstore.Config{URL: blobstore.FileURL(filepath.Join(base, "store"))})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	write := func(t testing.TB, name, content string) {
		path := filepath.Join(base, "store", name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	}
	for _, name := range []string{"w/t/results.jsonl", "w/t/results/00001.jsonl"} {
		write(t, name, "a\n")
	}
	write(t, "w/secret", "b\n")
	write(t, "secret", "b\n")
	for name, tc := range map[string]struct {
		manifest string
		ok       bool
	}{
		"its own file":        {`{"files":[{"name":"results.jsonl",` + sum + `}]}`, true},
		"its own part":        {`{"files":[{"name":"results/00001.jsonl",` + sum + `}],"bulk":{}}`, true},
		"its own file, twice": {`{"files":[{"name":"results.jsonl",` + sum + `},{"name":"results.jsonl",` + sum + `}]}`, true},
		"a file above":        {`{"files":[{"name":"../secret",` + sum + `}]}`, false},
		"a part above":        {`{"files":[{"name":"results/../../secret",` + sum + `}],"bulk":{}}`, false},
		"a folder":            {`{"files":[{"name":"results/..",` + sum + `}],"bulk":{}}`, false},
		"itself":              {`{"files":[{"name":".",` + sum + `}]}`, false},
		"NUL":                 {`{"files":[{"name":"a\u0000b"}]}`, false},
		"an absolute name":    {`{"files":[{"name":"/etc/passwd"}]}`, false},
		"a device":            {`{"files":[{"size":-1,"name":"CON"}]}`, false},
		"a long name":         {`{"files":[{"name":"` + strings.Repeat("a", 300) + `"}]}`, false},
		"a backslash":         {`{"files":[{"name":"..\\secret"}]}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			write(t, "w/t/manifest.json", tc.manifest)
			out := filepath.Join(t.TempDir(), "out", "dir")
			_, err := copyTo(t.Context(), store, "w/t", out)
			require.Equal(t, tc.ok, err == nil, "%v", err)
			require.NoError(t, filepath.WalkDir(filepath.Dir(filepath.Dir(out)), func(path string, d os.DirEntry, err error) error {
				if err != nil || d.IsDir() {
					return err
				}
				require.Equal(t, out, filepath.Dir(path))
				content, err := os.ReadFile(path)
				require.NotEqual(t, "b\n", string(content), "a file of another result was copied")
				return err
			}))
		})
	}
}
