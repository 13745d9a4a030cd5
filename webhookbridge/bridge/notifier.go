package bridge

import (
	"context"
	"errors"

	"batchkeeper/batch"
)

// Notice is one proven delivery on its way to a run.
type Notice struct {
	// Provider and Route say who sent it and to which path; with the event id
	// they make the identity under which a repeated delivery is known.
	Provider, Route string
	WorkflowID      string
	Delivery        batch.Delivery
}

// Notifier reaches the runs. Both methods return the errors below; any other
// error means that it is unavailable and the sender should try again.
type Notifier interface {
	// Signal hands the notice to its run, once per identity however often it is
	// called. Nil means that the run has it for good.
	Signal(ctx context.Context, n Notice) error
	// Find returns the id of the workflow that tracks a batch.
	Find(ctx context.Context, batchID string) (workflowID string, err error)
}

// What a Notifier may report.
var (
	// ErrClosed: the run is over and needs no delivery any more.
	ErrClosed = errors.New("the run is closed")
	// ErrNoRun: there is no such run: another namespace, or retention has passed.
	ErrNoRun = errors.New("there is no such run")
	// ErrDenied: Temporal refuses our credential.
	ErrDenied = errors.New("the credential is refused by Temporal")
	// ErrFull: the run takes no more signals until it continues as new.
	ErrFull = errors.New("the run takes no more signals")
	// ErrRefused: Temporal refuses the request itself; repeating it is no use.
	ErrRefused = errors.New("the request is refused by Temporal")
)
