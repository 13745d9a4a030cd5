package workflows_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"batchkeeper/activities"
	"batchkeeper/batch"
	"batchkeeper/workflows"
)

// patrol is a sweep in the SDK's test environment: an account, and a server that
// knows its runs.
type patrol struct {
	*world
	mu       sync.Mutex
	account  batch.Account
	seen     map[string]batch.Tracking
	asked    []activities.ListAccountInput
	pages    []int // batches asked about at a time
	adopted  map[string]batch.Job
	signals  map[string]batch.CancelRequest
	onSignal func()
	torn     []string // runs that were cancelled with the sweep
	unheard  error    // of a signal
	listFail error
}

func newPatrol(t *testing.T) *patrol {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestWorkflowEnvironment()
	env.SetWorkerOptions(worker.Options{DeadlockDetectionTimeout: time.Minute}) // a busy machine is no deadlock
	env.SetTestTimeout(30 * time.Second)
	p := &patrol{
		world: &world{t: t, env: env}, seen: map[string]batch.Tracking{}, adopted: map[string]batch.Job{}, signals: map[string]batch.CancelRequest{},
	}
	env.SetStartWorkflowOptions(startOptions("sweep-1"))
	workflows.Register(registry{env, p.follow}, activities.New(activities.Options{}))
	env.OnActivity("ListAccount", mock.Anything, mock.Anything).Return(
		func(_ context.Context, in activities.ListAccountInput) (activities.ListAccountOutput, error) {
			p.asked = append(p.asked, in)
			return activities.ListAccountOutput{Account: p.account}, p.listFail
		}).Maybe()
	env.OnActivity("Track", mock.Anything, mock.Anything).Return(
		func(_ context.Context, in activities.TrackInput) (activities.TrackOutput, error) {
			p.pages = append(p.pages, len(in.Batches))
			out := activities.TrackOutput{}
			for _, b := range in.Batches {
				seen := p.seen[b.BatchID]
				seen.BatchID = b.BatchID
				out.Seen = append(out.Seen, seen)
			}
			return out, nil
		}).Maybe()
	env.OnSignalExternalWorkflow(mock.Anything, mock.Anything, "", batch.SignalCancel, mock.Anything).Return(
		func(_, id, _, _ string, arg any) error {
			p.mu.Lock()
			defer p.mu.Unlock()
			req, ok := arg.(batch.CancelRequest)
			require.True(p.t, ok)
			p.signals[id] = req
			if p.onSignal != nil {
				p.onSignal()
			}
			return p.unheard
		}).Maybe()
	return p
}

// follow plays the runs that a sweep starts, which outlive it.
func (p *patrol) follow(ctx workflow.Context, input json.RawMessage) error {
	job, err := batch.ParseJob(input)
	if err != nil {
		return err
	}
	id := workflow.GetInfo(ctx).WorkflowExecution.ID
	p.mu.Lock()
	p.adopted[id] = job
	p.mu.Unlock()
	var req batch.CancelRequest
	workflow.Go(ctx, func(ctx workflow.Context) {
		ctx.Done().Receive(ctx, nil)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.torn = append(p.torn, id)
	})
	if heard, _ := workflow.GetSignalChannel(ctx, batch.SignalCancel).ReceiveWithTimeout(ctx, time.Hour, &req); heard {
		p.mu.Lock()
		p.signals[id] = req
		p.mu.Unlock()
		return workflow.Sleep(ctx, time.Hour)
	}
	return nil
}

// lists adds a batch an hour old, and what is known of its run.
func (p *patrol) lists(id string, maker batch.Sighting, age time.Duration) {
	p.account.Listed++
	p.account.Batches = append(p.account.Batches, batch.AccountBatch{
		BatchID: id, SessionID: "nightly~" + id, Status: batch.StatusInProgress, CreatedAt: p.env.Now().Add(-age), Rows: 5,
		Cost: batch.Cost{Nanos: 50, Source: batch.CostBilled},
	})
	maker.WorkflowID = "nightly"
	p.seen[id] = batch.Tracking{Maker: maker}
}

func (p *patrol) sweep(input string) batch.SweepReport {
	p.t.Helper()
	p.env.ExecuteWorkflow(batch.WorkflowSweep, json.RawMessage(input))
	require.True(p.t, p.env.IsWorkflowCompleted(), "the sweep hangs")
	require.NoError(p.t, p.env.GetWorkflowError())
	var r batch.SweepReport
	require.NoError(p.t, p.env.GetWorkflowResult(&r))
	return r
}

// town is an orphan, a duplicate, a batch over its age, one of an unknown run and
// one that all is well with.
func town(t *testing.T) *patrol {
	t.Helper()
	p := newPatrol(t)
	p.lists("orphan", batch.Sighting{Status: batch.RunClosed}, time.Hour)
	p.lists("duplicate", batch.Sighting{Status: batch.RunOpen, BatchID: "first"}, time.Hour)
	p.lists("old", batch.Sighting{Status: batch.RunOpen, BatchID: "old"}, 27*time.Hour)
	p.lists("stranger", batch.Sighting{Status: batch.RunMissing}, 27*time.Hour)
	p.lists("well", batch.Sighting{Status: batch.RunOpen, BatchID: "well"}, time.Hour)
	return p
}

