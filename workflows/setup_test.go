package workflows_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"batchkeeper/activities"
	"batchkeeper/batch"
	"batchkeeper/workflows"
)

// world is a run in the SDK's test environment whose activities are scripted.
// Each has a happy default; a test replaces what it is about.
type world struct {
	t   *testing.T
	env *testsuite.TestWorkflowEnvironment

	calls     []string // the activities run, in order
	inspect   func(activities.InspectInput) (activities.InspectOutput, error)
	upload    func(activities.UploadInput) (activities.UploadOutput, error)
	lookUp    func(activities.LookUpInput) (activities.LookUpOutput, error)
	create    func(activities.CreateInput) (activities.CreateOutput, error)
	poll      func(activities.PollInput) (activities.PollOutput, error)
	cancel    func(activities.CancelInput) (activities.CancelOutput, error)
	download  func(activities.DownloadInput) (activities.DownloadOutput, error)
	reconcile func(activities.ReconcileInput) (activities.ReconcileOutput, error)
}

const (
	workflowID = "nightly-1"
	batchID    = "batch_01K3QF7W2M9XD4V8T6R0YB5HNC"
)

func newWorld(t *testing.T) *world {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestWorkflowEnvironment()
	env.SetWorkerOptions(worker.Options{DeadlockDetectionTimeout: time.Minute}) // a busy machine is no deadlock
	env.SetTestTimeout(30 * time.Second)
	env.SetStartWorkflowOptions(startOptions(workflowID))
	workflows.Register(env, activities.New(activities.Options{}))
	w := &world{t: t, env: env}
	w.happy()
	play(w, "Inspect", func() func(activities.InspectInput) (activities.InspectOutput, error) { return w.inspect })
	play(w, "Upload", func() func(activities.UploadInput) (activities.UploadOutput, error) { return w.upload })
	play(w, "LookUp", func() func(activities.LookUpInput) (activities.LookUpOutput, error) { return w.lookUp })
	play(w, "Create", func() func(activities.CreateInput) (activities.CreateOutput, error) { return w.create })
	play(w, "Poll", func() func(activities.PollInput) (activities.PollOutput, error) { return w.poll })
	play(w, "Cancel", func() func(activities.CancelInput) (activities.CancelOutput, error) { return w.cancel })
	play(w, "Download", func() func(activities.DownloadInput) (activities.DownloadOutput, error) { return w.download })
	play(w, "Reconcile", func() func(activities.ReconcileInput) (activities.ReconcileOutput, error) { return w.reconcile })
	return w
}

// play runs the script of one activity, whatever it is when the call comes.
func play[In, Out any](w *world, name string, script func() func(In) (Out, error)) {
	w.env.OnActivity(name, mock.Anything, mock.Anything).Return(func(_ context.Context, in In) (Out, error) {
		w.calls = append(w.calls, name)
		return script()(in)
	})
}

func startOptions(id string) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{ID: id, TaskQueue: batch.DefaultTaskQueue}
}

// happy is a run in which nothing goes wrong and the second read says completed.
func (w *world) happy() {
	w.inspect = func(in activities.InspectInput) (activities.InspectOutput, error) {
		out := activities.InspectOutput{Profile: batch.PhaseoProfile(), Endpoint: "/v1/responses", Model: "m"}
		out.Mode = out.Profile.Mode(in.Job)
		if in.Job.Input != "" {
			out.Facts = batch.InputFacts{Rows: 3, Bytes: 300, SHA256: "abc"}
		}
		return out, nil
	}
	w.upload = func(activities.UploadInput) (activities.UploadOutput, error) {
		return activities.UploadOutput{FileID: "file-in", Bytes: 300}, nil
	}
	w.lookUp = func(activities.LookUpInput) (activities.LookUpOutput, error) { return w.nothing(), nil }
	w.create = func(in activities.CreateInput) (activities.CreateOutput, error) {
		return activities.CreateOutput{Verdict: batch.VerdictCreated, BatchID: batchID, Batch: snap("validating")}, nil
	}
	w.poll = statuses("in_progress", "completed")
	w.cancel = func(activities.CancelInput) (activities.CancelOutput, error) {
		return activities.CancelOutput{Accepted: true, Batch: snap("cancelling")}, nil
	}
	w.download = func(in activities.DownloadInput) (activities.DownloadOutput, error) {
		return activities.DownloadOutput{Ref: batch.Ref{Key: in.Key, Size: 1}}, nil
	}
	w.reconcile = func(in activities.ReconcileInput) (activities.ReconcileOutput, error) {
		results := batch.Results{Prefix: in.Prefix, Rows: 3, Succeeded: 3}
		return activities.ReconcileOutput{Results: results, Outcome: batch.OutcomeOf(in.Status, results)}, nil
	}
}

