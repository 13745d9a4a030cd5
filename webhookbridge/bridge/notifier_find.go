package bridge

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"batchkeeper/batch"
)

// findTime is how long a batch is looked for: visibility trails a run's own
// upsert by milliseconds, seconds at worst, and a stranger's batch must not
// hold a place for long.
const findTime = 3 * time.Second

// Find implements Notifier by the search attribute that a run sets once it
// knows its batch. Of several runs, an open one is preferred.
func (t *temporalNotifier) Find(ctx context.Context, batchID string) (string, error) {
	if !idForm.MatchString(batchID) {
		return "", fmt.Errorf("find the run of a batch: %w: the id has another form than the sender documents", ErrRefused)
	}
	if id, ok := t.known.get(batchID); ok {
		return id, nil
	}
	ctx, cancel := context.WithTimeout(ctx, totalTime)
	defer cancel()
	found := ""
	err := repeat(ctx, findTime, func() (err error) {
		found, err = t.list(ctx, batchID)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("find the run of a batch: %w", err)
	}
	t.known.put(batchID, found)
	return found, nil
}

func (t *temporalNotifier) list(ctx context.Context, batchID string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	page, err := t.o.Service.ListWorkflowExecutions(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		Namespace: t.o.Namespace,
		PageSize:  10,
		Query:     fmt.Sprintf("%s = '%s'", batch.AttrBatchID, batchID),
	})
	if err = classify(err); err != nil {
		return "", notMissing(err)
	}
	var best *workflowpb.WorkflowExecutionInfo
	for _, run := range page.GetExecutions() {
		if best == nil || run.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
			best = run
		}
		if best.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
			break
		}
	}
	if best == nil {
		return "", ErrNoRun
	}
	return best.GetExecution().GetWorkflowId(), nil
}

// notMissing: a list that is itself not found says nothing about the run.
func notMissing(err error) error {
	if errors.Is(err, ErrNoRun) {
		return fmt.Errorf("%w: %s", ErrRefused, err.Error())
	}
	return err
}

// maxKnown bounds the memory of look-ups; OpenAI sends one event per batch and
// its repetitions, so that little is lost when it starts anew.
const maxKnown = 1024

// known remembers which workflow tracks a batch.
type known struct {
	mu  sync.Mutex
	ids map[string]string
}

func newKnown() *known { return &known{ids: map[string]string{}} }

func (k *known) get(batchID string) (string, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	id, ok := k.ids[batchID]
	return id, ok
}

func (k *known) put(batchID, workflowID string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.ids) >= maxKnown {
		clear(k.ids)
	}
	k.ids[batchID] = workflowID
}

func (k *known) forget(batchID string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.ids, batchID)
}
