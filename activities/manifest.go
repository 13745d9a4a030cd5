package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"batchkeeper/batch"
)

// PublishManifestInput is what the manifest of a bulk run says, but for what the
// records of its shards tell.
type PublishManifestInput struct {
	batch.Files
	Shards   int            `json:"shards"`
	Rows     int64          `json:"rows"` // that the survey counted, good and bad
	Settled  batch.Settled  `json:"settled"`
	Manifest batch.Manifest `json:"manifest"`
}

// PublishManifestOutput points at the manifest.
type PublishManifestOutput struct {
	Counts   batch.BulkCounts `json:"counts"`
	Odd      batch.OddLines   `json:"odd,omitzero"`
	Manifest batch.Ref        `json:"manifest"`
}

// PublishManifest checks that every row is accounted for and writes the
// manifest, the last file of a result. It may be repeated.
func (a *Activities) PublishManifest(ctx context.Context, in PublishManifestInput) (PublishManifestOutput, error) {
	h, stop := startHeart(ctx)
	defer stop()
	m := in.Manifest
	m.Version, m.Input.Rows, m.Status = 1, in.Rows, batch.Status(batch.BulkLifecycle(batch.StageDone, m.Outcome))
	all, err := a.addShards(ctx, in, &m, h)
	if err != nil {
		return PublishManifestOutput{}, err
	}
	if err := errors.Join(all.Counts.Conserve(in.Rows), in.Settled.Agree(all.Counts, all.Unsent)); err != nil {
		return PublishManifestOutput{}, fault(batch.KindResultsUnavailable, fmt.Errorf("the result is not published: %w", err))
	}
	m.Counts = manifestCounts(all.Counts, all.Odd)
	raw, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return PublishManifestOutput{}, fmt.Errorf("manifest: %w", err)
	}
	ref, err := a.store.WriteAtomic(ctx, in.Files.Manifest(), func(w io.Writer) error {
		_, err := w.Write(append(raw, '\n'))
		return err
	})
	return PublishManifestOutput{Counts: all.Counts, Odd: all.Odd, Manifest: ref}, translate(err)
}

// addShards brings the shards' files, batches and usage into the manifest, and
// sums up where their rows went.
func (a *Activities) addShards(ctx context.Context, in PublishManifestInput, m *batch.Manifest, h *heart) (all finalShard, err error) {
	seen := map[string]bool{}
	for shard := 1; shard <= in.Shards; shard++ {
		part, err := readJSON[finalShard](ctx, a, in.Final(shard))
		if err != nil {
			return all, translate(lost(err, "shard %d was published: its record %s", shard, in.Final(shard)))
		}
		all.Counts, all.Unsent, all.Odd = all.Counts.Plus(part.Counts), all.Unsent+part.Unsent, all.Odd.Plus(part.Odd)
		m.Files = append(m.Files, part.Files...)
		for _, id := range part.Batches {
			if !seen[id] {
				seen[id] = true
				m.BatchIDs = append(m.BatchIDs, id)
			}
		}
		m.Usage.InputTokens += part.Usage.InputTokens
		m.Usage.OutputTokens += part.Usage.OutputTokens
		m.Usage.TotalTokens += part.Usage.TotalTokens
		h.set(shard)
	}
	slices.Sort(m.BatchIDs)
	return all, nil
}

func manifestCounts(c batch.BulkCounts, odd batch.OddLines) batch.ManifestCounts {
	return batch.ManifestCounts{
		Rows: c.Sum(), Succeeded: c.Answered, RowErrors: c.RowErrors, Expired: c.Expired, Cancelled: c.Cancelled, Missing: c.Missing,
		Duplicates: odd.Duplicates, Unmatched: odd.Unmatched, Malformed: odd.Malformed, Invalid: c.Invalid,
	}
}