// nothing is a look that finds nothing in a short list.
func (w *world) nothing() activities.LookUpOutput {
	return activities.LookUpOutput{Look: batch.Look{ReadAt: w.env.Now(), Date: w.env.Now(), Complete: true}}
}

// ours is a look that finds one confirmed batch of the run.
func (w *world) ours(status batch.Status) activities.LookUpOutput {
	out := w.nothing()
	out.Look.Found = []batch.Found{{BatchID: batchID, Status: status}}
	out.Batch = snap(status)
	return out
}

func snap(status batch.Status) *batch.Snapshot {
	s := &batch.Snapshot{BatchID: batchID, Status: status, InputFileID: "file-in", CancelURL: !status.IsTerminal()}
	if status == batch.StatusCompleted {
		s.OutputFileID = "file-out"
		s.RequestCounts = &batch.RequestCounts{Total: 3, Completed: 3}
	}
	return s
}

// statuses answers each read with the next status, the last one for ever.
func statuses(list ...batch.Status) func(activities.PollInput) (activities.PollOutput, error) {
	n := 0
	return func(activities.PollInput) (activities.PollOutput, error) {
		s := list[min(n, len(list)-1)]
		n++
		return activities.PollOutput{Batch: snap(s)}, nil
	}
}

func (w *world) at(d time.Duration, do func()) { w.env.RegisterDelayedCallback(do, d) }

// run executes a job, the way a start from plain JSON does.
func (w *world) run(job string) ending {
	w.t.Helper()
	w.env.ExecuteWorkflow(batch.WorkflowBatch, json.RawMessage(job))
	require.True(w.t, w.env.IsWorkflowCompleted(), "the run hangs")
	return w.ending()
}

const plainJob = `{"input":"in.jsonl"}`

// ending is how a run ended: its result, whatever the Temporal status.
type ending struct {
	batch.Result
	status string // completed, canceled, or the type of the failure
	err    error
}

func (w *world) ending() ending {
	w.t.Helper()
	var e ending
	e.err = w.env.GetWorkflowError()
	var app *temporal.ApplicationError
	var canceled *temporal.CanceledError
	switch {
	case e.err == nil:
		e.status = "completed"
		require.NoError(w.t, w.env.GetWorkflowResult(&e.Result))
	case errors.As(e.err, &canceled):
		e.status = "canceled"
		require.NoError(w.t, canceled.Details(&e.Result))
	case errors.As(e.err, &app):
		e.status = app.Type()
		require.True(w.t, app.NonRetryable(), "a retry policy must not pay again")
		require.NoError(w.t, app.Details(&e.Result))
	}
	return e
}

func (w *world) state() batch.State {
	w.t.Helper()
	v, err := w.env.QueryWorkflow(batch.QueryState)
	require.NoError(w.t, err)
	var s batch.State
	require.NoError(w.t, v.Get(&s))
	return s
}

func (w *world) count(name string) int {
	n := 0
	for _, c := range w.calls {
		if c == name {
			n++
		}
	}
	return n
}

// reply notes what became of an update.
type reply struct {
	rejected, err error
	state         batch.State
	done          bool
}

func (r *reply) Accept()          {}
func (r *reply) Reject(err error) { r.rejected, r.done = err, true }
func (r *reply) Complete(v any, err error) {
	r.err, r.done = err, true
	if s, ok := v.(batch.State); ok {
		r.state = s
	}
}

func (w *world) update(name string, arg ...any) *reply {
	r := &reply{}
	w.env.UpdateWorkflow(name, "", r, arg...)
	return r
}

func delivery(id, status string) batch.Delivery {
	return batch.Delivery{
		EventID: id, EventType: "batch." + status, BatchID: batchID, LifecycleStatus: batch.LifecycleStatus(status),
		ReceivedAt: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC),
	}
}
