//go:build system

package system_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"batchkeeper"
)

// answer is an answered row, as the table and as the results have it.
type answer struct {
	RunID    string
	CustomID string
	Round    int
	BatchID  string
	Body     string
}

// written is a row of the table with the transaction that wrote it.
type written struct {
	answer
	By string
}

// table looks at what the example has written.
type table struct {
	t  *testing.T
	db *pgxpool.Pool
}

func newTable(t *testing.T, server *postgres) *table {
	t.Helper()
	pool := server.pool()
	t.Cleanup(pool.Close)
	return &table{t: t, db: pool}
}

func (a *table) awaitRows() {
	a.t.Helper()
	require.Eventually(a.t, func() bool {
		var n int
		return a.db.QueryRow(a.t.Context(), "SELECT count(*) FROM answers").Scan(&n) == nil && n > 0
	}, patience, 20*time.Millisecond)
}

func (a *table) rows() []written {
	a.t.Helper()
	found, err := a.db.Query(a.t.Context(), "SELECT run_id, custom_id, round, batch_id, body::text, xmin::text FROM answers ORDER BY run_id, custom_id")
	require.NoError(a.t, err)
	rows, err := pgx.CollectRows(found, func(r pgx.CollectableRow) (w written, err error) {
		return w, r.Scan(&w.RunID, &w.CustomID, &w.Round, &w.BatchID, &w.Body, &w.By)
	})
	require.NoError(a.t, err)
	return rows
}

// contents are the rows by custom_id, as the results have them.
func contents(rows []written) map[string]answer {
	out := map[string]answer{}
	for _, r := range rows {
		out[r.CustomID] = r.answer
	}
	return out
}

// answers are what the final files of a run have, by custom_id.
func (w *world) answers(run *batchkeeper.Run, prefix string) map[string]answer {
	w.t.Helper()
	files, err := filepath.Glob(filepath.Join(w.store, filepath.FromSlash(prefix), "results", "*.jsonl"))
	require.NoError(w.t, err)
	require.NotEmpty(w.t, files)
	out := map[string]answer{}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(w.t, err)
		for row := range bytes.Lines(raw) {
			var is struct {
				CustomID string `json:"custom_id"`
				Response struct {
					Body json.RawMessage `json:"body"`
				} `json:"response"`
				Batchkeeper struct {
					Round   int    `json:"round"`
					BatchID string `json:"batch_id"`
				} `json:"batchkeeper"`
			}
			require.NoError(w.t, json.Unmarshal(row, &is))
			require.NotContains(w.t, out, is.CustomID)
			out[is.CustomID] = answer{run.ID(), is.CustomID, is.Batchkeeper.Round, is.Batchkeeper.BatchID, string(is.Response.Body)}
		}
	}
	return out
}
