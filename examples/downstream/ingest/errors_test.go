package ingest

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"batchkeeper/pages"
)

func TestWhatIsTriedAgain(t *testing.T) {
	said := func(code string) error { return fmt.Errorf("write: %w", &pgconn.PgError{Code: code}) }
	for name, tc := range map[string]struct {
		err     error
		forGood bool
	}{
		"another page":          {fmt.Errorf("read: %w", pages.ErrMalformed), true},
		"a row twice":           {said("21000"), true},
		"no text for the type":  {said("22P02"), true},
		"a constraint":          {said("23514"), true},
		"a limit":               {said("54001"), true},
		"the connection breaks": {io.ErrUnexpectedEOF, false},
		"shutting down":         {said("57P01"), false},
		"starting up":           {said("57P03"), false},
		"disk full":             {said("53100"), false},
		"no such table":         {said("42P01"), false},
		"no such right":         {said("42501"), false},
		"deadlock":              {said("40P01"), false},
		"no code":               {said(""), false},
	} {
		t.Run(name, func(t *testing.T) {
			got := classed(tc.err)
			var app *temporal.ApplicationError
			if !tc.forGood {
				require.ErrorIs(t, got, tc.err)
				require.NotErrorAs(t, got, &app)
				return
			}
			require.ErrorAs(t, got, &app)
			require.True(t, app.NonRetryable())
			require.Equal(t, BadPage, app.Type())
			require.Equal(t, tc.err.Error(), app.Message())
		})
	}
}

func TestThePasswordIsNotRepeated(t *testing.T) {
	for _, url := range []string{
		"postgres://me:canary@host:port/db", "postgres://me:can ary@127.0.0.1/db", "postgres://me:can%zzary@h/db", "postgres://me:canary@h/db?sslmode=what",
		"host=h password=canary port=x", "password='canary", "me:canary@h", "postgres://me:canary@127.0.0.1:1/db?connect_timeout=1",
	} {
		_, err := Open(t.Context(), url)
		require.Error(t, err)
		for cause := err; cause != nil; cause = errors.Unwrap(cause) {
			require.NotContains(t, cause.Error(), "canary")
			require.NotContains(t, cause.Error(), "ary@")
		}
	}
}
