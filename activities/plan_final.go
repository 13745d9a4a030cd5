package activities

import (
	"context"
	"errors"
	"path"
	"strings"

	"batchkeeper/batch"
	"batchkeeper/internal/blobstore"
)

// FinalPart is one shard's entry in the plan of the final files.
type FinalPart struct {
	Shard    batch.Shard     `json:"shard"`
	Attempts []batch.Attempt `json:"attempts"` // where its rows were sent, round by round
}

// PlanFinalInput says how many units of each round were settled.
type PlanFinalInput struct {
	batch.Files
	Settled []int `json:"settled"`
}

// PlanFinalOutput is how many shards there are to publish.
type PlanFinalOutput struct {
	Shards int `json:"shards"`
}

// PlanFinal finds for each shard where its rows were sent, and what was said of
// them. There must be as many records as units were settled: a unit without one is
// one that was never sent. Then it makes room for the final files. It may be
// repeated.
//
// Each record is read once, and what it says of a shard is copied into the shard's
// entry, some 300 bytes a round, so that publishing a shard reads no record. To
// read one there would cost 200 kB for each of its up to a thousand shards.
func (a *Activities) PlanFinal(ctx context.Context, in PlanFinalInput) (PlanFinalOutput, error) {
	h, stop := startHeart(ctx)
	defer stop()
	var parts []FinalPart
	_, err := readLines(ctx, a, in.Plan(1), 0, func(_ int64, u batch.PlannedUnit) (bool, error) {
		parts = append(parts, FinalPart{Shard: *u.Shard})
		return true, nil
	})
	if err != nil {
		return PlanFinalOutput{}, translate(lost(err, "the shards of the input"))
	}
	for i, settled := range in.Settled {
		if err := a.attempts(ctx, in.Files, i+1, settled, parts, h); err != nil {
			return PlanFinalOutput{}, translate(err)
		}
	}
	if _, err = writeLines(ctx, a, in.FinalPlan(), parts); err != nil {
		return PlanFinalOutput{}, translate(err)
	}
	return PlanFinalOutput{Shards: len(parts)}, translate(a.makeRoom(ctx, in.Files, len(parts)))
}

// attempts adds what the settled units of a round said to the parts.
func (a *Activities) attempts(ctx context.Context, f batch.Files, round, settled int, parts []FinalPart, h *heart) error {
	found := 0
	var without []string // records that are not there
	_, err := readLines(ctx, a, f.Plan(round), 0, func(_ int64, u batch.PlannedUnit) (bool, error) {
		if u.Rows == 0 { // a shard of bad rows alone: never sent
			return true, nil
		}
		h.set(u.Number)
		record, err := a.record(ctx, f, round, u.Number)
		if errors.Is(err, blobstore.ErrNotFound) {
			if len(without) < shownWithout {
				without = append(without, f.Record(round, u.Number))
			}
			return true, nil
		}
		if err != nil {
			return false, err
		}
		found++
		for piece := range u.PieceRows() {
			at, err := record.Attempt(u, piece)
			if err != nil {
				return false, err
			}
			shard := &parts[u.ShardOf(piece)-1]
			shard.Attempts = append(shard.Attempts, at)
		}
		return true, nil
	})
	if err == nil && found != settled {
		return lost(batch.ErrBroken, "round %d: %d units were settled, %d have a record; the first without one: %s",
			round, settled, found, strings.Join(without, ", "))
	}
	return lost(err, "round %d", round)
}

// shownWithout bounds the records that an error misses by name.
const shownWithout = 5

// makeRoom removes what an earlier run has left at the same prefix: first its
// manifest, since where there is one, the files beside it are the ones that it
// describes; then the parts that this run will not write.
func (a *Activities) makeRoom(ctx context.Context, f batch.Files, shards int) error {
	if err := a.store.Delete(ctx, f.Manifest()); err != nil {
		return err
	}
	for _, folder := range []string{batch.FolderResults, batch.FolderFailures} {
		var old []string
		for o, err := range a.store.List(ctx, f.Part(folder)) {
			if err != nil {
				return err
			}
			if path.Dir(o.Key) == f.Part(folder) && batch.PartNumber(o.Key) > shards {
				old = append(old, o.Key)
			}
		}
		for _, key := range old {
			if err := a.store.Delete(ctx, key); err != nil {
				return err
			}
		}
	}
	return nil
}
