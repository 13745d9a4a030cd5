// Package rowrules says which rules the rows of a job must keep under a profile,
// for whoever checks them: the command line before a start, the worker before
// anything is sent.
package rowrules

import (
	"batchkeeper/batch"
	"batchkeeper/internal/jsonl"
)

// For are the rules for rows that travel in the given mode. A batch that was
// created elsewhere keeps the rules of whoever created it.
func For(p batch.Profile, mode batch.CreateMode, job batch.Job) jsonl.Rules {
	if job.BatchID != "" {
		return jsonl.Rules{}
	}
	return jsonl.Rules{
		MaxRows: p.MaxRows, MaxBytes: p.BytesLimit(mode), Endpoint: job.Endpoint, Endpoints: p.Endpoints,
		Model: job.Model, OneModel: p.OneModel, MaxCustomID: p.MaxCustomID, Inline: mode == batch.CreateInline,
		// The gateway fills a missing token limit in where rows travel inline.
		RequireMaxOutputTokens: p.RequireMaxOutputTokens && mode != batch.CreateInline,
		RequireInput:           p.RequireInput, ForbiddenKeys: p.ForbiddenKeys,
	}
}
