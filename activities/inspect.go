package activities

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"batchkeeper/batch"
	"batchkeeper/internal/blobstore"
	"batchkeeper/internal/jsonl"
)

// InspectInput is the job as far as its rows and limits go.
type InspectInput struct {
	Job    batch.Job `json:"job"`
	Prefix string    `json:"prefix"` // where the results will go
}

// InspectOutput is what the rows are, and the limits that apply. A rejection is
// an answer, not an error: Rejected says why, Problems name the first bad lines.
type InspectOutput struct {
	Profile  batch.Profile    `json:"profile"`
	Mode     batch.CreateMode `json:"mode"`
	Facts    batch.InputFacts `json:"facts"`
	Endpoint string           `json:"endpoint,omitempty"`
	Model    string           `json:"model,omitempty"`
	Rejected string           `json:"rejected,omitempty"`
	Problems []batch.Problem  `json:"problems,omitempty"`
}

// Inspect checks every row offline against the profile, streaming. It only
// reads, so it may be repeated.
func (a *Activities) Inspect(ctx context.Context, in InspectInput) (InspectOutput, error) {
	job := in.Job
	name := job.Profile
	if name == "" {
		name = a.defaultProfile
	}
	profile, ok := a.profiles[name]
	if !ok {
		return InspectOutput{Rejected: fmt.Sprintf("profile: %q is neither built in nor in this worker's limits file", name)}, nil
	}
	out := InspectOutput{Profile: profile, Mode: profile.Mode(job), Endpoint: job.Endpoint, Model: job.Model}
	if len(profile.Windows) > 0 && !slices.Contains(profile.Windows, job.CompletionWindow) {
		out.Rejected = fmt.Sprintf("completion_window: %q is not offered by profile %s (%s)", job.CompletionWindow, name, strings.Join(profile.Windows, ", "))
		return out, nil
	}
	if out.Mode == batch.CreateInline && profile.MaxInlineBytes == 0 {
		out.Rejected = fmt.Sprintf("create_mode: profile %s offers no inline creation", name)
		return out, nil
	}
	if err := blobstore.CheckKey(path.Join(in.Prefix, "raw", "output.jsonl")); err != nil {
		out.Rejected = "results_prefix: " + err.Error()
		return out, nil
	}
	if job.Input == "" {
		return out, nil
	}
	summary, err := a.inspectRows(ctx, job, profile, out.Mode)
	if err != nil {
		return InspectOutput{}, translate(err)
	}
	out.Facts = batch.InputFacts{Rows: summary.Rows, Bytes: summary.Bytes, SHA256: summary.SHA256, BadRows: summary.Bad}
	if out.Endpoint == "" {
		out.Endpoint = summary.Endpoint
	}
	if out.Model == "" {
		out.Model = summary.Model
	}
	for _, p := range summary.Problems {
		out.Problems = append(out.Problems, batch.Problem(p))
	}
	out.Rejected = rejection(summary)
	return out, nil
}

// rejection says in one line what is wrong with the rows; empty when nothing is.
func rejection(s jsonl.Summary) string {
	switch {
	case s.Bad == 0:
		return ""
	case s.Problems[0].Line == 0:
		return "input: " + s.Problems[0].Message
	default:
		return fmt.Sprintf("input: %d of %d rows are bad", s.Bad, s.Rows)
	}
}

func (a *Activities) inspectRows(ctx context.Context, job batch.Job, p batch.Profile, mode batch.CreateMode) (jsonl.Summary, error) {
	h, stop := startHeart(ctx)
	defer stop()
	rows, err := a.openRows(ctx, job.Input, job.InputRange, "")
	if err != nil {
		return jsonl.Summary{}, err
	}
	defer rows.Close()
	summary, err := jsonl.Inspect(ctx, rows, RulesFor(p, mode, job), func(rows, _ int64) { h.note(rows) })
	return summary, errors.Join(err, rows.Close())
}

// RulesFor are the rules that rows must keep under a profile. A batch that was
// created elsewhere keeps the rules of whoever created it.
func RulesFor(p batch.Profile, mode batch.CreateMode, job batch.Job) jsonl.Rules {
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
