package batchkeeper

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"batchkeeper/batch"
)

// Listed is one run as the namespace lists it: what its search attributes say,
// a moment behind the run itself.
type Listed struct {
	ID              string                `json:"workflow_id"`
	RunID           string                `json:"run_id"`
	Type            string                `json:"type"`
	TemporalStatus  string                `json:"temporal_status"`
	StartedAt       time.Time             `json:"started_at"`
	ClosedAt        *time.Time            `json:"closed_at,omitempty"`
	LifecycleStatus batch.LifecycleStatus `json:"lifecycle_status,omitempty"`
	Outcome         batch.Outcome         `json:"outcome,omitempty"`
	BatchID         string                `json:"batch_id,omitempty"`
	Provider        string                `json:"provider,omitempty"`
	Model           string                `json:"model,omitempty"`
	Rows            int64                 `json:"rows"`
	Progress        int64                 `json:"progress"`
}

// ours keeps other workflows out, and all but the last run of each chain.
const ours = "WorkflowType IN ('" + batch.WorkflowBatch + "', '" + batch.WorkflowBulk + "') AND ExecutionStatus != 'ContinuedAsNew'"

// List yields the runs that a query of Temporal's list filter selects, such as
// "BatchLifecycleStatus = 'running'"; an empty one selects all. The newest come
// first. It ends at the first error.
func List(ctx context.Context, c client.Client, query string) iter.Seq2[Listed, error] {
	if query != "" {
		query = ours + " AND (" + query + ")"
	} else {
		query = ours
	}
	return func(yield func(Listed, error) bool) {
		for token := []byte(nil); ; {
			page, err := c.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Query: query, NextPageToken: token})
			if err != nil {
				yield(Listed{}, fmt.Errorf("list runs: %w", err))
				return
			}
			for _, info := range page.GetExecutions() {
				if !yield(listed(info), nil) {
					return
				}
			}
			if token = page.GetNextPageToken(); len(token) == 0 {
				return
			}
		}
	}
}

func listed(info *workflowpb.WorkflowExecutionInfo) Listed {
	l := Listed{
		ID: info.GetExecution().GetWorkflowId(), RunID: info.GetExecution().GetRunId(), Type: info.GetType().GetName(),
		TemporalStatus: info.GetStatus().String(), StartedAt: info.GetStartTime().AsTime(),
	}
	if closed := info.GetCloseTime(); closed != nil {
		at := closed.AsTime()
		l.ClosedAt = &at
	}
	for name, to := range map[string]any{
		batch.AttrLifecycleStatus: &l.LifecycleStatus, batch.AttrOutcome: &l.Outcome, batch.AttrBatchID: &l.BatchID,
		batch.AttrProvider: &l.Provider, batch.AttrModel: &l.Model, batch.AttrRows: &l.Rows, batch.AttrProgress: &l.Progress,
	} {
		readAttribute(info.GetSearchAttributes(), name, to)
	}
	return l
}

// readAttribute leaves to as it is where the run does not have the attribute.
func readAttribute(attributes *commonpb.SearchAttributes, name string, to any) {
	if value, ok := attributes.GetIndexedFields()[name]; ok {
		_ = json.Unmarshal(value.GetData(), to) // search attributes are always plain JSON
	}
}
