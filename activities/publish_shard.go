package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"

	"batchkeeper/batch"
	"batchkeeper/internal/blobstore"
	"batchkeeper/internal/jsonl"
)

// FinalPart is one shard's entry in the plan of the final files.
type FinalPart struct {
	Shard    batch.Shard     `json:"shard"`
	Attempts []batch.Attempt `json:"attempts"`
}

// PublishShardsInput asks for the final files of the next shards of the plan.
type PublishShardsInput struct {
	Prefix string        `json:"prefix"`
	Input  string        `json:"input"`
	Offset int64         `json:"offset"` // in the plan of the final files
	Count  int           `json:"count"`
	Unsent batch.Absence `json:"unsent"` // what is said of rows that were never sent
}

// PublishShardsOutput is where the rows went, and where the next shards begin.
type PublishShardsOutput struct {
	Counts batch.BulkCounts `json:"counts"`
	Shards int              `json:"shards"`
	Next   int64            `json:"next"`
}

// PublishShards writes the final files of some shards, one after another. The
// same records give the same bytes, so it may be repeated.
func (a *Activities) PublishShards(ctx context.Context, in PublishShardsInput) (PublishShardsOutput, error) {
	h, stop := startHeart(ctx)
	defer stop()
	parts, next, err := readLines[FinalPart](ctx, a, batch.FinalPlanKey(in.Prefix), in.Offset, in.Count)
	if err != nil {
		return PublishShardsOutput{}, translate(err)
	}
	out := PublishShardsOutput{Shards: len(parts), Next: next}
	for _, part := range parts {
		counts, err := a.publishShard(ctx, in, part, h)
		if err != nil {
			return PublishShardsOutput{}, translate(fmt.Errorf("shard %d: %w", part.Shard.Number, err))
		}
		out.Counts = out.Counts.Plus(counts)
	}
	return out, nil
}

// finalShard is what was published of a shard, for the manifest.
type finalShard struct {
	Shard   int                  `json:"shard"`
	Counts  batch.BulkCounts     `json:"counts"`
	Files   []batch.ManifestFile `json:"files"`
	Batches []string             `json:"batches"`
	Usage   batch.ManifestUsage  `json:"usage"`
}

func (a *Activities) publishShard(ctx context.Context, in PublishShardsInput, part FinalPart, h *heart) (batch.BulkCounts, error) {
	open := &opened{}
	defer open.close()
	s := part.Shard
	rows, err := a.openRows(ctx, in.Input, &s.Range, s.SHA256)
	if err = open.add(rows, err); err != nil {
		return batch.BulkCounts{}, err
	}
	bad, err := a.openBad(ctx, in.Prefix, &s)
	if err = open.add(bad, err); err != nil {
		return batch.BulkCounts{}, err
	}
	merge := jsonl.Final{
		Input: rows, FirstLine: s.FirstLine, Skip: bad, Absent: jsonl.Absent(in.Unsent), Progress: func(n int64) { h.set(n) },
	}
	final := finalShard{Shard: s.Number}
	for _, at := range part.Attempts {
		round, err := a.openAttempt(ctx, in.Prefix, at, s.Rows, open)
		switch {
		case errors.Is(err, blobstore.ErrNotFound): // planned, but never sent
			continue
		case err != nil:
			return batch.BulkCounts{}, err
		}
		merge.Rounds = append(merge.Rounds, round)
		if round.BatchID != "" {
			final.Batches = append(final.Batches, round.BatchID)
		}
	}
	if err := a.writeParts(ctx, in.Prefix, merge, &final); err != nil {
		return batch.BulkCounts{}, err
	}
	_, err = a.writeJSON(ctx, batch.FinalKey(in.Prefix, s.Number), final)
	return final.Counts, err
}

// writeParts runs the merge into the shard's two files.
func (a *Activities) writeParts(ctx context.Context, prefix string, merge jsonl.Final, final *finalShard) error {
	var tally jsonl.FinalTally
	var failures batch.Ref
	names := [2]string{batch.PartName(batch.FolderResults, final.Shard), batch.PartName(batch.FolderFailures, final.Shard)}
	results, err := a.store.WriteAtomic(ctx, path.Join(prefix, names[0]), func(answered io.Writer) (err error) {
		failures, err = a.store.WriteAtomic(ctx, path.Join(prefix, names[1]), func(others io.Writer) (err error) {
			merge.Results, merge.Failures = answered, others
			tally, err = merge.Run(ctx)
			return err
		})
		return err
	})
	if err != nil {
		return err
	}
	final.Counts = countsOf(tally.Failed)
	final.Counts.Answered, final.Counts.Invalid = tally.Answered, tally.Invalid
	final.Usage = batch.ManifestUsage(tally.Usage)
	final.Files = []batch.ManifestFile{
		{Name: names[0], Size: results.Size, SHA256: results.SHA256}, {Name: names[1], Size: failures.Size, SHA256: failures.SHA256},
	}
	return nil
}

