package activities

import (
	"context"
	"fmt"

	"batchkeeper/batch"
)

// HoldersInput names the workflows to look for.
type HoldersInput struct {
	WorkflowIDs []string `json:"workflow_ids"`
}

// HoldersOutput is what the server says of each, in the order of the input.
type HoldersOutput struct {
	Holders []Holder `json:"holders"`
}

// Holder is one workflow and its status.
type Holder struct {
	WorkflowID string          `json:"workflow_id"`
	Status     batch.RunStatus `json:"status"`
}

// Holders says whether workflows are open, closed or missing. It only reads.
func (a *Activities) Holders(ctx context.Context, in HoldersInput) (HoldersOutput, error) {
	runs, err := a.server()
	if err != nil {
		return HoldersOutput{}, err
	}
	_, stop := startHeart(ctx)
	defer stop()
	out := HoldersOutput{Holders: make([]Holder, 0, len(in.WorkflowIDs))}
	for _, id := range in.WorkflowIDs {
		status, err := runs.Describe(ctx, id)
		if err != nil {
			return HoldersOutput{}, fault(batch.KindTemporalUnavailable, fmt.Errorf("describe %s: %w", id, err))
		}
		out.Holders = append(out.Holders, Holder{WorkflowID: id, Status: status})
	}
	return out, nil
}
