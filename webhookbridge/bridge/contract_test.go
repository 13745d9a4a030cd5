package bridge_test

import (
	"context"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"batchkeeper/batch"
	"batchkeeper/webhookbridge/bridge"
)

var attrBatchID = temporal.NewSearchAttributeKeyKeyword(batch.AttrBatchID)

// onServer is a world whose runs live on a real Temporal server.
func onServer(t *testing.T) (*world, client.Client) {
	t.Helper()
	binary := os.Getenv("TEMPORAL_DEV_BIN")
	require.NotEmpty(t, binary, "TEMPORAL_DEV_BIN names no Temporal server: run make test")
	server, err := testsuite.StartDevServer(t.Context(), testsuite.DevServerOptions{
		ExistingPath: binary, LogLevel: "never",
		SearchAttributes: temporal.NewSearchAttributes(attrBatchID.ValueSet("")),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop()) })
	c := server.Client()
	t.Cleanup(c.Close)
	w := connectedWorld(t, func(o *bridge.Options) {
		o.Now = time.Now
		o.Connect = func(context.Context) (bridge.Notifier, error) {
			return bridge.NewTemporalNotifier(bridge.TemporalOptions{
				Service: c.WorkflowService(), Namespace: client.DefaultNamespace, Identity: "bridge@test",
			}), nil
		}
	})
	return w, c
}

func startRun(t *testing.T, c client.Client, id, batchID string) client.WorkflowRun {
	t.Helper()
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: id, TaskQueue: "contract",
		TypedSearchAttributes: temporal.NewSearchAttributes(attrBatchID.ValueSet(batchID)),
	}, "Listener")
	require.NoError(t, err)
	return run
}

func countSignals(t *testing.T, c client.Client, run client.WorkflowRun) int {
	t.Helper()
	count := 0
	for history := c.GetWorkflowHistory(t.Context(), run.GetID(), run.GetRunID(), false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); history.HasNext(); {
		event, err := history.Next()
		require.NoError(t, err)
		if event.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED {
			count++
		}
	}
	return count
}

// listener is as much of a run as a delivery needs.
func listener(ctx workflow.Context) (batch.Delivery, error) {
	var d batch.Delivery
	workflow.GetSignalChannel(ctx, batch.SignalWebhook).Receive(ctx, &d)
	return d, nil
}

func TestAgainstARealServer(t *testing.T) {
	w, c := onServer(t)
	t.Run("a thousand duplicates are one event", func(t *testing.T) { thousandDuplicates(t, w, c) })
	t.Run("a worker receives what was sent", func(t *testing.T) { workerReceives(t, w, c) })
	t.Run("a closed run needs nothing more", func(t *testing.T) { closedRun(t, w, c) })
	t.Run("an unknown run is unavailable", func(t *testing.T) { unknownRun(t, w) })
}

func eventFor(workflowID, batchID string) event {
	e := completed()
	e.ID, e.BatchID, e.Session = "evt_batch_"+batchID+"_batch_completed", batchID, batch.SessionID(workflowID, "run-1")
	return e
}

func thousandDuplicates(t *testing.T, w *world, c client.Client) {
	run := startRun(t, c, "duplicates", "batch_d")
	var group sync.WaitGroup
	statuses := make(chan int, 1000)
	for sender := range 10 {
		group.Go(func() {
			for i := range 100 {
				e := eventFor("duplicates", "batch_d")
				e.Attempt = 1 + (sender+i)%4
				statuses <- w.send(signedPhaseo(t, e.json(t), time.Now())).Code
			}
		})
	}
	group.Wait()
	close(statuses)
	for status := range statuses {
		require.Equal(t, http.StatusOK, status)
	}
	require.Equal(t, 1, countSignals(t, c, run))

	e := eventFor("duplicates", "batch_d")
	e.ID, e.Type = "evt_batch_batch_d_batch_created", "batch.created"
	require.Equal(t, http.StatusOK, w.send(signedPhaseo(t, e.json(t), time.Now())).Code)
	require.Equal(t, 2, countSignals(t, c, run), "the next genuine event gets through")
}

func workerReceives(t *testing.T, w *world, c client.Client) {
	run := startRun(t, c, "listens", "batch_l")
	e := eventFor("listens", "batch_l")
	require.Equal(t, http.StatusOK, w.send(signedPhaseo(t, e.json(t), time.Now())).Code)
	byBatch := startRun(t, c, "found by its batch", "batch_f")
	require.Equal(t, http.StatusOK, w.send(openAIAt(t, "batch.completed", "batch_f", time.Now())).Code)

	listening := worker.New(c, "contract", worker.Options{})
	listening.RegisterWorkflowWithOptions(listener, workflow.RegisterOptions{Name: "Listener"})
	require.NoError(t, listening.Start())
	defer listening.Stop()
	for run, want := range map[client.WorkflowRun]string{run: "batch_l", byBatch: "batch_f"} {
		var got batch.Delivery
		require.NoError(t, run.Get(t.Context(), &got))
		require.Equal(t, want, got.BatchID)
		require.Equal(t, batch.Completed, got.LifecycleStatus)
	}
}

func closedRun(t *testing.T, w *world, c client.Client) {
	run := startRun(t, c, "closed", "batch_c")
	require.NoError(t, c.TerminateWorkflow(t.Context(), run.GetID(), "", "test"))
	e := eventFor("closed", "batch_c")
	answer := w.send(signedPhaseo(t, e.json(t), time.Now()))
	require.Equal(t, http.StatusOK, answer.Code)
	require.InDelta(t, 1, w.counted(t, "batchkeeper_webhook_deliveries_total", "phaseo", "result", "closed"), 0)
	require.Zero(t, countSignals(t, c, run))
}

func unknownRun(t *testing.T, w *world) {
	started := time.Now()
	answer := w.send(signedPhaseo(t, eventFor("never", "batch_n").json(t), time.Now()))
	require.Equal(t, http.StatusServiceUnavailable, answer.Code)
	require.GreaterOrEqual(t, time.Since(started), 10*time.Second)
	require.InDelta(t, 1, w.counted(t, "batchkeeper_webhook_alerts_total", "phaseo", "reason", "no_run"), 0)
	require.Equal(t, http.StatusServiceUnavailable, w.send(openAIAt(t, "batch.completed", "batch_n", time.Now())).Code)
	require.Contains(t, w.log.String(), "no such run")
}
