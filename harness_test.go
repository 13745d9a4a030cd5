package batchkeeper_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"batchkeeper"
	"batchkeeper/batch"
)

// server is a real Temporal server that all tests of the package share.
var server client.Client

func TestMain(m *testing.M) { os.Exit(withServer(m)) }

func withServer(m *testing.M) int {
	path := os.Getenv("TEMPORAL_DEV_BIN")
	if path == "" {
		fmt.Fprintln(os.Stderr, "TEMPORAL_DEV_BIN is not set: run make test")
		return 1
	}
	quiet := log.NewStructuredLogger(slog.New(slog.DiscardHandler))
	keyword := temporal.NewSearchAttributeKeyKeyword
	//nolint:forbidigo // there is no test yet
	dev, err := testsuite.StartDevServer(context.Background(), testsuite.DevServerOptions{
		ExistingPath: path, LogLevel: "error", ClientOptions: &client.Options{Logger: quiet},
		SearchAttributes: temporal.NewSearchAttributes(
			keyword(batch.AttrLifecycleStatus).ValueSet(""), keyword(batch.AttrOutcome).ValueSet(""), keyword(batch.AttrBatchID).ValueSet(""),
			temporal.NewSearchAttributeKeyInt64(batch.AttrRows).ValueSet(0),
		),
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "start the Temporal server:", err)
		return 1
	}
	defer func() { _ = dev.Stop() }()
	server = dev.Client()
	w := worker.New(server, queue, worker.Options{})
	w.RegisterWorkflowWithOptions(play, workflow.RegisterOptions{Name: batch.WorkflowBatch})
	w.RegisterWorkflowWithOptions(play, workflow.RegisterOptions{Name: "Stranger"})
	if err := w.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "start the worker:", err)
		return 1
	}
	defer w.Stop()
	return m.Run()
}

// queue has a worker; nobody works on another.
const queue = "actors"

// act signals an actor what to do next.
const act = "act"

// actor plays a run of BatchWorkflow: it has the same handles and the same ways
// to end, and does what it is told by the signal act.
type actor struct{ state batch.State }

func play(ctx workflow.Context, job batch.Job) (batch.Result, error) {
	a := actor{batch.State{Stage: batch.StageTracking, BatchID: "batch_1", Status: batch.StatusInProgress, LifecycleStatus: batch.Running}}
	if job.Carried != nil {
		a.state = job.Carried.State
	}
	if job.Model == "instant" {
		a.state.Results = &batch.Results{Prefix: "nightly", Rows: 240, Succeeded: 240}
		return endAs(a.state, batch.OutcomeCompleted)
	}
	if err := a.listen(ctx); err != nil {
		return a.state, err
	}
	for {
		switch what := a.hear(ctx); what {
		case "continue":
			job.Carried = &batch.Carried{State: a.state}
			return a.state, workflow.NewContinueAsNewError(ctx, batch.WorkflowBatch, job)
		case "terminal":
			a.state.LifecycleStatus, a.state.Status = batch.Completed, batch.StatusCompleted
		case "":
		default:
			return endAs(a.state, batch.Outcome(what))
		}
	}
}

// hear waits for a signal; a cancel is noted.
func (a *actor) hear(ctx workflow.Context) (what string) {
	sel := workflow.NewSelector(ctx)
	sel.AddReceive(workflow.GetSignalChannel(ctx, act), func(c workflow.ReceiveChannel, _ bool) { c.Receive(ctx, &what) })
	sel.AddReceive(workflow.GetSignalChannel(ctx, batch.SignalCancel), func(c workflow.ReceiveChannel, _ bool) {
		var req batch.CancelRequest
		c.Receive(ctx, &req)
		_, _ = a.cancel(ctx, req)
	})
	sel.Select(ctx)
	return what
}

func (a *actor) listen(ctx workflow.Context) error {
	return errors.Join(
		workflow.SetQueryHandler(ctx, batch.QueryState, func() (batch.State, error) { return a.state, nil }),
		workflow.SetUpdateHandler(ctx, batch.UpdateRefresh, a.refresh),
		workflow.SetUpdateHandlerWithOptions(ctx, batch.UpdateCancel, a.cancel, workflow.UpdateHandlerOptions{Validator: a.mayCancel}),
		workflow.SetUpdateHandlerWithOptions(ctx, batch.UpdateSettle, a.settle, workflow.UpdateHandlerOptions{Validator: maySettle}),
	)
}

func (a *actor) refresh(workflow.Context) (batch.State, error) {
	a.state.Polls++
	return a.state, nil
}

func (a *actor) cancel(_ workflow.Context, req batch.CancelRequest) (batch.State, error) {
	a.state.Cancellation = &batch.Cancellation{Reason: req.Reason, RequestedBy: req.RequestedBy}
	return a.state, nil
}

func (a *actor) mayCancel(batch.CancelRequest) error {
	if a.state.LifecycleStatus.IsTerminal() {
		return errors.New("cancel: the batch is terminal")
	}
	return nil
}

func (a *actor) settle(_ workflow.Context, req batch.SettleRequest) (batch.State, error) {
	a.state.BatchID = req.BatchID
	return a.state, nil
}

func maySettle(req batch.SettleRequest) error {
	if req.BatchID == "" {
		return errors.New("settle: not ambiguous")
	}
	return nil
}

func endAs(state batch.State, outcome batch.Outcome) (batch.Result, error) {
	state.Stage, state.Outcome = batch.StageDone, outcome
	switch outcome {
	case batch.OutcomeCompleted:
		return state, nil
	case batch.OutcomeCancelled:
		return state, temporal.NewCanceledError(state)
	default:
		return state, temporal.NewNonRetryableApplicationError("it failed", string(outcome.Kind()), nil, state)
	}
}

var job = batch.Job{Input: "file:///data/requests.jsonl", Model: "m"}

func start(t *testing.T, job batch.Job, opts ...batchkeeper.Option) *batchkeeper.Run {
	t.Helper()
	r, err := batchkeeper.Start(t.Context(), server, job, append([]batchkeeper.Option{batchkeeper.WithTaskQueue(queue)}, opts...)...)
	require.NoError(t, err)
	return r
}

func tell(t *testing.T, r *batchkeeper.Run, what string) {
	t.Helper()
	require.NoError(t, server.SignalWorkflow(t.Context(), r.ID(), "", act, what))
}

// await waits until the run's latest execution has a status.
func await(t *testing.T, id string, want enumspb.WorkflowExecutionStatus) {
	t.Helper()
	require.Eventually(t, func() bool {
		d, err := server.DescribeWorkflowExecution(t.Context(), id, "")
		return err == nil && d.GetWorkflowExecutionInfo().GetStatus() == want
	}, 10*time.Second, 20*time.Millisecond)
}
