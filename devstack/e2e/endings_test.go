package e2e_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"

	"batchkeeper/batch"
	"batchkeeper/internal/gateway/gatewaytest"
)

// What was answered before a batch expired is collected, the rest accounted for.
func TestExpiryWithPartialOutput(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.start()
	r.ends(batch.StatusExpired, 4)
	result := r.wait()
	require.Equal(t, batch.OutcomeExpired, result.Outcome)
	require.EqualValues(t, 4, result.Results.Succeeded)
	require.Equal(t, enumspb.WORKFLOW_EXECUTION_STATUS_FAILED, r.temporalStatus())
}

func TestAllRowsFailed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, faults(gatewaytest.Rule{
		Op: gatewaytest.OpCreate, Fault: gatewaytest.Fault{Kind: gatewaytest.FaultOutcome, Value: "all_failed", Delay: 1},
	}))
	result := w.start().wait()
	require.Equal(t, batch.OutcomeCompletedWithFailures, result.Outcome)
	require.EqualValues(t, 10, result.Results.Failed+result.Results.Missing)
	require.Zero(t, result.Results.Succeeded)
}

func TestSomeRowsFail(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	all := prompts(10)
	all[3], all[7] = "[[fail]] this one", "[[429]] and this one"
	r := w.startRows(w.writeInput(all...))
	r.ends(batch.StatusCompleted, -1)
	result := r.wait()
	require.Equal(t, batch.OutcomeCompletedWithFailures, result.Outcome)
	require.EqualValues(t, 2, result.Results.Failed)
}

func TestBatchFailsUpstream(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.start()
	r.ends(batch.StatusFailed, 0)
	result := r.wait()
	require.Equal(t, batch.OutcomeUpstreamFailed, result.Outcome)
	require.Equal(t, enumspb.WORKFLOW_EXECUTION_STATUS_FAILED, r.temporalStatus())
}

// Bad rows are named, and nothing is sent.
func TestBadInput(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	all := prompts(5)
	ids := w.writeInput(all...)
	w.appendInput("this is not JSON\n")
	result := w.startRows(ids).wait()
	require.Equal(t, batch.OutcomeRejected, result.Outcome)
	require.Len(t, result.Failure.Problems, 1)
	require.EqualValues(t, 6, result.Failure.Problems[0].Line)
	require.Zero(t, w.entries(func(e gatewaytest.Entry) bool { return e.Kind == gatewaytest.KindRequest }))
}

// However the provider mangles its file, every row stands in the results once.
func TestMangledOutput(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"shuffle", "duplicate_row", "unknown_row", "missing_row", "crlf", "blank_lines", "no_final_newline"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, faults(gatewaytest.Rule{Op: gatewaytest.OpContent, Fault: gatewaytest.Fault{Kind: gatewaytest.FaultMutate, Value: how}}))
			r := w.start()
			r.ends(batch.StatusCompleted, -1)
			want := batch.OutcomeCompleted
			if how == "missing_row" {
				want = batch.OutcomeCompletedWithFailures
			}
			require.Equal(t, want, r.wait().Outcome)
		})
	}
}

// A file that ends too early is fetched again.
func TestTruncatedOutput(t *testing.T) {
	t.Parallel()
	w := newWorld(t, faults(
		gatewaytest.Rule{Op: gatewaytest.OpContent, To: 1, Fault: gatewaytest.Fault{Kind: gatewaytest.FaultCut, Bytes: 700}},
		gatewaytest.Rule{Op: gatewaytest.OpContent, From: 2, To: 2, Fault: gatewaytest.Fault{Kind: gatewaytest.FaultCut, Bytes: 700, Value: "clean"}},
	))
	r := w.start()
	r.ends(batch.StatusCompleted, -1)
	require.Equal(t, batch.OutcomeCompleted, r.wait().Outcome)
	require.Equal(t, 3, w.entries(request(gatewaytest.OpContent)))
}
