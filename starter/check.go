package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"batchkeeper/batch"
	"batchkeeper/internal/jsonl"
	"batchkeeper/internal/rowrules"
)

// findings is what a check of an input found, and what a run of it would take.
type findings struct {
	Valid    bool            `json:"valid"`
	Rows     int64           `json:"rows"`
	Bytes    int64           `json:"bytes"`
	SHA256   string          `json:"sha256"`
	Endpoint string          `json:"endpoint,omitempty"`
	Model    string          `json:"model,omitempty"`
	Profile  string          `json:"profile"`
	Bad      int64           `json:"bad"`
	Problems []jsonl.Problem `json:"problems"` // of the whole input, and the first bad lines
	// Quarantined tells that the bad lines do not keep the others from being sent.
	Quarantined bool `json:"quarantined,omitempty"`
	// Type is the kind of run, batch or bulk; Batches how many it makes in its
	// first round.
	Type       string           `json:"type"`
	Batches    int              `json:"batches"`
	CreateMode batch.CreateMode `json:"create_mode"`
	// Excess says which limit of one batch the input is beyond; empty: none.
	Excess   string      `json:"excess,omitempty"`
	Estimate batch.Money `json:"estimate"` // of the good rows, each sent once
	profile  batch.Profile
	// firstNanos is what the first batch would cost by the estimate.
	firstNanos int64
}

// kind is the type of run that the job asks for or the input's size demands;
// empty: only its rows can tell.
func (in input) kind(ctx context.Context, p batch.Profile, job batch.Job, asked string) (string, error) {
	if asked != "" || job.BatchID != "" {
		return cmp.Or(asked, typeBatch), nil
	}
	if job.ValidateSingle() != nil {
		return typeBulk, nil
	}
	bytes, err := in.size(ctx)
	if err != nil {
		return "", err
	}
	if job.InputRange == nil && bytes > p.BytesLimit(p.Mode(job)) {
		return typeBulk, nil
	}
	return "", nil
}

// check reads the whole input, in bounded memory, as the worker will. It decides
// between a batch and a bulk run where kind is empty. Every bad line is written
// to bad, which may be nil, as JSON.
func (a app) check(ctx context.Context, in input, p batch.Profile, job batch.Job, kind string, bad io.Writer) (findings, error) {
	if kind != "" {
		return a.checkAs(ctx, in, p, job, kind, bad)
	}
	// It is small. Where its rows are too many for one batch they travel another
	// way, which has rules of its own: what is bad is told only then.
	found, err := a.checkAs(ctx, in, p, job, typeBatch, nil)
	switch {
	case err != nil:
		return findings{}, err
	case found.Excess != "":
		excess := found.Excess
		found, err = a.checkAs(ctx, in, p, job, typeBulk, bad)
		found.Excess = excess
	case found.Bad > 0 && bad != nil:
		found, err = a.checkAs(ctx, in, p, job, typeBatch, bad)
	}
	return found, err
}

func (a app) checkAs(ctx context.Context, in input, p batch.Profile, job batch.Job, kind string, bad io.Writer) (findings, error) {
	if kind == typeBulk {
		job.CreateMode = cmp.Or(job.CreateMode, batch.CreateAuto)
		if err := job.ValidateBulk(); err != nil {
			return findings{}, usage("%w", err)
		}
	}
	mode := p.Mode(job)
	if refused := p.Refuses(job.WithDefaults(), mode); refused != "" {
		return findings{}, usage("%s", refused)
	}
	survey, err := a.survey(ctx, in, p, job, mode, bad)
	if err != nil {
		return findings{}, err
	}
	found := findings{
		Rows: survey.Rows, Bytes: survey.Bytes, SHA256: survey.SHA256, Endpoint: survey.Endpoint, Model: survey.Model,
		Profile: p.Name, Bad: survey.Bad, Problems: append([]jsonl.Problem{}, survey.Problems...),
		Type: kind, Batches: survey.Batches(), CreateMode: mode, Estimate: p.Estimate(survey.InputTokens, survey.MaxOutputTokens), profile: p,
	}
	found.Quarantined = kind == typeBulk && job.OnBadRows == batch.QuarantineBadRows && survey.Bad > 0 &&
		survey.Bad == survey.Invalid && survey.Invalid < survey.Rows
	if kind == typeBatch && job.BatchID == "" {
		found.Batches = 1
		found.Excess = excess(survey, p, mode)
	}
	if !p.Known() {
		found.Estimate.Unpriced = found.Batches
	}
	if first := slices.IndexFunc(survey.Shards, func(s jsonl.Shard) bool { return s.Rows > 0 }); first >= 0 {
		found.firstNanos = p.Nanos(survey.Shards[first].InputTokens, survey.Shards[first].MaxOutputTokens)
	}
	found.Valid = (found.Bad == 0 || found.Quarantined) && found.Excess == ""
	return found, nil
}

