package bridge

import (
	"errors"
	"fmt"
	"strings"

	"go.temporal.io/api/serviceerror"
	"google.golang.org/grpc/codes"
)

// signalLimit is the part of the server's message that tells a run which is
// full from a request that is wrong: both have the same code.
const signalLimit = "limit for signal events"

// classify puts a Notifier error in front of what Temporal answered. What it
// does not know may pass.
func classify(err error) error {
	if err == nil {
		return nil
	}
	kind := kindOf(err)
	if kind == nil {
		return err
	}
	return fmt.Errorf("%w: %w", kind, err)
}

func kindOf(err error) error {
	if namespace := (*serviceerror.NamespaceNotFound)(nil); errors.As(err, &namespace) {
		return ErrRefused
	}
	switch serviceerror.ToStatus(err).Code() {
	case codes.NotFound:
		return ErrNoRun
	case codes.Unauthenticated, codes.PermissionDenied:
		return ErrDenied
	case codes.InvalidArgument:
		if strings.Contains(err.Error(), signalLimit) {
			return ErrFull
		}
		return ErrRefused
	case codes.Unimplemented, codes.FailedPrecondition, codes.OutOfRange:
		return ErrRefused
	case codes.OK, codes.Canceled, codes.Unknown, codes.DeadlineExceeded, codes.AlreadyExists, codes.ResourceExhausted,
		codes.Aborted, codes.Internal, codes.Unavailable, codes.DataLoss:
		return nil
	default:
		return nil
	}
}

// final reports whether trying again is no use.
func final(err error) bool {
	return err == nil || errors.Is(err, ErrClosed) || errors.Is(err, ErrDenied) || errors.Is(err, ErrFull) || errors.Is(err, ErrRefused)
}
