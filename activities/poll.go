package activities

import (
	"context"
	"time"

	"batchkeeper/batch"
	"batchkeeper/internal/gateway"
)

// PollInput names the batch to read.
type PollInput struct {
	Dialect batch.Dialect `json:"dialect"`
	BatchID string        `json:"batch_id"`
}

// PollOutput is one read. Trouble is an answer, not an error: the workflow
// decides what a missing batch or an unreachable gateway means for the run.
type PollOutput struct {
	Batch      *batch.Snapshot `json:"batch,omitempty"`
	NotFound   bool            `json:"not_found,omitempty"`
	Problem    string          `json:"problem,omitempty"`
	RetryAfter time.Duration   `json:"retry_after,omitempty"`
}

// Poll reads the batch. It may be repeated.
func (a *Activities) Poll(ctx context.Context, in PollInput) (PollOutput, error) {
	client, err := a.gateway(in.Dialect)
	if err != nil {
		return PollOutput{Problem: err.Error()}, nil
	}
	_, stop := startHeart(ctx)
	defer stop()
	b, err := client.Batch(ctx, in.BatchID)
	if err != nil {
		return troubled(err), nil
	}
	s := snapshot(b)
	return PollOutput{Batch: &s}, nil
}

func troubled(err error) PollOutput {
	out := PollOutput{Problem: err.Error()}
	if ge, ok := gateway.AsError(err); ok {
		out.NotFound, out.RetryAfter = ge.Status == 404, ge.RetryAfter
	}
	return out
}
