package pages_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"batchkeeper/batch"
	"batchkeeper/internal/blobstore"
	"batchkeeper/pages"
)

const key = "run/work/r1/s00001/results.jsonl"

// open writes a results file and opens the store around it.
func open(t *testing.T, content string) *pages.Reader {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, filepath.FromSlash(key))
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	r, err := pages.Open(t.Context(), blobstore.FileURL(dir))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r
}

func collect(t *testing.T, r *pages.Reader, p batch.Page) ([]pages.Row, error) {
	t.Helper()
	var rows []pages.Row
	for row, err := range r.Rows(t.Context(), p) {
		if err != nil {
			return rows, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func line(id, body string) string {
	return `{"id":"x","custom_id":"` + id + `","response":{"status_code":200,"body":` + body + `},"error":null}` + "\n"
}

func TestRowsAreThoseOfThePage(t *testing.T) {
	first, second, third := line("a", `{"n":1}`), line("b", `{"n": 2}`), line(`\u00e9`, `"three"`)
	r := open(t, first+second+"\r\n"+third)
	rows, err := collect(t, r, batch.Page{Key: key, Length: int64(len(first)), Rows: 1})
	require.NoError(t, err)
	require.Equal(t, []pages.Row{{CustomID: "a", Body: []byte(`{"n":1}`)}}, rows)
	rows, err = collect(t, r, batch.Page{Key: key, Offset: int64(len(first)), Length: int64(len(second) + 2 + len(third)), Rows: 2})
	require.NoError(t, err)
	require.Equal(t, []pages.Row{{CustomID: "b", Body: []byte(`{"n": 2}`)}, {CustomID: "é", Body: []byte(`"three"`)}}, rows)
}

// What a model has said is not touched, whatever it is.
func TestBodiesAreKeptByteForByte(t *testing.T) {
	for _, body := range []string{
		`{"text":"\u0000"}`, `{"text":"\ud83d"}`, `{"a":1,"a":2}`, `{"n":1e400, "m":0.10}`, `[ 1 ]`, `false`,
		`"` + strings.Repeat("x", 1<<20) + `"`,
	} {
		content := line("a", body)
		rows, err := collect(t, open(t, content), batch.Page{Key: key, Length: int64(len(content)), Rows: 1})
		require.NoError(t, err)
		require.Len(t, rows, 1)
		require.Equal(t, body, string(rows[0].Body))
	}
}

func TestNotTheReferredPage(t *testing.T) {
	good := line("a", `{"secret":"canary"}`)
	for name, tc := range map[string]struct {
		content string
		page    batch.Page
	}{
		"fewer rows":       {good, batch.Page{Rows: 2}},
		"more rows":        {good + good, batch.Page{Rows: 1}},
		"cut":              {good, batch.Page{Length: int64(len(good)) + 1, Rows: 1}},
		"beyond the end":   {good, batch.Page{Offset: 1000, Length: 5, Rows: 1}},
		"to the end":       {good, batch.Page{Length: -1, Rows: 1}},
		"bad key":          {good, batch.Page{Key: "../" + key, Rows: 1}},
		"not JSON":         {"canary\n", batch.Page{Rows: 1}},
		"within a line":    {good, batch.Page{Offset: 3, Length: int64(len(good)) - 3, Rows: 1}},
		"no custom_id":     {`{"CUSTOM_ID":"a","response":{"body":{}}}` + "\n", batch.Page{Rows: 1}},
		"custom_id number": {`{"custom_id":1,"response":{"body":"canary"}}` + "\n", batch.Page{Rows: 1}},
		"no body":          {`{"custom_id":"a","response":null}` + "\n", batch.Page{Rows: 1}},
		"null body":        {line("a", "null"), batch.Page{Rows: 1}},
		"too long":         {line("a", `"`+strings.Repeat("x", 16<<20)+`"`), batch.Page{Rows: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.page.Key == "" {
				tc.page.Key = key
			}
			if tc.page.Length == 0 {
				tc.page.Length = int64(len(tc.content))
			}
			_, err := collect(t, open(t, tc.content), tc.page)
			require.ErrorIs(t, err, pages.ErrMalformed)
			require.NotContains(t, err.Error(), "canary")
		})
	}
}

func TestWhatMayPass(t *testing.T) {
	r := open(t, line("a", "{}"))
	_, err := collect(t, r, batch.Page{Key: "another/results.jsonl", Rows: 1})
	require.Error(t, err)
	require.NotErrorIs(t, err, pages.ErrMalformed)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range r.Rows(ctx, batch.Page{Key: key, Length: int64(len(line("a", "{}"))), Rows: 1}) {
		require.ErrorIs(t, err, context.Canceled)
	}
}

func TestReadingMayEndEarly(t *testing.T) {
	content := line("a", "{}") + line("b", "{}")
	for row, err := range open(t, content).Rows(t.Context(), batch.Page{Key: key, Length: int64(len(content)), Rows: 2}) {
		require.NoError(t, err)
		require.Equal(t, "a", row.CustomID)
		break
	}
}

func TestTheStoreOfTheEnvironment(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("BATCHKEEPER_STORE", blobstore.FileURL(filepath.Join(dir, "store")))
	r, err := pages.Open(t.Context(), "")
	require.NoError(t, err)
	require.NoError(t, r.Close())
	require.DirExists(t, filepath.Join(dir, "store"))
	t.Setenv("BATCHKEEPER_STORE", "nowhere")
	_, err = pages.Open(t.Context(), "")
	require.ErrorContains(t, err, "BATCHKEEPER_STORE")
}
