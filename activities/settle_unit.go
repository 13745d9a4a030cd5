package activities

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"path"
	"slices"

	"batchkeeper/batch"
	"batchkeeper/internal/blobstore"
	"batchkeeper/internal/jsonl"
)

// SettleUnitInput is a unit whose batch has ended, and how.
type SettleUnitInput struct {
	batch.Files
	Round    int            `json:"round"`
	Unit     batch.Unit     `json:"unit"`
	Try      int            `json:"try"`
	Input    string         `json:"input"` // of the bulk run
	Finished batch.Finished `json:"finished"`
	// CancelRequested tells that the cancelled rows were cancelled by us.
	CancelRequested bool         `json:"cancel_requested,omitempty"`
	Prices          batch.Prices `json:"prices,omitzero"`
	RowsPerPage     int64        `json:"rows_per_page,omitempty"` // 0: no pages
}

// SettleUnitOutput is what the settling found, but for the places of rows and pages.
type SettleUnitOutput struct {
	BatchID string           `json:"batch_id,omitempty"`
	Outcome batch.Outcome    `json:"outcome"`
	Counts  batch.BulkCounts `json:"counts"`
	Money   batch.Money      `json:"money"`
	Causes  []batch.Cause    `json:"causes,omitempty"`
	// AgainCauses are those of the rows worth another try.
	AgainCauses []batch.Cause `json:"again_causes,omitempty"`
	Pages       int           `json:"pages,omitempty"`
}

// SettleUnit sorts the rows of an ended batch into answered, failed for good and
// worth another try; the last it copies, for the next round. What it finds is
// recorded in the store. The same files give the same bytes, so it may be repeated.
func (a *Activities) SettleUnit(ctx context.Context, in SettleUnitInput) (SettleUnitOutput, error) {
	h, stop := startHeart(ctx)
	defer stop()
	r := batch.Record{
		Round: in.Round, Unit: in.Unit.Number, BatchID: in.Finished.BatchID, Outcome: in.Finished.Outcome,
		Prefix: in.Files.Unit(in.Round, in.Unit.Number, in.Try),
	}
	unit, err := a.planned(ctx, in.Files, in.Round, in.Unit)
	if err != nil {
		return SettleUnitOutput{}, translate(err)
	}
	manifest, err := a.collected(ctx, r.Prefix, in.Unit)
	switch {
	case errors.Is(err, blobstore.ErrNotFound):
		r.Nothing, r.Absent = true, batch.AbsenceOf(r.Outcome, in.Finished.Failure)
	case err != nil:
		return SettleUnitOutput{}, translate(err)
	default:
		if len(manifest.BatchIDs) > 0 {
			r.BatchID = manifest.BatchIDs[0]
		}
		r.Outcome, r.Money, r.Odd = manifest.Outcome, moneyOf(manifest, in.Prices), oddOf(manifest.Counts)
	}
	s := &settling{a: a, in: in, unit: unit, record: &r, heart: h}
	for _, step := range []func(context.Context) error{s.sortRows, s.findSegments, s.findPages} {
		if err := step(ctx); err != nil {
			return SettleUnitOutput{}, translate(err)
		}
	}
	if said := manifest.Counts.Succeeded; !r.Nothing && said != r.Counts.Answered {
		return SettleUnitOutput{}, translate(lost(batch.ErrBroken,
			"round %d, unit %d: %d rows have no failure, its manifest says that %d are answered", r.Round, r.Unit, r.Counts.Answered, said))
	}
	if _, err := a.writeJSON(ctx, in.Record(in.Round, in.Unit.Number), r); err != nil {
		return SettleUnitOutput{}, translate(err)
	}
	return SettleUnitOutput{
		BatchID: r.BatchID, Outcome: r.Outcome, Counts: r.Counts, Money: r.Money, Causes: r.Causes, AgainCauses: s.again, Pages: len(r.Pages),
	}, nil
}

