package batch_test

import (
	"encoding/json"
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"batchkeeper/batch"
)

// Whatever a manifest names, its files stand below the result's own prefix, and
// it can be written and read again.
func FuzzManifest(f *testing.F) {
	const sum = `"size":2,"sha256":"00"`
	for _, seed := range []string{
		``, `null`, `{}`, `{"files":[{"name":"results.jsonl",` + sum + `}]}`, `{"files":[{"name":"../results.jsonl",` + sum + `}]}`,
		`{"files":[{"name":"..",` + sum + `}]}`, `{"files":[{"name":".",` + sum + `}]}`, `{"files":[{"name":"a\u0000b"}]}`,
		`{"files":[{"name":"/etc/passwd"}]}`,
		`{"files":[{"name":"results/00001.jsonl",` + sum + `}],"bulk":{}}`, `{"files":[{"name":"results/../../secret",` + sum + `}],"bulk":{}}`,
		`{"files":[{"name":"results/..",` + sum + `}],"bulk":{}}`, `{"files":[{"name":"manifest.json",` + sum + `}]}`, `{"files":[{"size":-1,"name":"CON"}]}`,
		`{"files":[{"name":"results.jsonl",` + sum + `},{"name":"results.jsonl",` + sum + `}],"counts":{"rows":-1}}`,
		`{"files":[{"name":"secret",` + sum + `}]}`,
		`{"counts":{"rows":1e400}}`, `{"files":[{"name":"` + strings.Repeat("a", 300) + `"}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := batch.ParseManifest(raw)
		if err != nil {
			require.Equal(t, batch.Manifest{}, m)
			return
		}
		for _, file := range m.Files {
			key := path.Join("w/t", file.Name)
			below, ok := strings.CutPrefix(key, "w/t/")
			require.True(t, ok && below == file.Name, "%q leads elsewhere", file.Name)
			folder := path.Dir(below)
			require.True(t, folder == "." || m.Bulk != nil && (folder == batch.FolderResults || folder == batch.FolderFailures))
		}
		written, err := json.Marshal(m)
		require.NoError(t, err)
		again, err := batch.ParseManifest(written)
		require.NoError(t, err)
		require.Len(t, again.Files, len(m.Files))
	})
}
