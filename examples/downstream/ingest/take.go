package ingest

import (
	"context"
	_ "embed" // the statement
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.temporal.io/sdk/activity"

	"batchkeeper/batch"
	"batchkeeper/pages"
)

//go:embed upsert.sql
var upsert string

// A statement takes as many rows as come first to one of these bounds, so that
// memory grows neither with the page nor with the answers: a row has at most 16 MiB.
const (
	rowsPerStatement  = 1000
	bytesPerStatement = 1 << 20
)

// Pages takes pages into a database.
type Pages struct {
	reader *pages.Reader
	db     *pgxpool.Pool
}

// New returns what Register needs; both stay the caller's to close.
func New(reader *pages.Reader, db *pgxpool.Pool) *Pages { return &Pages{reader: reader, db: db} }

// Take writes the rows of a page into the table answers, all or none of them. It
// may be repeated, and two workers may have the same page in hand: rows are known
// by run and custom_id, and those that are there already are left as they are.
//
// It beats with each statement, not by a clock: a server that hangs must not look alive.
func (p *Pages) Take(ctx context.Context, page batch.Page) (Result, error) {
	var result Result
	err := pgx.BeginFunc(ctx, p.db, func(tx pgx.Tx) error {
		part := chunk{page: page}
		for row, err := range p.reader.Rows(ctx, page) {
			if err != nil {
				return err
			}
			part.add(row)
			if part.full() {
				if err := part.write(ctx, tx, &result); err != nil {
					return err
				}
			}
		}
		return part.write(ctx, tx, &result)
	})
	if err != nil {
		return Result{}, classed(fmt.Errorf("take page %d of unit %d in round %d: %w", page.Number, page.Unit, page.Round, err))
	}
	return result, nil
}

// chunk is the rows of one statement.
type chunk struct {
	page        batch.Page
	ids, bodies []string
	bytes       int
}

func (c *chunk) add(row pages.Row) {
	c.ids, c.bodies = append(c.ids, row.CustomID), append(c.bodies, string(row.Body))
	c.bytes += len(row.CustomID) + len(row.Body)
}

func (c *chunk) full() bool { return len(c.ids) >= rowsPerStatement || c.bytes >= bytesPerStatement }

// write sends the rows, counts them and empties the chunk.
func (c *chunk) write(ctx context.Context, tx pgx.Tx, result *Result) error {
	done, err := tx.Exec(ctx, upsert, c.page.RunID, c.page.Round, c.page.BatchID, c.ids, c.bodies)
	if err != nil {
		return err
	}
	result.Rows += int64(len(c.ids))
	result.Written += done.RowsAffected()
	activity.RecordHeartbeat(ctx, result.Rows)
	clear(c.bodies) // else the array would hold on to them
	c.ids, c.bodies, c.bytes = c.ids[:0], c.bodies[:0], 0
	return nil
}
