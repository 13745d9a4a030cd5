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
	Manifest batch.Ref        `json:"manifest"`
}

// PublishManifest checks that every row is accounted for and writes the
// manifest, the last file of a result. It may be repeated.
func (a *Activities) PublishManifest(ctx context.Context, in PublishManifestInput) (PublishManifestOutput, error) {
	h, stop := startHeart(ctx)
	defer stop()
	m := in.Manifest
	var counts batch.BulkCounts
	unsent := int64(0)
	seen := map[string]bool{}
	for shard := 1; shard <= in.Shards; shard++ {
		part, err := readJSON[finalShard](ctx, a, in.Final(shard))
		if err != nil {
			return PublishManifestOutput{}, translate(lost(err, "shard %d was published: its record %s", shard, in.Final(shard)))
		}
		counts, unsent = counts.Plus(part.Counts), unsent+part.Unsent
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
	if err := errors.Join(counts.Conserve(in.Rows), in.Settled.Agree(counts, unsent)); err != nil {
		return PublishManifestOutput{}, fault(batch.KindResultsUnavailable, fmt.Errorf("the result is not published: %w", err))
	}
	slices.Sort(m.BatchIDs)
	m.Version, m.Input.Rows, m.Counts = 1, in.Rows, manifestCounts(counts)
	raw, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return PublishManifestOutput{}, fmt.Errorf("manifest: %w", err)
	}
	ref, err := a.store.WriteAtomic(ctx, in.Files.Manifest(), func(w io.Writer) error {
		_, err := w.Write(append(raw, '\n'))
		return err
	})
	return PublishManifestOutput{Counts: counts, Manifest: ref}, translate(err)
}

func manifestCounts(c batch.BulkCounts) batch.ManifestCounts {
	return batch.ManifestCounts{
		Rows: c.Sum(), Succeeded: c.Answered, RowErrors: c.RowErrors, Expired: c.Expired, Cancelled: c.Cancelled, Missing: c.Missing,
		Invalid: c.Invalid,
	}
}
