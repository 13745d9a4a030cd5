package ingest

import (
	"errors"

	"github.com/jackc/pgx/v5/pgconn"
	"go.temporal.io/sdk/temporal"

	"batchkeeper/pages"
)

// BadPage is the type of the error that no repetition mends: the page is not
// what its reference says, or the database refuses what a row says.
const BadPage = "BadPage"

// classed marks what no repetition mends. All else is tried again: a server that
// is away or full, a table or a right that is missing, until somebody has seen to it.
func classed(err error) error {
	if errors.Is(err, pages.ErrMalformed) || refused(err) {
		return temporal.NewNonRetryableApplicationError(err.Error(), BadPage, nil)
	}
	return err
}

// refused tells by the class of its code whether the server's complaint is about
// the data. Its message quotes no row; the details, which do, are not passed on.
func refused(err error) bool {
	var said *pgconn.PgError
	if !errors.As(err, &said) || len(said.Code) != 5 {
		return false
	}
	switch said.Code[:2] {
	case "21", // one statement has a row twice
		"22", // a value that the column's type does not take
		"23", // a constraint
		"54": // a limit of the server's, such as on nested values
		return true
	default:
		return false
	}
}
