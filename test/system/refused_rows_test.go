//go:build system

package system_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"batchkeeper/batch"
	"batchkeeper/examples/downstream/ingest"
	"batchkeeper/internal/blobstore"
	"batchkeeper/pages"
)

// shelf is a store with pages that no run has made, beside a real database.
type shelf struct {
	t    *testing.T
	dir  string
	db   *pgxpool.Pool
	take func(batch.Page) (ingest.Result, error)
}

func newShelf(t *testing.T, server *postgres) *shelf {
	t.Helper()
	s := &shelf{t: t, dir: t.TempDir()}
	var err error
	s.db, err = ingest.Open(t.Context(), server.url())
	require.NoError(t, err)
	t.Cleanup(s.db.Close)
	reader, err := pages.Open(t.Context(), blobstore.FileURL(s.dir))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, reader.Close()) })
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivityWithOptions(ingest.New(reader, s.db).Take, activity.RegisterOptions{Name: "take"})
	s.take = func(p batch.Page) (result ingest.Result, err error) {
		value, err := env.ExecuteActivity("take", p)
		if err != nil {
			return result, err
		}
		return result, value.Get(&result)
	}
	return s
}

// page writes rows, each an id in JSON and a body, as a page of the run.
func (s *shelf) page(run string, rows ...[2]string) batch.Page {
	s.t.Helper()
	var b strings.Builder
	for _, row := range rows {
		fmt.Fprintf(&b, `{"custom_id":%s,"response":{"status_code":200,"body":%s},"error":null}`+"\n", row[0], row[1])
	}
	key := run + "/results.jsonl"
	path := filepath.Join(s.dir, key)
	require.NoError(s.t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(s.t, os.WriteFile(path, []byte(b.String()), 0o600))
	return batch.Page{RunID: run, Round: 1, Unit: 1, Number: 1, BatchID: "batch_1", Key: key, Length: int64(b.Len()), Rows: int64(len(rows))}
}

// bodies are the rows of a run, by id.
func (s *shelf) bodies(run string) map[string]string {
	s.t.Helper()
	out := map[string]string{}
	rows, err := s.db.Query(s.t.Context(), "SELECT custom_id, body::text FROM answers WHERE run_id = $1", run)
	require.NoError(s.t, err)
	for rows.Next() {
		var id, body string
		require.NoError(s.t, rows.Scan(&id, &body))
		out[id] = body
	}
	require.NoError(s.t, rows.Err())
	return out
}

func TestWhatModelsSayIsKeptAsItIs(t *testing.T) {
	s := newShelf(t, newPostgres(t))
	odd := map[string]string{
		"nul": `{"text":"a\u0000b"}`, "half a pair": `"\ud83d"`, "twice": `{"a":1,"a":2}`, "numbers": `[1e400, 0.10, -0]`, "spaces": `{ "a" : 1 }`,
		`quote"back\slash`: `"é\/"`, "large": `"` + strings.Repeat("x", 3<<20) + `"`,
	}
	var rows [][2]string
	for id, body := range odd {
		rows = append(rows, [2]string{fmt.Sprintf("%q", id), body})
	}
	for i := range 2500 { // more than one statement
		id := fmt.Sprintf("row-%d", i)
		odd[id] = fmt.Sprintf(`{"n":%d}`, i)
		rows = append(rows, [2]string{fmt.Sprintf("%q", id), odd[id]})
	}
	page := s.page("odd", rows...)
	result, err := s.take(page)
	require.NoError(t, err)
	require.Equal(t, ingest.Result{Rows: page.Rows, Written: page.Rows}, result)
	require.Equal(t, odd, s.bodies("odd"))

	result, err = s.take(page)
	require.NoError(t, err)
	require.Equal(t, ingest.Result{Rows: page.Rows}, result)

	page.BatchID = "batch_2" // a run of the same name, started anew
	result, err = s.take(page)
	require.NoError(t, err)
	require.Equal(t, ingest.Result{Rows: page.Rows, Written: page.Rows}, result)
}

func TestAPageIsTakenWholeOrNotAtAll(t *testing.T) {
	server := newPostgres(t)
	s := newShelf(t, server)
	many := make([][2]string, 1500)
	for i := range many {
		many[i] = [2]string{fmt.Sprintf(`"row-%d"`, i), `{"secret":"canary"}`}
	}
	for name, last := range map[string][2]string{
		"nul in an id": {`"a\u0000b"`, `"canary"`},
		"a row twice":  {`"row-1499"`, `"canary"`},
		"no body":      {`"none"`, "null"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.take(s.page(name, append(many, last)...))
			var app *temporal.ApplicationError
			require.ErrorAs(t, err, &app)
			require.True(t, app.NonRetryable())
			require.Equal(t, ingest.BadPage, app.Type())
			require.NotContains(t, err.Error(), "canary")
			require.Empty(t, s.bodies(name))
		})
	}

	page := s.page("later", many...)
	_, err := s.db.Exec(t.Context(), "ALTER TABLE answers RENAME TO elsewhere")
	require.NoError(t, err)
	s.fails(page)
	_, err = s.db.Exec(t.Context(), "ALTER TABLE elsewhere RENAME TO answers")
	require.NoError(t, err)
	server.stop(syscall.SIGQUIT)
	s.fails(page)
	server.start()
	require.Eventually(t, func() bool {
		_, err := s.take(page)
		return err == nil
	}, patience, 50*time.Millisecond)
	require.Len(t, s.bodies("later"), len(many))
}

// fails takes a page in vain, in a way that may pass.
func (s *shelf) fails(page batch.Page) {
	s.t.Helper()
	_, err := s.take(page)
	var app *temporal.ApplicationError
	require.ErrorAs(s.t, err, &app)
	require.False(s.t, app.NonRetryable(), app.Error())
	require.NotContains(s.t, err.Error(), "canary")
}
