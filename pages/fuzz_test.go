package pages_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"batchkeeper/batch"
	"batchkeeper/internal/blobstore"
	"batchkeeper/pages"
)

// Whatever is referred to and whatever stands there, reading ends with as many
// rows as were promised, or with an error, and never outside the store.
func FuzzRows(f *testing.F) {
	two := line("a", `{"n":1}`) + line("b", "[]")
	f.Add([]byte(two), key, int64(0), int64(len(two)), int64(2))
	f.Add([]byte(two), "../secret", int64(0), int64(6), int64(1))
	f.Add([]byte(two), "run/../../secret\x00", int64(-1), int64(-1), int64(-1))
	f.Add([]byte(two+"\n"), key, int64(1), int64(1<<62), int64(1<<62))
	f.Add([]byte("\xef\xbb\xbf"+line("", "1e400")), key, int64(3), int64(60), int64(1))
	f.Add([]byte(`{"custom_id":"../../x","response":{"body":{"t":"\ud83d","t":"\u0000"}}}`), key, int64(0), int64(72), int64(1))
	f.Add([]byte("\xff{}\n"+strings.Repeat("[", 20000)), key, int64(0), int64(20004), int64(2))
	base := f.TempDir()
	path := filepath.Join(base, "store", filepath.FromSlash(key))
	require.NoError(f, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(f, os.WriteFile(filepath.Join(base, "secret"), []byte(line("canary", `"canary"`)), 0o600))
	r, err := pages.Open(f.Context(), blobstore.FileURL(filepath.Join(base, "store")))
	require.NoError(f, err)
	f.Cleanup(func() { require.NoError(f, r.Close()) })
	f.Fuzz(func(t *testing.T, content []byte, object string, offset, length, rows int64) {
		require.NoError(t, os.WriteFile(path, content, 0o600))
		n, failed := int64(0), error(nil)
		for row, err := range r.Rows(t.Context(), batch.Page{Key: object, Offset: offset, Length: length, Rows: rows}) {
			if failed = err; err != nil {
				break
			}
			n++
			require.NotEmpty(t, row.CustomID)
			require.NotEqual(t, "canary", row.CustomID, "a file outside the store was read")
			require.True(t, json.Valid(row.Body) && string(row.Body) != "null")
		}
		if failed != nil {
			return
		}
		require.Equal(t, key, object)
		require.Equal(t, rows, n)
		require.True(t, offset >= 0 && length >= 0 && offset+length <= int64(len(content)))
	})
}
