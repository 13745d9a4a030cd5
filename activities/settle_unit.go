package activities

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"batchkeeper/batch"
	"batchkeeper/internal/blobstore"
	"batchkeeper/internal/jsonl"
)

// SettleUnitInput is a unit whose batch has ended, and how.
type SettleUnitInput struct {
	Prefix   string         `json:"prefix"`
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
	Pages   int              `json:"pages,omitempty"`
}

// SettleUnit sorts the rows of an ended batch into answered, failed for good and
// worth another try; the last it copies, for the next round. What it finds is
// recorded in the store. The same files give the same bytes, so it may be repeated.
func (a *Activities) SettleUnit(ctx context.Context, in SettleUnitInput) (SettleUnitOutput, error) {
	h, stop := startHeart(ctx)
	defer stop()
	r := batch.Record{
		Round: in.Round, Unit: in.Unit.Number, BatchID: in.Finished.BatchID, Outcome: in.Finished.Outcome,
		Prefix: batch.UnitPrefix(in.Prefix, in.Round, in.Unit.Number, in.Try),
	}
	manifest, err := readJSON[batch.Manifest](ctx, a, path.Join(r.Prefix, batch.FileManifest))
	switch {
	case errors.Is(err, blobstore.ErrNotFound):
		r.Nothing, r.Absent = true, batch.AbsenceOf(r.Outcome, in.Finished.Failure)
	case err != nil:
		return SettleUnitOutput{}, translate(err)
	default:
		if len(manifest.BatchIDs) > 0 {
			r.BatchID = manifest.BatchIDs[0]
		}
		r.Outcome, r.Money = manifest.Outcome, moneyOf(manifest, in.Prices)
	}
	for _, step := range []func(context.Context, SettleUnitInput, *batch.Record, *heart) error{a.sortRows, a.findSegments, a.findPages} {
		if err := step(ctx, in, &r, h); err != nil {
			return SettleUnitOutput{}, translate(err)
		}
	}
	if _, err := a.writeJSON(ctx, batch.RecordKey(in.Prefix, in.Round, in.Unit.Number), r); err != nil {
		return SettleUnitOutput{}, translate(err)
	}
	return SettleUnitOutput{
		BatchID: r.BatchID, Outcome: r.Outcome, Counts: r.Counts, Money: r.Money, Causes: r.Causes, Pages: len(r.Pages),
	}, nil
}

func moneyOf(m batch.Manifest, p batch.Prices) batch.Money {
	money := batch.Money{InputTokens: m.Usage.InputTokens, OutputTokens: m.Usage.OutputTokens, TotalTokens: m.Usage.TotalTokens}
	usage, _ := json.Marshal(m.Gateway.Usage) // they were read from JSON
	billing, _ := json.Marshal(m.Gateway.Billing)
	return money.Priced(p, usage, billing)
}

// sortRows walks the unit's rows beside its failures.
func (a *Activities) sortRows(ctx context.Context, in SettleUnitInput, r *batch.Record, h *heart) error {
	if r.Nothing && !batch.WorthAnother(r.Outcome) {
		r.Counts = countsOf(classesOf(r.Absent.Class, in.Unit.Rows))
		r.Causes = []batch.Cause{{Cause: r.Absent.Cause, Rows: in.Unit.Rows}}
		return nil
	}
	rows, err := a.openUnit(ctx, in.Prefix, in.Input, in.Round, in.Unit)
	if err != nil {
		return err
	}
	defer rows.Close()
	walk := jsonl.Leftovers{
		Input: rows, RetryCancelled: !in.CancelRequested, Pieces: pieceRows(in.Unit),
		Absent: jsonl.Absent(r.Absent), Progress: func(n int64) { h.set(n) },
	}
	if !r.Nothing {
		failures, err := a.openFile(ctx, path.Join(r.Prefix, batch.FileFailures))
		if err != nil {
			return err
		}
		defer failures.Close()
		walk.Failures = failures
	}
	var tally jsonl.LeftoverTally
	_, err = a.store.WriteAtomic(ctx, batch.LeftKey(in.Prefix, in.Round, in.Unit.Number), func(w io.Writer) (err error) {
		walk.Output = w
		tally, err = walk.Run(ctx)
		return err
	})
	if err != nil {
		return err
	}
	note(r, tally, in.Unit)
	return nil
}

