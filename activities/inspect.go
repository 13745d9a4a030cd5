package activities

import (
	"context"
	"errors"
	"fmt"
	"path"

	"batchkeeper/batch"
	"batchkeeper/internal/blobstore"
	"batchkeeper/internal/jsonl"
	"batchkeeper/internal/rowrules"
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
	profile, rejected := a.profileFor(job)
	if rejected != "" {
		return InspectOutput{Rejected: rejected}, nil
	}
	out := InspectOutput{Profile: profile, Mode: profile.Mode(job), Endpoint: job.Endpoint, Model: job.Model}
	if out.Rejected = profile.Refuses(job, out.Mode); out.Rejected != "" {
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
	summary, err := jsonl.Inspect(ctx, rows, rowrules.For(p, mode, job), func(rows, _ int64) { h.note(rows) })
	return summary, errors.Join(err, rows.Close())
}