// survey makes the pass over the input, with a line of progress.
func (a app) survey(ctx context.Context, in input, p batch.Profile, job batch.Job, mode batch.CreateMode, bad io.Writer) (jsonl.Survey, error) {
	rows, err := in.open(ctx)
	if err != nil {
		return jsonl.Survey{}, err
	}
	line := a.newLine()
	defer line.clear()
	cut := jsonl.Cut{
		Input: rows, Rules: rowrules.For(p, mode, job), Invalid: bad, Spill: spill,
		Progress: func(rows, bytes int64) {
			line.rewrite(fmt.Sprintf("checking %s: %d rows, %s", in.name, rows, size(bytes)))
		},
	}
	if job.BatchID == "" {
		limits := p.UnitLimits(job.BulkJob, mode)
		cut.MaxRows, cut.MaxBytes, cut.MaxTokens = limits.MaxRows, limits.MaxBytes, limits.MaxTokens
	}
	survey, err := cut.Run(ctx)
	return survey, errors.Join(err, rows.Close())
}

// spill is a temporary file without a name: it is gone once it is closed.
func spill() (jsonl.Spill, error) {
	file, err := os.CreateTemp("", "starter-")
	if err != nil {
		return nil, err
	}
	return file, os.Remove(file.Name())
}

// excess says in what an input is beyond one batch.
func excess(s jsonl.Survey, p batch.Profile, mode batch.CreateMode) string {
	limit := p.BytesLimit(mode)
	switch {
	case s.Rows > p.MaxRows || s.Bytes > limit:
		return fmt.Sprintf("%d rows and %s (%d bytes) are more than one batch of profile %s takes: %d rows and %s (%d bytes)",
			s.Rows, size(s.Bytes), s.Bytes, p.Name, p.MaxRows, size(limit), limit)
	case p.MaxTokens > 0 && s.InputTokens > p.MaxTokens:
		return fmt.Sprintf("about %d tokens are more than one batch of profile %s takes: %d", s.InputTokens, p.Name, p.MaxTokens)
	default:
		return ""
	}
}

// verdict is what came of the check, in one line.
func (f findings) verdict(name string) string {
	switch {
	case f.Bad > 0 && f.Problems[0].Line == 0:
		return name + ": it cannot be sent"
	case f.Quarantined:
		return fmt.Sprintf("%s: %d of %d rows are bad: they are set aside, the others are sent", name, f.Bad, f.Rows)
	case f.Bad > 0:
		return fmt.Sprintf("%s: %d of %d rows are bad", name, f.Bad, f.Rows)
	case !f.Valid:
		return fmt.Sprintf("%s: the rows are good, but %s", name, f.Excess)
	default:
		return fmt.Sprintf("%s: %d rows, %s, all good (%s %s, profile %s)%s", name, f.Rows, size(f.Bytes), f.Endpoint, f.Model, f.Profile, f.inBulk())
	}
}

// inBulk says into how much a bulk run would cut the input.
func (f findings) inBulk() string {
	if f.Type != typeBulk {
		return ""
	}
	return fmt.Sprintf("; it is run in bulk, in %d batches", f.Batches)
}

// named are the problems of the whole input and the first bad lines, a line each.
func (f findings) named() string {
	var b strings.Builder
	for _, p := range f.Problems {
		fmt.Fprintf(&b, "%s\n", problemText(p))
	}
	if rest := f.Bad - int64(len(f.Problems)); rest > 0 {
		fmt.Fprintf(&b, "… and %d more\n", rest)
	}
	return b.String()
}

func problemText(p jsonl.Problem) string {
	switch {
	case p.Line == 0:
		return p.Message
	case p.CustomID == "":
		return fmt.Sprintf("line %d: %s", p.Line, p.Message)
	default:
		return fmt.Sprintf("line %d (%s): %s", p.Line, p.CustomID, p.Message)
	}
}
