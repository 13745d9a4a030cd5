// Package workflows is the recipe: deterministic code that sequences the steps
// of package activities by the decisions of package batch. Start with
// BatchWorkflow.
package workflows

import (
	"cmp"
	"encoding/json"
	"errors"
	"time"

	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/workflow"

	"batchkeeper/batch"
	"batchkeeper/internal/visibility"
)

// BatchWorkflow takes one JSONL input through the gateway and accounts for
// every row of it. Its input is a batch.Job, taken raw so that a job which
// cannot be read still answers the query and ends as rejected.
func BatchWorkflow(ctx workflow.Context, input json.RawMessage) (batch.Result, error) {
	r := newRun(ctx, input)
	if err := r.listen(ctx); err != nil {
		return batch.Result{}, err
	}
	steps, _ := workflow.NewDisconnectedContext(ctx) // cancellation is a message, not a torn-down context
	return r.finish(steps, r.inOrder(steps,
		step{batch.StageInspecting, r.inspect}, // bad input ends here, before anything is sent
		step{batch.StageUploading, r.upload},
		step{batch.StageCreating, r.create},    // at most one batch, whatever happens
		step{batch.StageTracking, r.track},     // poll, sleep, wake on a delivery; ask to cancel when told to
		step{batch.StageCollecting, r.collect}, // fetch, join, publish
	))
}

// run is one execution of BatchWorkflow.
type run struct {
	job      batch.Job
	parseErr error
	token    string
	session  string
	info     *workflow.Info
	log      log.Logger
	root     workflow.Context // which a cancellation from outside ends

	state batch.State // public: the query, the result
	book  batch.Book  // private: carried through continue-as-new with the state
	shown visibility.Attributes

	// What the message handlers leave for the steps.
	urgent    bool // something calls for attention now
	nudged    bool // a delivery asks for a read, no sooner than the last one allows
	due       bool // the last read came when the schedule said, not when something called
	unread    bool // the last read failed
	settle    *batch.SettleRequest
	settleNew bool                // nothing was tried about it yet
	settled   error               // what became of it
	abort     workflow.CancelFunc // ends the step in hand when a cancel comes before there is a batch
	answered  bool                // the gateway accepted or refused to cancel
	closing   bool
}

// step is one stage of the recipe; a step that is behind us returns at once.
type step struct {
	stage batch.Stage
	do    func(workflow.Context) error
}

// errStopped ends a run that was cancelled before there was a batch.
var errStopped = errors.New("cancelled before there was a batch")

func newRun(ctx workflow.Context, input json.RawMessage) *run {
	info := workflow.GetInfo(ctx)
	job, err := batch.ParseJob(input)
	r := &run{job: job.WithDefaults(), parseErr: err, info: info, log: workflow.GetLogger(ctx), root: ctx}
	if c := job.Carried; c != nil && info.ContinuedExecutionRunID != "" {
		r.token, r.state, r.book = c.Token, c.State, c.Book
		r.shown = visibility.Of(r.state)
		r.answered = r.state.Cancellation != nil && r.state.Cancellation.Result != ""
	} else {
		r.token = cmp.Or(info.OriginalRunID, info.WorkflowExecution.RunID) // a reset keeps it, so that it finds its batch again
		r.book.StartedAt = workflow.Now(ctx)
		r.state.Stage = batch.StageInspecting
		if c != nil && err == nil {
			r.parseErr = errors.New(`job: unknown field "carried"`)
		}
	}
	r.job.Carried = nil
	r.session = batch.SessionID(info.WorkflowExecution.ID, r.token)
	r.state.SessionID = r.session
	return r
}

// inOrder runs the steps. Before there is a batch, a request to cancel ends the
// run between two of them; the create step decides for itself.
func (r *run) inOrder(ctx workflow.Context, steps ...step) error {
	for _, s := range steps {
		if r.behind(s.stage) {
			continue
		}
		if r.cancelRequested() && !r.mayExist() {
			return errStopped
		}
		r.enter(ctx, s.stage)
		if err := s.do(ctx); err != nil {
			return err
		}
	}
	return nil
}

// behind tells whether continue-as-new, or the job itself, has put a stage behind us.
func (r *run) behind(s batch.Stage) bool {
	switch s {
	case batch.StageInspecting:
		return r.book.Inspected
	case batch.StageUploading:
		return r.book.Created || r.job.BatchID != "" || r.state.InputFileID != "" || r.book.Mode == batch.CreateInline
	case batch.StageCreating:
		return r.book.Created
	case batch.StageTracking:
		return r.book.Tracked
	case batch.StageCancelling, batch.StageCollecting, batch.StageDone:
		return false
	default:
		return false
	}
}

// mayExist tells whether a batch of this run exists or may exist.
func (r *run) mayExist() bool {
	return r.book.Created || r.job.BatchID != "" || r.submission().Ambiguous
}

func (r *run) submission() *batch.Submission {
	if r.state.Submission == nil {
		r.state.Submission = &batch.Submission{}
	}
	return r.state.Submission
}

func (r *run) enter(ctx workflow.Context, s batch.Stage) {
	if s == batch.StageTracking && r.state.Cancellation != nil && r.state.Cancellation.AskedAt != nil {
		s = batch.StageCancelling
	}
	if r.state.Stage != s {
		r.log.Info("stage", "stage", string(s), "batch_id", r.state.BatchID)
	}
	r.state.Stage = s
	r.show(ctx)
}

// dialect is how the gateway of this run speaks.
func (r *run) dialect() batch.Dialect { return r.book.Profile.Dialect }

func (r *run) cancelRequested() bool { return r.state.Cancellation != nil }

func timePtr(t time.Time) *time.Time { return &t }
