package bridge_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/grpc"

	"batchkeeper/batch"
	"batchkeeper/webhookbridge/bridge"
)

// fakeTemporal is a server that answers each kind of call from a list; the last
// answer repeats.
type fakeTemporal struct {
	workflowservice.WorkflowServiceClient
	signalErrs   []error
	describeErrs []error
	status       enumspb.WorkflowExecutionStatus
	lists        [][]*workflowpb.WorkflowExecutionInfo
	listErr      error

	signals   []*workflowservice.SignalWorkflowExecutionRequest
	describes int
	queries   []string
}

func next[T any](list *[]T) T {
	var zero T
	if len(*list) == 0 {
		return zero
	}
	first := (*list)[0]
	if len(*list) > 1 {
		*list = (*list)[1:]
	}
	return first
}

// errHang stands for a server that does not answer.
var errHang = errors.New("hang")

func (s *fakeTemporal) SignalWorkflowExecution(
	ctx context.Context, r *workflowservice.SignalWorkflowExecutionRequest, _ ...grpc.CallOption,
) (*workflowservice.SignalWorkflowExecutionResponse, error) {
	s.signals = append(s.signals, r)
	err := next(&s.signalErrs)
	if errors.Is(err, errHang) {
		<-ctx.Done()
		err = ctx.Err()
	}
	return &workflowservice.SignalWorkflowExecutionResponse{}, err
}

func (s *fakeTemporal) DescribeWorkflowExecution(
	context.Context, *workflowservice.DescribeWorkflowExecutionRequest, ...grpc.CallOption,
) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	s.describes++
	if err := next(&s.describeErrs); err != nil {
		return nil, err
	}
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: &workflowpb.WorkflowExecutionInfo{Status: s.status}}, nil
}

func (s *fakeTemporal) ListWorkflowExecutions(
	_ context.Context, r *workflowservice.ListWorkflowExecutionsRequest, _ ...grpc.CallOption,
) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	s.queries = append(s.queries, r.GetQuery())
	return &workflowservice.ListWorkflowExecutionsResponse{Executions: next(&s.lists)}, s.listErr
}

func (s *fakeTemporal) notifier() bridge.Notifier {
	return bridge.NewTemporalNotifier(bridge.TemporalOptions{Service: s, Namespace: "ns", Identity: "bridge@test"})
}

func notice() bridge.Notice {
	return bridge.Notice{
		Provider: "phaseo", Route: bridge.PathPhaseo, WorkflowID: "nightly-1",
		Delivery: batch.Delivery{EventID: "evt_1", EventType: "batch.completed", BatchID: "batch_1", ReceivedAt: clock},
	}
}

// elapsed runs f on a clock of its own and returns how long it took there.
func elapsed(t *testing.T, f func(t *testing.T)) (took time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		started := time.Now()
		f(t)
		took = time.Since(started)
	})
	return took
}

func TestSignalRequest(t *testing.T) {
	server := &fakeTemporal{}
	require.NoError(t, server.notifier().Signal(t.Context(), notice()))
	require.Len(t, server.signals, 1)
	r := server.signals[0]
	require.Equal(t, []string{"ns", "nightly-1", "", batch.SignalWebhook, "bridge@test"},
		[]string{r.GetNamespace(), r.GetWorkflowExecution().GetWorkflowId(), r.GetWorkflowExecution().GetRunId(), r.GetSignalName(), r.GetIdentity()})
	require.Equal(t, bridge.RequestID("phaseo", bridge.PathPhaseo, "evt_1"), r.GetRequestId())
	var got batch.Delivery
	require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(r.GetInput(), &got))
	require.Equal(t, notice().Delivery, got)
}

func TestRequestIDs(t *testing.T) {
	// A change would let every event in flight be delivered twice.
	require.Equal(t, "bd735517dea8b04bba91d58ed956ea9ce3296d2f39b4a6e1103884815dd71d0d", bridge.RequestID("a", "b", "c"))
	seen := map[string]bool{}
	for _, parts := range [][3]string{{"a", "b", "c"}, {"ab", "", "c"}, {"a", "bc", ""}, {"", "ab", "c"}, {"a", "b", "d"}} {
		seen[bridge.RequestID(parts[0], parts[1], parts[2])] = true
	}
	require.Len(t, seen, 5, "no two events read the same")
}

