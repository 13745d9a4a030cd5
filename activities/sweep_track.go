package activities

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"batchkeeper/batch"
)

// trackers is how many batches are asked about at a time: a run whose worker is
// gone takes ten seconds not to answer.
const trackers = 8

// TrackInput names batches and their sessions.
type TrackInput struct {
	Batches []SweptBatch `json:"batches"`
}

// SweptBatch is one batch of ours.
type SweptBatch struct {
	BatchID   string `json:"batch_id"`
	SessionID string `json:"session_id"`
}

// TrackOutput is what the server knows of each, in the order of the input.
type TrackOutput struct {
	Seen []batch.Tracking `json:"seen"`
}

// Track asks the server which runs follow batches, or have seen their end. It
// only reads, so it may be repeated.
func (a *Activities) Track(ctx context.Context, in TrackInput) (TrackOutput, error) {
	runs, err := a.server()
	if err != nil {
		return TrackOutput{}, err
	}
	_, stop := startHeart(ctx)
	defer stop()
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	out := TrackOutput{Seen: make([]batch.Tracking, len(in.Batches))}
	var next atomic.Int64
	var asking sync.WaitGroup
	for range trackers {
		asking.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(in.Batches) && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				b := in.Batches[i]
				seen, err := runs.Track(ctx, b.BatchID, b.SessionID)
				if err != nil {
					giveUp(fault(batch.KindTemporalUnavailable, fmt.Errorf("who follows %s: %w", b.BatchID, err)))
				}
				out.Seen[i] = seen
			}
		})
	}
	asking.Wait()
	if err := context.Cause(ctx); err != nil {
		return TrackOutput{}, err
	}
	return out, nil
}
