package e2e_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper/batch"
	"batchkeeper/internal/gateway/gatewaytest"
)

// Every way in which the answer of a create gets lost ends in one batch.
func TestCreateWhoseAnswerIsLost(t *testing.T) {
	t.Parallel()
	second := gatewaytest.Duration(time.Second)
	for name, fault := range map[string]gatewaytest.Fault{
		"connection-breaks":    {Kind: gatewaytest.FaultEffectDrop},
		"html-error":           {Kind: gatewaytest.FaultAnswer, Effect: true, Status: 502, Body: "<html>Bad gateway</html>"},
		"answer-cut":           {Kind: gatewaytest.FaultCut, Bytes: 40},
		"502-with-batch-id":    {Kind: gatewaytest.FaultOutcomeUnknown, Effect: true, Delay: 3 * second},
		"502-not-persisted":    {Kind: gatewaytest.FaultPersistenceFailed, Value: "completed"},
		"answer-later-than-us": {Kind: gatewaytest.FaultDelay, Delay: 3 * second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, faults(gatewaytest.Rule{Op: gatewaytest.OpCreate, To: 1, Fault: fault}))
			r := w.start()
			r.ends(batch.StatusCompleted, -1)
			result := r.wait()
			require.Equal(t, batch.OutcomeCompleted, result.Outcome)
			require.False(t, result.Submission.Ambiguous)
			require.Equal(t, 1, w.entries(request(gatewaytest.OpCreate)), "no second post")
		})
	}
}

// What was refused without any effect is tried again.
func TestCreateThatPassesLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t, faults(
		gatewaytest.Rule{Op: gatewaytest.OpCreate, To: 1, Fault: gatewaytest.Fault{
			Kind: gatewaytest.FaultNamed, Value: "rate_limited", Header: map[string]string{"Retry-After": "2"},
		}},
		gatewaytest.Rule{Op: gatewaytest.OpCreate, From: 2, To: 2, Fault: gatewaytest.Fault{
			Kind: gatewaytest.FaultNamed, Value: "submission_persistence_failed",
		}},
	))
	r := w.start()
	r.ends(batch.StatusCompleted, -1)
	result := r.wait()
	require.Equal(t, batch.OutcomeCompleted, result.Outcome)
	require.Equal(t, 3, result.Submission.Posts)
}

func TestCreateThatIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, faults(gatewaytest.Rule{Op: gatewaytest.OpCreate, Fault: gatewaytest.Fault{
		Kind: gatewaytest.FaultNamed, Value: "insufficient_funds",
	}}))
	result := w.start().wait()
	require.Equal(t, batch.OutcomeRejected, result.Outcome)
	require.Contains(t, result.Failure.Message, "insufficient")
}

// A 404 after the batch was seen passes.
func TestLate404(t *testing.T) {
	t.Parallel()
	w := newWorld(t, faults(gatewaytest.Rule{
		Op: gatewaytest.OpRetrieve, From: 2, To: 4, Fault: gatewaytest.Fault{Kind: gatewaytest.FaultNamed, Value: "batch_not_found"},
	}))
	r := w.start()
	r.await("the batch is missing", func(s batch.State) bool { return s.Problem != "" && s.BatchID != "" })
	r.await("the batch is back", func(s batch.State) bool { return s.Polls > 4 && s.Problem == "" })
	r.ends(batch.StatusCompleted, -1)
	require.Equal(t, batch.OutcomeCompleted, r.wait().Outcome)
}
