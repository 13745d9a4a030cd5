package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/api/serviceerror"

	"batchkeeper"
	"batchkeeper/batch"
)

// maxNamers bounds how many runs are looked at that name one batch.
const maxNamers = 20

// readTime bounds a read of one run: one that an operator resets while we look
// would be waited for to its new end.
const readTime = 30 * time.Second

// Track implements activities.Runs. The token of a session is the id of a run,
// so it is the server that says whether a batch is this namespace's.
func (r runs) Track(ctx context.Context, batchID, sessionID string) (batch.Tracking, error) {
	workflowID, token, ok := batch.SplitSessionID(sessionID)
	if !ok {
		return batch.Tracking{}, fmt.Errorf("session %q is not ours", sessionID)
	}
	t := batch.Tracking{BatchID: batchID}
	var err error
	if t.Maker, err = r.maker(ctx, workflowID, token, sessionID); err != nil {
		return batch.Tracking{}, err
	}
	if t.Settled() {
		return t, nil
	}
	if t.Adopter, _, err = r.sighting(ctx, batch.AdoptID(batchID), ""); err != nil {
		return batch.Tracking{}, err
	}
	if t.Settled() {
		return t, nil
	}
	t.Other, err = r.namer(ctx, batchID, workflowID, t.Adopter.WorkflowID)
	return t, err
}

// maker is the run of a session. A chain can outlive its first run: then the
// newest run under the id is the one, if it says so itself.
func (r runs) maker(ctx context.Context, workflowID, token, sessionID string) (batch.Sighting, error) {
	s, state, err := r.sighting(ctx, workflowID, token)
	if err == nil && s.Status == batch.RunMissing {
		newest, now, failed := r.sighting(ctx, workflowID, "")
		if failed == nil && now.SessionID == sessionID {
			return newest, nil
		}
		return s, failed
	}
	if err == nil && state.SessionID != "" && state.SessionID != sessionID {
		s.Problem = "its session is " + state.SessionID
	}
	return s, err
}

// sighting looks at one run; an empty runID means the newest. What cannot be
// read of a run that is there is a problem of it alone, not of the sweep.
func (r runs) sighting(ctx context.Context, workflowID, runID string) (batch.Sighting, batch.State, error) {
	s := batch.Sighting{WorkflowID: workflowID, Status: batch.RunMissing}
	run, err := batchkeeper.Attach(ctx, r.client, workflowID, runID)
	_, noRunID := errors.AsType[*serviceerror.InvalidArgument](err) // a token that no run of ours has
	if noRunID || errors.Is(err, batchkeeper.ErrNotFound) {
		return s, batch.State{}, nil
	}
	if err != nil {
		return s, batch.State{}, err
	}
	open, err := run.Open(ctx)
	if err != nil {
		return s, batch.State{}, err
	}
	if s.Status = batch.RunClosed; open {
		s.Status = batch.RunOpen
	}
	return read(ctx, run, s)
}

// read adds to a sighting what its run says of itself.
func read(ctx context.Context, run *batchkeeper.Run, s batch.Sighting) (batch.Sighting, batch.State, error) {
	asked, stop := context.WithTimeout(ctx, readTime)
	defer stop()
	var state batch.State
	var err error
	if s.Status == batch.RunOpen {
		state, err = run.State(asked)
	} else {
		state, err = run.Wait(asked)
	}
	switch {
	case ctx.Err() != nil:
		return s, batch.State{}, ctx.Err()
	case errors.Is(err, batchkeeper.ErrNoResult) && s.Status == batch.RunClosed:
		return s, batch.State{}, nil
	case err != nil:
		s.Problem = err.Error()
		return s, batch.State{}, nil
	}
	s.BatchID, s.Outcome, s.CancelRequested = state.BatchID, state.Outcome, state.Cancellation != nil
	if state.Outcome != "" { // it closed while we looked
		s.Status = batch.RunClosed
	}
	s.Ended = s.Status == batch.RunClosed && state.LifecycleStatus.IsTerminal()
	return s, state, nil
}

// namer is a run under another id that follows the batch, or has seen its end:
// an adoption under a name that a person chose. The list is a moment behind.
func (r runs) namer(ctx context.Context, batchID string, skip ...string) (batch.Sighting, error) {
	if strings.ContainsAny(batchID, `'"\`) {
		return batch.Sighting{}, nil
	}
	var best batch.Sighting
	looked := 0
	for l, err := range batchkeeper.List(ctx, r.client, fmt.Sprintf("%s = '%s'", batch.AttrBatchID, batchID)) {
		if err != nil {
			return batch.Sighting{}, err
		}
		if looked++; looked > maxNamers {
			break
		}
		if slices.Contains(skip, l.ID) {
			continue
		}
		s := batch.Sighting{WorkflowID: l.ID, Status: batch.RunOpen, BatchID: l.BatchID}
		if l.ClosedAt != nil {
			s.Status, s.Outcome, s.Ended = batch.RunClosed, l.Outcome, l.Outcome != "" && l.LifecycleStatus.IsTerminal()
		}
		if s.Status == batch.RunOpen {
			return s, nil
		}
		if s.Ended {
			best = s
		}
	}
	return best, nil
}
