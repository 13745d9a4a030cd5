package workflows

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"batchkeeper/activities"
	"batchkeeper/batch"
)

// applySettle follows an operator's word. One that allows a post without proof
// stands until a look could be made: it is answered once it was followed.
func (r *run) applySettle(ctx workflow.Context) (resubmit bool, err error) {
	req := r.settle
	r.settleNew = false
	if req == nil {
		return false, nil
	}
	if req.Resubmit {
		return true, nil
	}
	defer func() { r.settle = nil }()
	out, err := call(ctx, quickRead("read batch "+req.BatchID), act.Poll, activities.PollInput{Dialect: r.dialect(), BatchID: req.BatchID})
	switch {
	case err != nil:
		r.settled = errors.New("settle: " + reason(err))
	case out.Batch == nil:
		r.settled = fmt.Errorf("settle: batch %s: %s", req.BatchID, out.Problem)
	default:
		r.adopt(workflow.Now(ctx), *out.Batch)
		r.book.Fetched = true
	}
	return false, nil
}

// dropSettle answers an operator whose word came too late.
func (r *run) dropSettle() {
	if r.settle != nil {
		r.settle, r.settled = nil, errors.New("settle: the create has settled itself")
	}
}

// adopt makes a batch that was read this run's own.
func (r *run) adopt(now time.Time, b batch.Snapshot) {
	r.own(now, b.BatchID)
	r.state.Observe(b)
	r.book.CancelURL = b.CancelURL
	if !b.CreatedAt.IsZero() && b.CreatedAt.Before(now) {
		r.book.History.Since = b.CreatedAt
	}
}

// own begins the tracking of a batch known by its id alone.
func (r *run) own(now time.Time, batchID string) {
	s := r.submission()
	s.Ambiguous, s.AmbiguousSince = false, nil
	r.state.BatchID, r.state.Problem = batchID, ""
	r.book.Created, r.book.TrackedSince, r.book.History.Since = true, now, now
}

func (r *run) createBy() time.Time { return r.book.CreateSince.Add(r.job.CreateTimeout.Std()) }

// settleBy is when an ambiguous create is given up; while it is not ambiguous,
// a day that never comes.
func (r *run) settleBy() time.Time {
	since := r.book.CreateSince
	if at := r.submission().AmbiguousSince; at != nil {
		since = *at
	}
	return since.Add(r.job.SettleTimeout.Std())
}

func (r *run) timedOut() error {
	return end(batch.OutcomeRejected, fmt.Sprintf("create: not accepted within create_timeout (%s): %s", r.job.CreateTimeout, r.state.Problem))
}

func (r *run) unsettled() error {
	s := r.submission()
	return end(batch.OutcomeSubmissionUnknown, fmt.Sprintf(
		"whether a batch exists was not settled within settle_timeout (%s): session %s, posts %d, last answer %q, "+
			"batch ids seen %v, input file %q; look for the session at the provider before starting again",
		r.job.SettleTimeout, r.session, s.Posts, s.LastAnswer, s.Hints, r.state.InputFileID))
}
