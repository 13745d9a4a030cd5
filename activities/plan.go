package activities

import (
	"context"
	"fmt"

	"batchkeeper/batch"
)

// ReadPlanInput asks for the next units of a round.
type ReadPlanInput struct {
	batch.Files
	Round  int   `json:"round"`
	Offset int64 `json:"offset"`
	Count  int   `json:"count"`
}

// ReadPlanOutput are the units, and where those after them begin. What a unit is
// made of stays in the plan: it may be a thousand pieces.
type ReadPlanOutput struct {
	Units []batch.Unit `json:"units"`
	Next  int64        `json:"next"`
}

// ReadPlan reads a part of a round's plan. It only reads.
func (a *Activities) ReadPlan(ctx context.Context, in ReadPlanInput) (ReadPlanOutput, error) {
	var out ReadPlanOutput
	var err error
	out.Next, err = readLines(ctx, a, in.Plan(in.Round), in.Offset, func(at int64, u batch.PlannedUnit) (bool, error) {
		u.At = at
		out.Units = append(out.Units, u.Unit)
		return len(out.Units) < in.Count, nil
	})
	return out, translate(err)
}

// planned is what a unit is made of.
func (a *Activities) planned(ctx context.Context, f batch.Files, round int, u batch.Unit) (batch.PlannedUnit, error) {
	if u.Shard != nil {
		return batch.PlannedUnit{Unit: u}, nil
	}
	var found batch.PlannedUnit
	_, err := readLines(ctx, a, f.Plan(round), u.At, func(_ int64, p batch.PlannedUnit) (bool, error) {
		found = p
		return false, nil
	})
	if err == nil {
		err = found.Check(u)
	}
	if err != nil {
		return found, lost(err, "round %d, unit %d: what it is made of", round, u.Number)
	}
	found.At = u.At
	return found, nil
}

// ReadPagesInput asks for some pages of a settled unit.
type ReadPagesInput struct {
	batch.Files
	Round int `json:"round"`
	Unit  int `json:"unit"`
	From  int `json:"from"` // the first, from 1
	Count int `json:"count"`
}

// ReadPagesOutput says where the pages are.
type ReadPagesOutput struct {
	Pages []batch.PageSegment `json:"pages"`
}

// ReadPages finds pages in the record of a settled unit. It only reads.
func (a *Activities) ReadPages(ctx context.Context, in ReadPagesInput) (ReadPagesOutput, error) {
	record, err := a.record(ctx, in.Files, in.Round, in.Unit)
	if err != nil {
		return ReadPagesOutput{}, translate(err)
	}
	from := min(max(in.From-1, 0), len(record.Pages))
	return ReadPagesOutput{Pages: record.Pages[from:min(from+in.Count, len(record.Pages))]}, nil
}

// PlanRoundInput asks for the plan of a round, made from what the round before left over.
type PlanRoundInput struct {
	batch.Files
	Round  int              `json:"round"`
	Limits batch.UnitLimits `json:"limits"`
	// Rows is how many were left over, as the run counted them while it settled.
	Rows int64 `json:"rows"`
}

// PlanRoundOutput is how much there is to do.
type PlanRoundOutput struct {
	Units    int   `json:"units"`
	Rows     int64 `json:"rows"`
	PlanSize int64 `json:"plan_size"`
}

// PlanRound packs what the units of the round before left over into as few
// units as the limits allow. All of them were settled: one without a record is
// an error, since what it left over, and what was paid for, would be forgotten.
// It reads their records, not their rows, and may be repeated: the same records
// give the same plan.
func (a *Activities) PlanRound(ctx context.Context, in PlanRoundInput) (PlanRoundOutput, error) {
	h, stop := startHeart(ctx)
	defer stop()
	before := in.Round - 1
	var pieces []batch.Piece
	_, err := readLines(ctx, a, in.Plan(before), 0, func(_ int64, u batch.PlannedUnit) (bool, error) {
		if u.Rows == 0 { // a shard of bad rows alone: never sent
			return true, nil
		}
		record, err := a.record(ctx, in.Files, before, u.Number)
		pieces = append(pieces, record.Left...)
		h.set(u.Number)
		return true, err
	})
	if err != nil {
		return PlanRoundOutput{}, translate(err)
	}
	units := batch.Pack(pieces, in.Limits)
	out := PlanRoundOutput{Units: len(units)}
	for _, u := range units {
		out.Rows += u.Rows
	}
	if out.Rows != in.Rows {
		return out, translate(lost(batch.ErrBroken, "the records of round %d have %d rows left over, %d were counted", before, out.Rows, in.Rows))
	}
	ref, err := writeLines(ctx, a, in.Plan(in.Round), units)
	out.PlanSize = ref.Size
	return out, translate(err)
}

// record reads what the settling of a unit found.
func (a *Activities) record(ctx context.Context, f batch.Files, round, unit int) (batch.Record, error) {
	record, err := readJSON[batch.Record](ctx, a, f.Record(round, unit))
	if err == nil && (record.Round != round || record.Unit != unit) {
		err = fmt.Errorf("it is of unit %d of round %d: %w", record.Unit, record.Round, batch.ErrBroken)
	}
	return record, lost(err, "round %d, unit %d was settled: its record %s", round, unit, f.Record(round, unit))
}
