package e2e_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"

	"batchkeeper"
	"batchkeeper/batch"
	"batchkeeper/internal/gateway/gatewaytest"
)

// sources are the ways in which a person or a program cancels a run.
var sources = map[string]func(*testing.T, *run){
	"update": func(t *testing.T, r *run) {
		_, err := r.Cancel(t.Context(), batch.CancelRequest{Reason: "changed my mind", RequestedBy: "somebody"})
		require.NoError(t, err)
	},
	"signal": func(t *testing.T, r *run) {
		require.NoError(t, r.CancelAsync(t.Context(), batch.CancelRequest{Reason: "changed my mind", RequestedBy: "somebody"}))
	},
	"temporal": func(t *testing.T, r *run) {
		require.NoError(t, r.w.client.CancelWorkflow(t.Context(), r.ID(), ""))
	},
}

func eachSource(t *testing.T, test func(t *testing.T, cancel func(*testing.T, *run))) {
	t.Helper()
	for name, cancel := range sources {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, cancel)
		})
	}
}

// Before there is a batch, a cancelled run makes none.
func TestCancelBeforeCreation(t *testing.T) {
	t.Parallel()
	eachSource(t, func(t *testing.T, cancel func(*testing.T, *run)) {
		w := newWorld(t, faults(gatewaytest.Rule{Op: gatewaytest.OpUpload, Fault: gatewaytest.Fault{Kind: gatewaytest.FaultHang}}))
		r := w.start()
		w.awaitEntry("the file is being uploaded", request(gatewaytest.OpUpload))
		cancel(t, r)
		result := r.wait()
		require.Equal(t, batch.OutcomeCancelled, result.Outcome)
		require.Equal(t, enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED, r.temporalStatus())
		require.Zero(t, w.entries(request(gatewaytest.OpCreate)))
	})
}

// While the create is under way, it is settled first, then the batch cancelled.
func TestCancelDuringCreation(t *testing.T) {
	t.Parallel()
	eachSource(t, func(t *testing.T, cancel func(*testing.T, *run)) {
		w := newWorld(t, faults(gatewaytest.Rule{
			Op: gatewaytest.OpCreate, Fault: gatewaytest.Fault{Kind: gatewaytest.FaultDelay, Delay: gatewaytest.Duration(2 * time.Second)},
		}))
		r := w.start()
		w.awaitEntry("the batch is being created", request(gatewaytest.OpCreate))
		cancel(t, r)
		result := r.wait()
		require.Equal(t, batch.OutcomeCancelled, result.Outcome)
		require.Equal(t, batch.CancelAccepted, result.Cancellation.Result)
		require.Equal(t, 1, w.entries(effect(gatewaytest.EffectCancelAccepted)))
		require.Equal(t, enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED, r.temporalStatus())
	})
}

// The answer of the create is lost and the run cancelled meanwhile: the batch is
// found, and cancelled.
func TestCancelWhileTheCreateIsAmbiguous(t *testing.T) {
	t.Parallel()
	w := newWorld(t, faults(
		gatewaytest.Rule{Op: gatewaytest.OpCreate, To: 1, Fault: gatewaytest.Fault{Kind: gatewaytest.FaultEffectDrop}},
		gatewaytest.Rule{Op: gatewaytest.OpList, From: 2, To: 12, Fault: gatewaytest.Fault{Kind: gatewaytest.FaultHide}},
	))
	r := w.start()
	r.await("the create is ambiguous", func(s batch.State) bool {
		return s.Submission != nil && s.Submission.Ambiguous && s.Submission.Lookups > 1
	})
	sources["signal"](t, r)
	result := r.wait()
	require.Equal(t, batch.OutcomeCancelled, result.Outcome)
	require.NotEmpty(t, result.BatchID)
	require.Equal(t, 1, w.entries(effect(gatewaytest.EffectCancelAccepted)))
}

// What was answered before the cancel is collected.
func TestCancelAfterCreation(t *testing.T) {
	t.Parallel()
	eachSource(t, func(t *testing.T, cancel func(*testing.T, *run)) {
		w := newWorld(t)
		r := w.start()
		r.created()
		cancel(t, r)
		result := r.wait()
		require.Equal(t, batch.OutcomeCancelled, result.Outcome)
		require.NotNil(t, result.Results)
		require.EqualValues(t, 10, result.Results.Rows)
		require.NotNil(t, result.Cancellation.CancelURLAvailable)
		require.Equal(t, enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED, r.temporalStatus())
		_, err := r.Cancel(t.Context(), batch.CancelRequest{Reason: "again"})
		require.ErrorIs(t, err, batchkeeper.ErrAlreadyFinished)
	})
}

func TestCancelThatComesTooLate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, endsAfter(5*time.Second),
		faults(gatewaytest.Rule{Op: gatewaytest.OpCancel, Fault: gatewaytest.Fault{Kind: gatewaytest.FaultCancelTooLate}}))
	r := w.start()
	r.created()
	sources["update"](t, r)
	result := r.wait()
	require.Equal(t, batch.OutcomeCompleted, result.Outcome)
	require.Equal(t, batch.CancelTooLate, result.Cancellation.Result)
	require.Equal(t, enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, r.temporalStatus())
}

func TestCancelThatIsNeverConfirmed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, faults(gatewaytest.Rule{Op: gatewaytest.OpCancel, Fault: gatewaytest.Fault{Kind: gatewaytest.FaultCancelStuck}}))
	r := w.start(func(j *batch.Job) { j.CancelGrace = batch.Duration(5 * time.Second) })
	r.created()
	sources["signal"](t, r)
	result := r.wait()
	require.Equal(t, batch.OutcomeCancelUnconfirmed, result.Outcome)
	require.Equal(t, enumspb.WORKFLOW_EXECUTION_STATUS_FAILED, r.temporalStatus())
}

func TestStaleAfterCancels(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	result := w.start(func(j *batch.Job) { j.StaleAfter = batch.Duration(3 * time.Second) }).wait()
	require.Equal(t, batch.OutcomeCancelled, result.Outcome)
	require.NotEmpty(t, result.Cancellation.Reason)
}
