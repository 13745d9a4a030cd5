package activities

import (
	"context"
	"fmt"

	"batchkeeper/batch"
)

// EndsInput names workflows that may have ended unheard.
type EndsInput struct {
	WorkflowIDs []string `json:"workflow_ids"`
}

// EndsOutput are those that have ended, or are not there.
type EndsOutput struct {
	Ended   []batch.Finished `json:"ended,omitempty"`
	Missing []string         `json:"missing,omitempty"`
}

// Ends finds lost notifications: what the batches that have ended would have
// said. It only reads.
func (a *Activities) Ends(ctx context.Context, in EndsInput) (EndsOutput, error) {
	runs, err := a.server()
	if err != nil {
		return EndsOutput{}, err
	}
	_, stop := startHeart(ctx)
	defer stop()
	var out EndsOutput
	for _, id := range in.WorkflowIDs {
		status, err := runs.Describe(ctx, id)
		switch {
		case err != nil:
		case status == batch.RunMissing:
			out.Missing = append(out.Missing, id)
		case status == batch.RunClosed:
			var end batch.Finished
			if end, err = runs.Finished(ctx, id); err == nil {
				out.Ended = append(out.Ended, end)
			}
		}
		if err != nil {
			return EndsOutput{}, fault(batch.KindTemporalUnavailable, fmt.Errorf("how %s ended: %w", id, err))
		}
	}
	return out, nil
}
