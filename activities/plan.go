package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"batchkeeper/batch"
	"batchkeeper/internal/blobstore"
)

// ReadPlanInput asks for the next units of a round.
type ReadPlanInput struct {
	Prefix string `json:"prefix"`
	Round  int    `json:"round"`
	Offset int64  `json:"offset"`
	Count  int    `json:"count"`
}

// ReadPlanOutput are the units, and where those after them begin.
type ReadPlanOutput struct {
	Units []batch.Unit `json:"units"`
	Next  int64        `json:"next"`
}

// ReadPlan reads a part of a round's plan. It only reads.
func (a *Activities) ReadPlan(ctx context.Context, in ReadPlanInput) (ReadPlanOutput, error) {
	units, next, err := readLines[batch.Unit](ctx, a, batch.PlanKey(in.Prefix, in.Round), in.Offset, in.Count)
	return ReadPlanOutput{Units: units, Next: next}, translate(err)
}

// ReadPagesInput asks for some pages of a settled unit.
type ReadPagesInput struct {
	Prefix string `json:"prefix"`
	Round  int    `json:"round"`
	Unit   int    `json:"unit"`
	From   int    `json:"from"` // the first, from 1
	Count  int    `json:"count"`
}

// ReadPagesOutput says where the pages are.
type ReadPagesOutput struct {
	Pages []batch.PageSegment `json:"pages"`
}

// ReadPages finds pages in the record of a settled unit. It only reads.
func (a *Activities) ReadPages(ctx context.Context, in ReadPagesInput) (ReadPagesOutput, error) {
	record, err := a.record(ctx, in.Prefix, in.Round, in.Unit)
	if err != nil {
		return ReadPagesOutput{}, translate(err)
	}
	from := min(max(in.From-1, 0), len(record.Pages))
	return ReadPagesOutput{Pages: record.Pages[from:min(from+in.Count, len(record.Pages))]}, nil
}

// PlanRoundInput asks for the plan of a round, made from what the round before left over.
type PlanRoundInput struct {
	Prefix string           `json:"prefix"`
	Round  int              `json:"round"`
	Units  int              `json:"units"` // of the round before
	Limits batch.UnitLimits `json:"limits"`
}

// PlanRoundOutput is how much there is to do.
type PlanRoundOutput struct {
	Units    int   `json:"units"`
	Rows     int64 `json:"rows"`
	PlanSize int64 `json:"plan_size"`
}

// PlanRound packs what the units of the round before left over into as few
// units as the limits allow. It reads their records, not their rows, and may be
// repeated: the same records give the same plan.
func (a *Activities) PlanRound(ctx context.Context, in PlanRoundInput) (PlanRoundOutput, error) {
	h, stop := startHeart(ctx)
	defer stop()
	var pieces []batch.Piece
	for unit := 1; unit <= in.Units; unit++ {
		record, err := a.record(ctx, in.Prefix, in.Round-1, unit)
		if errors.Is(err, blobstore.ErrNotFound) { // it had no rows to send
			continue
		}
		if err != nil {
			return PlanRoundOutput{}, translate(err)
		}
		pieces = append(pieces, record.Left...)
		h.set(unit)
	}
	units := batch.Pack(pieces, in.Limits)
	ref, err := a.store.WriteAtomic(ctx, batch.PlanKey(in.Prefix, in.Round), func(w io.Writer) error {
		lines := json.NewEncoder(w)
		for _, u := range units {
			if err := lines.Encode(u); err != nil {
				return fmt.Errorf("plan: %w", err)
			}
		}
		return nil
	})
	out := PlanRoundOutput{Units: len(units), PlanSize: ref.Size}
	for _, u := range units {
		out.Rows += u.Rows
	}
	return out, translate(err)
}

// record reads what the settling of a unit found.
func (a *Activities) record(ctx context.Context, prefix string, round, unit int) (batch.Record, error) {
	return readJSON[batch.Record](ctx, a, batch.RecordKey(prefix, round, unit))
}

func readJSON[T any](ctx context.Context, a *Activities, key string) (T, error) {
	var v T
	r, err := a.store.Read(ctx, key, 0, -1)
	if err != nil {
		return v, err
	}
	defer r.Close()
	if err := json.NewDecoder(r).Decode(&v); err != nil {
		return v, fmt.Errorf("read %s: %w", key, err)
	}
	return v, nil
}

func (a *Activities) writeJSON(ctx context.Context, key string, v any) (batch.Ref, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return batch.Ref{}, fmt.Errorf("write %s: %w", key, err)
	}
	return a.store.WriteAtomic(ctx, key, func(w io.Writer) error {
		_, err := w.Write(append(raw, '\n'))
		return err
	})
}