func moneyOf(m batch.Manifest, p batch.Prices) batch.Money {
	money := batch.Money{InputTokens: m.Usage.InputTokens, OutputTokens: m.Usage.OutputTokens, TotalTokens: m.Usage.TotalTokens}
	usage, _ := json.Marshal(m.Gateway.Usage) // they were read from JSON
	billing, _ := json.Marshal(m.Gateway.Billing)
	return money.Priced(p, usage, billing)
}

func oddOf(c batch.ManifestCounts) batch.OddLines {
	return batch.OddLines{Duplicates: c.Duplicates, Unmatched: c.Unmatched, Malformed: c.Malformed}
}

// settling is a SettleUnit at work.
type settling struct {
	a      *Activities
	in     SettleUnitInput
	unit   batch.PlannedUnit
	record *batch.Record
	again  []batch.Cause // of the rows worth another try
	heart  *heart
}

// sortRows walks the unit's rows beside its failures.
func (s *settling) sortRows(ctx context.Context) error {
	in, r := s.in, s.record
	if r.Nothing && !batch.WorthAnother(r.Outcome) {
		r.Counts = countsOf(classesOf(r.Absent.Class, in.Unit.Rows))
		r.Causes = []batch.Cause{{Cause: r.Absent.Cause, Rows: in.Unit.Rows}}
		return nil
	}
	rows, err := s.a.openUnit(ctx, in.Files, in.Input, in.Round, in.Unit)
	if err != nil {
		return err
	}
	defer rows.Close()
	walk := jsonl.Leftovers{
		Input: rows, RetryCancelled: !in.CancelRequested, Pieces: s.unit.PieceRows(),
		Absent: jsonl.Absent(r.Absent), Progress: func(n int64) { s.heart.set(n) },
	}
	if !r.Nothing {
		failures, err := s.a.openFile(ctx, path.Join(r.Prefix, batch.FileFailures))
		if err != nil {
			return err
		}
		defer failures.Close()
		walk.Failures = failures
	}
	var tally jsonl.LeftoverTally
	_, err = s.a.store.WriteAtomic(ctx, in.Left(in.Round, in.Unit.Number), func(w io.Writer) (err error) {
		walk.Output = w
		tally, err = walk.Run(ctx)
		return err
	})
	if err != nil {
		return err
	}
	s.again = causesOf(tally.RetryCauses)
	note(r, tally, s.unit)
	return nil
}

// note takes a tally into the record.
func note(r *batch.Record, t jsonl.LeftoverTally, u batch.PlannedUnit) {
	r.Counts = countsOf(t.Failed)
	r.Counts.Answered, r.Counts.Open = t.Answered, t.Retry.Total()
	r.Causes = causesOf(t.Causes)
	for i, left := range t.Pieces {
		if left.Rows > 0 {
			r.Left = append(r.Left, batch.Piece{
				Shard: u.ShardOf(i), From: u.Number, Rows: left.Rows, Range: rangeOf(left.Span),
				Tokens: left.InputTokens, MaxOutput: left.MaxOutputTokens,
			})
		}
	}
}

func countsOf(c jsonl.Classes) batch.BulkCounts {
	return batch.BulkCounts{RowErrors: c.RowError, Expired: c.Expired, Cancelled: c.Cancelled, Missing: c.Missing}
}

func classesOf(class string, rows int64) jsonl.Classes {
	var c jsonl.Classes
	switch class {
	case batch.ClassRowError:
		c.RowError = rows
	case batch.ClassExpired:
		c.Expired = rows
	case batch.ClassCancelled:
		c.Cancelled = rows
	default:
		c.Missing = rows
	}
	return c
}

// maxCauses bounds what a record and the state say of causes.
const maxCauses = 20

func causesOf(m map[string]int64) []batch.Cause {
	var out []batch.Cause
	for _, cause := range slices.Sorted(maps.Keys(m)) {
		out = append(out, batch.Cause{Cause: cause, Rows: m[cause]})
	}
	return batch.AddCauses(nil, out, maxCauses)
}