func did(r batch.SweepReport) map[string]string {
	out := map[string]string{}
	for _, f := range r.Findings {
		out[f.BatchID] = fmt.Sprintf("%s %s %s", f.Class, f.Action, f.FollowedBy)
	}
	return out
}

func TestASweepAdoptsAndReports(t *testing.T) {
	p := town(t)
	r := p.sweep(`{"profile":"phaseo"}`)
	require.Equal(t, map[string]string{
		"orphan": "orphan adopted adopt-orphan", "duplicate": "duplicate reported ",
		"old": "over_age reported nightly", "stranger": "unknown reported ",
	}, did(r))
	require.Equal(t, map[string]batch.Job{"adopt-orphan": {BatchID: "orphan", Profile: "phaseo"}}, p.adopted)
	require.Empty(t, p.signals, "nothing is cancelled unasked")
	require.Equal(t, []activities.ListAccountInput{{Profile: "phaseo", Since: r.StartedAt.Add(-168 * time.Hour)}}, p.asked)
	require.Equal(t, 2, r.Followed)
	require.Len(t, r.Sums, 4)
	require.EqualValues(t, 50, r.Sums[0].CostNanos)
}

func TestASweepThatCancelsAsksTheRuns(t *testing.T) {
	p := town(t)
	r := p.sweep(`{"cancel":true}`)
	require.Equal(t, map[string]string{
		"orphan": "orphan cancel_requested adopt-orphan", "duplicate": "duplicate cancel_requested adopt-duplicate",
		"old": "over_age cancel_requested nightly", "stranger": "unknown reported ",
	}, did(r))
	require.Len(t, p.adopted, 2)
	require.Equal(t, map[string]batch.CancelRequest{
		"adopt-orphan":    {RequestedBy: "sweep", Reason: "no run followed it"},
		"adopt-duplicate": {RequestedBy: "sweep", Reason: "its run has the batch first"},
		"nightly":         {RequestedBy: "sweep", Reason: "it is 27h0m0s old"},
	}, p.signals)
}

func TestASweepWhoseSignalIsNotHeardSaysSo(t *testing.T) {
	p := town(t)
	p.unheard = errors.New("it has just ended")
	r := p.sweep(`{"cancel":true}`)
	require.Equal(t, "over_age reported nightly", did(r)["old"])
	require.Contains(t, r.Findings[2].Problem, "ask nightly to cancel: it has just ended")
}

// A run takes its cancellation for a wish to cancel its batch.
func TestCancellingASweepCancelsNoBatch(t *testing.T) {
	p := town(t)
	p.onSignal = p.env.CancelWorkflow
	r := p.sweep(`{"cancel":true}`)
	require.Equal(t, "orphan cancel_requested adopt-orphan", did(r)["orphan"])
	require.Len(t, p.adopted, 2)
	require.Empty(t, p.torn)
}

func TestARunThatIsThereAlreadyFollows(t *testing.T) {
	p := newPatrol(t)
	p.lists("twice", batch.Sighting{Status: batch.RunClosed}, time.Hour)
	p.env.OnWorkflow(batch.WorkflowBatch, mock.Anything, mock.Anything).Return(nil, &temporal.ChildWorkflowExecutionAlreadyStartedError{}).Maybe()
	r := p.sweep(`{}`)
	require.Equal(t, map[string]string{"twice": "orphan adopted adopt-twice"}, did(r))
}

func TestASweepAsksPageByPage(t *testing.T) {
	p := newPatrol(t)
	for i := range 450 {
		id := fmt.Sprint("b", i)
		p.lists(id, batch.Sighting{Status: batch.RunOpen, BatchID: id}, time.Hour)
	}
	r := p.sweep(`{}`)
	require.Equal(t, []int{200, 200, 50}, p.pages)
	require.Equal(t, 450, r.Followed)
	require.Empty(t, r.Findings)
}

func TestASweepThatCannotBeMade(t *testing.T) {
	for name, tc := range map[string]struct {
		input   string
		fails   error
		kind    batch.FailureKind
		message string
		lists   int
	}{
		"an unknown field": {`{"cancle":true}`, nil, batch.KindInputInvalid, `unknown field "cancle"`, 0},
		"the gateway is down": {`{}`, temporal.NewApplicationError("no route", string(batch.KindGatewayUnavailable)),
			batch.KindGatewayUnavailable, "list the account's batches: no route", 3},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPatrol(t)
			p.listFail = tc.fails
			p.env.ExecuteWorkflow(batch.WorkflowSweep, json.RawMessage(tc.input))
			var app *temporal.ApplicationError
			require.ErrorAs(t, p.env.GetWorkflowError(), &app)
			require.Equal(t, string(tc.kind), app.Type())
			require.True(t, app.NonRetryable())
			require.Contains(t, app.Message(), tc.message)
			require.Len(t, p.asked, tc.lists)
		})
	}
}

func TestASweepAnswersItsQuery(t *testing.T) {
	p := town(t)
	want := p.sweep(`{}`)
	v, err := p.env.QueryWorkflow(batch.QueryState)
	require.NoError(t, err)
	var got batch.SweepReport
	require.NoError(t, v.Get(&got))
	require.Equal(t, want, got)
}
