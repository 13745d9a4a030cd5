package ingest

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"batchkeeper/batch"
	"batchkeeper/pages"
)

// runPage runs the workflow over a page that fails as told, attempt by attempt.
func runPage(t *testing.T, failures ...error) (result Result, attempts int, err error) {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestWorkflowEnvironment()
	env.SetWorkerOptions(worker.Options{DeadlockDetectionTimeout: time.Minute}) // a busy machine is no deadlock
	env.RegisterActivityWithOptions(func(_ context.Context, p batch.Page) (Result, error) {
		attempts++
		if attempts <= len(failures) {
			return Result{}, classed(failures[attempts-1])
		}
		return Result{Rows: p.Rows, Written: p.Rows}, nil
	}, activity.RegisterOptions{Name: takePage})
	env.ExecuteWorkflow(Page, batch.Page{Rows: 7})
	require.True(t, env.IsWorkflowCompleted())
	if err = env.GetWorkflowError(); err == nil {
		require.NoError(t, env.GetWorkflowResult(&result))
	}
	return result, attempts, err
}

func TestAPageIsTriedUntilItIsIn(t *testing.T) {
	away := errors.New("connection refused")
	result, attempts, err := runPage(t, away, away, away, away, away, away, away)
	require.NoError(t, err)
	require.Equal(t, Result{Rows: 7, Written: 7}, result)
	require.Equal(t, 8, attempts)
}

func TestABadPageFailsAtOnce(t *testing.T) {
	_, attempts, err := runPage(t, pages.ErrMalformed)
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	require.Equal(t, BadPage, app.Type())
	require.Equal(t, 1, attempts)
}