func TestSignalTriesAgain(t *testing.T) {
	busy := serviceerror.NewResourceExhausted(enumspb.RESOURCE_EXHAUSTED_CAUSE_BUSY_WORKFLOW, "busy")
	for name, err := range map[string]error{
		"unavailable": serviceerror.NewUnavailable("starting"), "busy": busy,
		"quota":    serviceerror.NewResourceExhausted(enumspb.RESOURCE_EXHAUSTED_CAUSE_RPS_LIMIT, "rps"),
		"aborted":  serviceerror.NewAborted("conflict"),
		"deadline": serviceerror.NewDeadlineExceeded("slow"), "internal": serviceerror.NewInternal("?"), "unknown": errors.New("?"),
	} {
		t.Run(name, func(t *testing.T) {
			server := &fakeTemporal{signalErrs: []error{err, err, err, nil}}
			took := elapsed(t, func(t *testing.T) { require.NoError(t, server.notifier().Signal(t.Context(), notice())) })
			require.Len(t, server.signals, 4)
			require.GreaterOrEqual(t, took, 350*time.Millisecond)
			require.LessOrEqual(t, took, 700*time.Millisecond)
			for _, r := range server.signals {
				require.Equal(t, server.signals[0].GetRequestId(), r.GetRequestId())
			}
		})
	}
}

func TestSignalGivesUpInTime(t *testing.T) {
	server := &fakeTemporal{signalErrs: []error{serviceerror.NewUnavailable("down")}}
	took := elapsed(t, func(t *testing.T) {
		require.ErrorContains(t, server.notifier().Signal(t.Context(), notice()), "down")
	})
	require.Equal(t, 20*time.Second, took)
	require.Greater(t, len(server.signals), 10, "pauses stay below 2 s")

	server = &fakeTemporal{signalErrs: []error{errHang}}
	took = elapsed(t, func(t *testing.T) {
		require.ErrorIs(t, server.notifier().Signal(t.Context(), notice()), context.DeadlineExceeded)
	})
	require.Equal(t, 20*time.Second, took)
	require.Len(t, server.signals, 3, "a call that hangs is given up after 8 s")

	server = &fakeTemporal{signalErrs: []error{errHang, nil}}
	took = elapsed(t, func(t *testing.T) { require.NoError(t, server.notifier().Signal(t.Context(), notice())) })
	require.Less(t, took, 9*time.Second)
}

func TestSignalThatIsFinal(t *testing.T) {
	for name, tc := range map[string]struct{ answer, want error }{
		"unauthenticated": {serviceerror.NewPermissionDenied("no", ""), bridge.ErrDenied},
		"signal limit":    {serviceerror.NewInvalidArgument("exceeded workflow execution limit for signal events"), bridge.ErrFull},
		"invalid":         {serviceerror.NewInvalidArgument("blob size"), bridge.ErrRefused},
		"unimplemented":   {serviceerror.NewUnimplemented("?"), bridge.ErrRefused},
		"namespace":       {serviceerror.NewNamespaceNotFound("ns"), bridge.ErrRefused},
	} {
		t.Run(name, func(t *testing.T) {
			server := &fakeTemporal{signalErrs: []error{tc.answer}}
			require.ErrorIs(t, server.notifier().Signal(t.Context(), notice()), tc.want)
			require.Len(t, server.signals, 1)
		})
	}
}

func TestSignalThatFindsNoRun(t *testing.T) {
	missing := serviceerror.NewNotFound("workflow not found")
	for _, status := range []enumspb.WorkflowExecutionStatus{
		enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, enumspb.WORKFLOW_EXECUTION_STATUS_FAILED, enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED,
		enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT, 99,
	} {
		server := &fakeTemporal{signalErrs: []error{missing}, status: status}
		require.ErrorIs(t, server.notifier().Signal(t.Context(), notice()), bridge.ErrClosed, status.String())
	}

	never := &fakeTemporal{signalErrs: []error{missing}, describeErrs: []error{missing}}
	took := elapsed(t, func(t *testing.T) {
		require.ErrorIs(t, never.notifier().Signal(t.Context(), notice()), bridge.ErrNoRun)
	})
	require.GreaterOrEqual(t, took, 10*time.Second)
	require.LessOrEqual(t, took, 12*time.Second)

	changing := &fakeTemporal{signalErrs: []error{missing, missing, nil}, status: enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW}
	elapsed(t, func(t *testing.T) { require.NoError(t, changing.notifier().Signal(t.Context(), notice())) })

	late := &fakeTemporal{signalErrs: []error{missing, missing, nil}, describeErrs: []error{missing, serviceerror.NewUnavailable("down")}}
	elapsed(t, func(t *testing.T) { require.NoError(t, late.notifier().Signal(t.Context(), notice())) })

	denied := &fakeTemporal{signalErrs: []error{missing}, describeErrs: []error{serviceerror.NewPermissionDenied("no", "")}}
	require.ErrorIs(t, denied.notifier().Signal(t.Context(), notice()), bridge.ErrDenied)
}

// broken is a converter that cannot encode.
type broken struct{ converter.DataConverter }

func (broken) ToPayloads(...any) (*commonpb.Payloads, error) { return nil, errors.New("no key") }

func TestSignalThatCannotBeEncoded(t *testing.T) {
	n := bridge.NewTemporalNotifier(bridge.TemporalOptions{Service: &fakeTemporal{}, DataConverter: broken{}})
	require.ErrorIs(t, n.Signal(t.Context(), notice()), bridge.ErrRefused)
}
