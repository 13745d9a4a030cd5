package bridge

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"

	"batchkeeper/batch"
)

// The figures fit into the gateway's 30 s: 20 s for Temporal, the rest for the
// way. A call that hangs is given up early enough to try another one.
const (
	totalTime  = 20 * time.Second
	callTime   = 8 * time.Second
	firstPause = 100 * time.Millisecond
	maxPause   = 2 * time.Second
	// noRunTime is how long a run that does not exist is looked for.
	noRunTime = 10 * time.Second
)

// TemporalOptions say how the bridge reaches its runs.
type TemporalOptions struct {
	// Service is the raw API, of a client's WorkflowService: unlike the client's
	// own call it lets us choose the request id, by which the server knows a
	// repeated delivery and adds no event for it.
	Service workflowservice.WorkflowServiceClient
	// Namespace is where the runs live.
	Namespace string
	// Identity names this bridge in histories.
	Identity string
	// DataConverter must be the workers' own; nil: the SDK's default.
	DataConverter converter.DataConverter
}

type temporalNotifier struct {
	o     TemporalOptions
	known *known
}

// NewTemporalNotifier returns the Notifier that signals runs on Temporal. It
// needs no worker alive and cannot start a run. It tries again for at most 20 s.
func NewTemporalNotifier(o TemporalOptions) Notifier {
	if o.DataConverter == nil {
		o.DataConverter = converter.GetDefaultDataConverter()
	}
	return &temporalNotifier{o: o, known: newKnown()}
}

// Signal implements Notifier.
func (t *temporalNotifier) Signal(ctx context.Context, n Notice) error {
	request, err := t.request(n)
	if err != nil {
		return fmt.Errorf("signal: %w: %w", ErrRefused, err)
	}
	ctx, cancel := context.WithTimeout(ctx, totalTime)
	defer cancel()
	err = repeat(ctx, noRunTime, func() error { return t.signal(ctx, request) })
	if errors.Is(err, ErrClosed) || errors.Is(err, ErrNoRun) {
		t.known.forget(n.Delivery.BatchID)
	}
	if err != nil {
		return fmt.Errorf("signal: %w", err)
	}
	return nil
}

func (t *temporalNotifier) request(n Notice) (*workflowservice.SignalWorkflowExecutionRequest, error) {
	input, err := t.o.DataConverter.ToPayloads(n.Delivery)
	if err != nil {
		return nil, fmt.Errorf("encode the delivery: %w", err)
	}
	return &workflowservice.SignalWorkflowExecutionRequest{
		Namespace:         t.o.Namespace,
		WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: n.WorkflowID},
		SignalName:        batch.SignalWebhook,
		Input:             input,
		Identity:          t.o.Identity,
		RequestId:         RequestID(n.Provider, n.Route, n.Delivery.EventID),
	}, nil
}

// RequestID is the identity of an event: the same for every repetition,
// whatever its attempt, its time or the key that signed it. The length before
// each part keeps two different events from reading the same.
func RequestID(provider, route, eventID string) string {
	h := sha256.New()
	for _, part := range []string{provider, route, eventID} {
		_ = binary.Write(h, binary.BigEndian, uint64(len(part)))
		h.Write([]byte(part))
	}
	return hex.EncodeToString(h.Sum(nil))
}

func (t *temporalNotifier) signal(ctx context.Context, request *workflowservice.SignalWorkflowExecutionRequest) error {
	call, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	_, err := t.o.Service.SignalWorkflowExecution(call, request)
	if err = classify(err); errors.Is(err, ErrNoRun) {
		return t.lookAt(ctx, request.GetWorkflowExecution())
	}
	return err
}

// lookAt tells why a run was not found: the server answers the same for one
// that is closed as for one that never was.
func (t *temporalNotifier) lookAt(ctx context.Context, run *commonpb.WorkflowExecution) error {
	call, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	d, err := t.o.Service.DescribeWorkflowExecution(call, &workflowservice.DescribeWorkflowExecutionRequest{
		Namespace: t.o.Namespace, Execution: run,
	})
	if err != nil {
		return classify(err)
	}
	switch status := d.GetWorkflowExecutionInfo().GetStatus(); status {
	case enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, enumspb.WORKFLOW_EXECUTION_STATUS_PAUSED,
		enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW, enumspb.WORKFLOW_EXECUTION_STATUS_UNSPECIFIED:
		return fmt.Errorf("not found, yet %s: it is changing just now", status)
	case enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, enumspb.WORKFLOW_EXECUTION_STATUS_FAILED,
		enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED, enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED,
		enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT:
		return ErrClosed
	default:
		return ErrClosed
	}
}

// repeat tries until an answer is final or ctx ends, and a run that does not
// exist for patience. Pauses are shortened at random: deliveries that failed
// together must not come back together.
func repeat(ctx context.Context, patience time.Duration, try func() error) error {
	var missingSince time.Time
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		err := try()
		missing := errors.Is(err, ErrNoRun)
		switch {
		case missing && missingSince.IsZero():
			missingSince = time.Now()
		case missing && time.Since(missingSince) >= patience, final(err):
			return err
		}
		timer := time.NewTimer(pause/2 + rand.N(pause/2)) // #nosec G404 -- no secret
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
	}
}
