package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"

	"batchkeeper/batch"
	"batchkeeper/internal/blobstore"
	"batchkeeper/internal/gateway"
)

// fault is the only maker of errors that leave an activity: the kind is the
// type, and its row in batch's table decides whether Temporal tries again.
func fault(kind batch.FailureKind, err error) error {
	var wait time.Duration
	if ge, ok := gateway.AsError(err); ok {
		wait = ge.RetryAfter
	}
	return faultAfter(kind, err, wait)
}

// faultAfter is fault with the wait before the next attempt; zero leaves it to
// the retry policy.
func faultAfter(kind batch.FailureKind, err error, wait time.Duration) error {
	return temporal.NewApplicationErrorWithOptions(err.Error(), string(kind), temporal.ApplicationErrorOptions{
		NonRetryable: !kind.Treat().Retryable, NextRetryDelay: wait,
	})
}

// isKind tells whether the error was classed as one of the kinds.
func isKind(err error, kinds ...batch.FailureKind) bool {
	var app *temporal.ApplicationError
	return errors.As(err, &app) && slices.Contains(kinds, batch.FailureKind(app.Type()))
}

// translate classes an error of the store or the gateway. An error that already
// has its kind, and the end of the activity's own context, pass unchanged.
func translate(err error) error {
	var app *temporal.ApplicationError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &app), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, errLost):
		return fault(batch.KindResultsUnavailable, err)
	case errors.Is(err, errInputChanged):
		return fault(batch.KindInputInvalid, err)
	case errors.Is(err, blobstore.ErrNotFound), errors.Is(err, blobstore.ErrNotAllowed), errors.Is(err, blobstore.ErrBadKey):
		return fault(batch.KindInputUnavailable, err)
	}
	if ge, ok := gateway.AsError(err); ok {
		return fault(gatewayKind(ge), err)
	}
	return fault(batch.KindStoreUnavailable, err)
}

var errLost = errors.New("what this run has written is gone or has changed")

// lost marks the error of reading what this run has written before, and says
// what it tells of: trying again does not help, and going on without it would
// report rows that were paid for as never sent.
func lost(err error, format string, args ...any) error {
	if errors.Is(err, blobstore.ErrNotFound) || errors.Is(err, batch.ErrBroken) {
		return fmt.Errorf(format+": %w: %w", append(args, errLost, err)...)
	}
	return err
}

func gatewayKind(ge *gateway.Error) batch.FailureKind {
	switch {
	case ge.Class == gateway.Refused:
		return batch.KindGatewayRefused
	case ge.Status == 404:
		return batch.KindGatewayNotFound
	default:
		return batch.KindGatewayUnavailable
	}
}
