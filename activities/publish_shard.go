package activities

import (
	"context"
	"fmt"
	"io"
	"path"

	"batchkeeper/batch"
	"batchkeeper/internal/jsonl"
)

// PublishShardsInput asks for the final files of the next shards of the plan.
type PublishShardsInput struct {
	batch.Files
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
	var out PublishShardsOutput
	var err error
	out.Next, err = readLines(ctx, a, in.FinalPlan(), in.Offset, func(_ int64, part FinalPart) (bool, error) {
		counts, err := a.publishShard(ctx, in, part, h)
		if err != nil {
			return false, fmt.Errorf("shard %d: %w", part.Shard.Number, err)
		}
		out.Counts = out.Counts.Plus(counts)
		out.Shards++
		return out.Shards < in.Count, nil
	})
	return out, translate(err)
}

// finalShard is what was published of a shard, for the manifest.
type finalShard struct {
	Shard   int                  `json:"shard"`
	Counts  batch.BulkCounts     `json:"counts"`
	Files   []batch.ManifestFile `json:"files"`
	Batches []string             `json:"batches"`
	Usage   batch.ManifestUsage  `json:"usage"`
	Unsent  int64                `json:"unsent,omitempty"` // rows that no batch carried
	Odd     batch.OddLines       `json:"odd,omitzero"`
}

func (a *Activities) publishShard(ctx context.Context, in PublishShardsInput, part FinalPart, h *heart) (batch.BulkCounts, error) {
	open := &opened{}
	defer open.close()
	s := part.Shard
	rows, err := a.openRows(ctx, in.Input, &s.Range, s.SHA256)
	if err = open.add(rows, err); err != nil {
		return batch.BulkCounts{}, err
	}
	bad, err := a.openBad(ctx, in.Files, &s)
	if err = open.add(bad, err); err != nil {
		return batch.BulkCounts{}, err
	}
	merge := jsonl.Final{
		Input: rows, FirstLine: s.FirstLine, Skip: bad, Absent: jsonl.Absent(in.Unsent), Progress: func(n int64) { h.set(n) },
	}
	final := finalShard{Shard: s.Number}
	for _, at := range part.Attempts {
		round, err := a.openAttempt(ctx, in.Files, at, open)
		if err != nil {
			return batch.BulkCounts{}, lost(err, "round %d, unit %d", at.Round, at.Unit)
		}
		merge.Rounds = append(merge.Rounds, round)
		if round.BatchID != "" {
			final.Batches = append(final.Batches, round.BatchID)
		}
		final.Odd = final.Odd.Plus(at.Odd)
	}
	if err := a.writeParts(ctx, in.Files, merge, &final); err != nil {
		return batch.BulkCounts{}, err
	}
	_, err = a.writeJSON(ctx, in.Final(s.Number), final)
	return final.Counts, err
}

// writeParts runs the merge into the shard's two files.
func (a *Activities) writeParts(ctx context.Context, f batch.Files, merge jsonl.Final, final *finalShard) error {
	var tally jsonl.FinalTally
	var failures batch.Ref
	names := [2]string{batch.PartName(batch.FolderResults, final.Shard), batch.PartName(batch.FolderFailures, final.Shard)}
	results, err := a.store.WriteAtomic(ctx, f.Part(names[0]), func(answered io.Writer) (err error) {
		failures, err = a.store.WriteAtomic(ctx, f.Part(names[1]), func(others io.Writer) (err error) {
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
	final.Unsent = tally.Unsent
	final.Usage = batch.ManifestUsage(tally.Usage)
	final.Files = []batch.ManifestFile{
		{Name: names[0], Size: results.Size, SHA256: results.SHA256}, {Name: names[1], Size: failures.Size, SHA256: failures.SHA256},
	}
	return nil
}

// openAttempt opens what one round says about a shard's rows.
func (a *Activities) openAttempt(ctx context.Context, f batch.Files, at batch.Attempt, open *opened) (jsonl.Round, error) {
	round := jsonl.Round{Number: at.Round, BatchID: at.BatchID, Rows: at.Rows}
	var err error
	switch {
	case at.Absent != nil:
		round.Absent = jsonl.Absent(*at.Absent)
		if at.Piece == nil {
			return round, nil
		}
		carried, err := a.openLeft(ctx, f, at.Round, *at.Piece)
		round.Carried = carried
		return round, open.add(carried, err)
	case at.Segment == nil:
		return round, fmt.Errorf("the plan of the final files: %w", batch.ErrBroken)
	}
	round.Results, err = a.openPart(ctx, path.Join(at.Prefix, batch.FileResults), at.Segment.Results, open)
	if err != nil {
		return round, err
	}
	round.Failures, err = a.openPart(ctx, path.Join(at.Prefix, batch.FileFailures), at.Segment.Failures, open)
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