// note takes a tally into the record.
func note(r *batch.Record, t jsonl.LeftoverTally, u batch.Unit) {
	r.Counts = countsOf(t.Failed)
	r.Counts.Answered, r.Counts.Open = t.Answered, t.Retry.Total()
	r.Causes = causesOf(t.Causes)
	for i, left := range t.Pieces {
		if left.Rows > 0 {
			r.Left = append(r.Left, batch.Piece{
				Shard: shardOf(u, i), From: u.Number, Rows: left.Rows, Range: batch.Range{Offset: left.Offset, Length: left.Length},
			})
		}
	}
}

// findSegments finds where the rows of each piece stand in the unit's results. A
// unit that is one shard needs no search: both files are about it.
func (a *Activities) findSegments(ctx context.Context, in SettleUnitInput, r *batch.Record, _ *heart) error {
	if r.Nothing {
		return nil
	}
	if in.Unit.Shard != nil {
		whole := batch.Segment{}
		for name, part := range map[string]*batch.Range{batch.FileResults: &whole.Results, batch.FileFailures: &whole.Failures} {
			size, err := a.store.Stat(ctx, path.Join(r.Prefix, name))
			if err != nil && !errors.Is(err, blobstore.ErrNotFound) {
				return err
			}
			part.Length = size
		}
		r.Segments = []batch.Segment{whole}
		return nil
	}
	results, err := a.openFile(ctx, path.Join(r.Prefix, batch.FileResults))
	if err != nil {
		return err
	}
	defer results.Close()
	failures, err := a.openFile(ctx, path.Join(r.Prefix, batch.FileFailures))
	if err != nil {
		return err
	}
	defer failures.Close()
	segments, err := jsonl.Segments(ctx, results, failures, pieceRows(in.Unit)...)
	for _, s := range segments {
		r.Segments = append(r.Segments, batch.Segment{Results: rangeOf(s.Results), Failures: rangeOf(s.Failures)})
	}
	return err
}

func (a *Activities) findPages(ctx context.Context, in SettleUnitInput, r *batch.Record, _ *heart) error {
	if r.Nothing || in.RowsPerPage <= 0 {
		return nil
	}
	results, err := a.openFile(ctx, path.Join(r.Prefix, batch.FileResults))
	if err != nil {
		return err
	}
	defer results.Close()
	pages, err := jsonl.Pages(ctx, results, in.RowsPerPage)
	for _, p := range pages {
		r.Pages = append(r.Pages, batch.PageSegment{Range: rangeOf(p), Rows: p.Rows})
	}
	return err
}

func rangeOf(s jsonl.Span) batch.Range { return batch.Range{Offset: s.Offset, Length: s.Length} }

// openFile opens a file of a result; one that is not there has no lines.
func (a *Activities) openFile(ctx context.Context, key string) (io.ReadCloser, error) {
	r, err := a.store.Read(ctx, key, 0, -1)
	if errors.Is(err, blobstore.ErrNotFound) {
		return io.NopCloser(strings.NewReader("")), nil
	}
	return r, err
}

func pieceRows(u batch.Unit) []int64 {
	if len(u.Pieces) == 0 {
		return []int64{u.Rows}
	}
	rows := make([]int64, len(u.Pieces))
	for i, p := range u.Pieces {
		rows[i] = p.Rows
	}
	return rows
}

func shardOf(u batch.Unit, piece int) int {
	if u.Shard != nil {
		return u.Shard.Number
	}
	return u.Pieces[piece].Shard
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
