package ingest

import (
	"context"
	_ "embed" // the table
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"
)

//go:embed schema.sql
var schema string

// Open connects to a database and creates the table where it is missing. The
// empty url leaves everything to the standard variables, PGHOST and so on. It
// fails where the database cannot be reached; later, it may come and go.
func Open(ctx context.Context, url string) (*pgxpool.Pool, error) {
	settings, err := pgxpool.ParseConfig(url)
	if err != nil { // what it says is not repeated: it could quote the password
		return nil, errors.New("open the database: DATABASE_URL or a PG… variable cannot be read as a setting")
	}
	db, err := pgxpool.NewWithConfig(ctx, settings)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	if _, err := db.Exec(ctx, schema); err != nil {
		db.Close()
		return nil, fmt.Errorf("create the table answers: %w", err)
	}
	return db, nil
}