// openAttempt opens what one round says about a shard's rows.
func (a *Activities) openAttempt(ctx context.Context, prefix string, at batch.Attempt, rows int64, open *opened) (jsonl.Round, error) {
	record, err := a.record(ctx, prefix, at.Round, at.Unit)
	if err != nil {
		return jsonl.Round{}, err
	}
	round := jsonl.Round{Number: at.Round, BatchID: record.BatchID, Rows: rows}
	if at.Piece != nil {
		round.Rows = at.Piece.Rows
	}
	if record.Nothing {
		round.Absent = jsonl.Absent(record.Absent)
		if at.Piece == nil {
			return round, nil
		}
		carried, err := a.store.Read(ctx, batch.LeftKey(prefix, at.Round-1, at.Piece.From), at.Piece.Range.Offset, at.Piece.Range.Length)
		round.Carried = carried
		return round, open.add(carried, err)
	}
	if at.Index >= len(record.Segments) {
		return round, fmt.Errorf("record of unit %d of round %d: no segment %d", at.Unit, at.Round, at.Index)
	}
	segment := record.Segments[at.Index]
	round.Results, err = a.openPart(ctx, path.Join(record.Prefix, batch.FileResults), segment.Results, open)
	if err != nil {
		return round, err
	}
	round.Failures, err = a.openPart(ctx, path.Join(record.Prefix, batch.FileFailures), segment.Failures, open)
	return round, err
}

func (a *Activities) openPart(ctx context.Context, key string, r batch.Range, open *opened) (io.Reader, error) {
	if r.Length == 0 {
		return nil, nil //nolint:nilnil // no lines
	}
	part, err := a.store.Read(ctx, key, r.Offset, r.Length)
	return part, open.add(part, err)
}

// opened are the files to close at the end.
type opened struct{ files []io.Closer }

func (o *opened) add(c io.Closer, err error) error {
	if err == nil {
		o.files = append(o.files, c)
	}
	return err
}

func (o *opened) close() {
	for _, c := range o.files {
		_ = c.Close() // they were only read
	}
}

// PlanFinalInput names the rounds that were planned.
type PlanFinalInput struct {
	Prefix string `json:"prefix"`
	Rounds int    `json:"rounds"`
}

// PlanFinalOutput is how many shards there are to publish.
type PlanFinalOutput struct {
	Shards int `json:"shards"`
}

// PlanFinal finds for each shard where its rows were sent. The plans of all
// rounds are in the order of the input, so that they are read side by side.
func (a *Activities) PlanFinal(ctx context.Context, in PlanFinalInput) (PlanFinalOutput, error) {
	_, stop := startHeart(ctx)
	defer stop()
	shards, _, err := readLines[batch.Unit](ctx, a, batch.PlanKey(in.Prefix, 1), 0, 0)
	if err != nil {
		return PlanFinalOutput{}, translate(err)
	}
	attempts := make([][]batch.Attempt, len(shards)+1)
	for round := 2; round <= in.Rounds; round++ {
		units, _, err := readLines[batch.Unit](ctx, a, batch.PlanKey(in.Prefix, round), 0, 0)
		if err != nil {
			return PlanFinalOutput{}, translate(err)
		}
		for _, u := range units {
			for i, p := range u.Pieces {
				attempts[p.Shard] = append(attempts[p.Shard], batch.Attempt{Round: round, Unit: u.Number, Index: i, Piece: &p})
			}
		}
	}
	_, err = a.store.WriteAtomic(ctx, batch.FinalPlanKey(in.Prefix), func(w io.Writer) error {
		lines := json.NewEncoder(w)
		for _, u := range shards {
			first := batch.Attempt{Round: 1, Unit: u.Number}
			if err := lines.Encode(FinalPart{Shard: *u.Shard, Attempts: append([]batch.Attempt{first}, attempts[u.Number]...)}); err != nil {
				return fmt.Errorf("plan of the final files: %w", err)
			}
		}
		return nil
	})
	return PlanFinalOutput{Shards: len(shards)}, translate(err)
}
