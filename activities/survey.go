package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"batchkeeper/batch"
	"batchkeeper/internal/jsonl"
	"batchkeeper/internal/rowrules"
)

// SurveyInput is the job of a bulk run and where its files go.
type SurveyInput struct {
	Job    batch.Job `json:"job"`
	Prefix string    `json:"prefix"`
}

// SurveyOutput is what the input is. A rejection is an answer, not an error.
type SurveyOutput struct {
	Profile  batch.Profile    `json:"profile"`
	Account  string           `json:"account"` // whose capacity is used
	Mode     batch.CreateMode `json:"mode"`
	Facts    batch.InputFacts `json:"facts"`
	Invalid  int64            `json:"invalid"` // quarantined rows
	Shards   int              `json:"shards"`
	PlanSize int64            `json:"plan_size"`
	Endpoint string           `json:"endpoint,omitempty"`
	Model    string           `json:"model,omitempty"`
	// Estimate is by the rows' length and output limits.
	Estimate batch.Money     `json:"estimate"`
	Rejected string          `json:"rejected,omitempty"`
	Problems []batch.Problem `json:"problems,omitempty"`
}

// Survey checks every row of an input of any size in one pass, and writes the
// plan of the first round: the input's shards. It may be repeated: the same
// input gives the same plan.
func (a *Activities) Survey(ctx context.Context, in SurveyInput) (SurveyOutput, error) {
	profile, rejected := a.profileFor(in.Job)
	out := SurveyOutput{Profile: profile, Mode: profile.Mode(in.Job), Endpoint: in.Job.Endpoint, Model: in.Job.Model, Rejected: rejected}
	if rejected == "" {
		out.Rejected = profile.Refuses(in.Job, out.Mode)
	}
	if out.Rejected != "" {
		return out, nil
	}
	out.Account = a.accounts[profile.Dialect]
	h, stop := startHeart(ctx)
	defer stop()
	rows, err := a.openRows(ctx, in.Job.Input, nil, "")
	if err != nil {
		return SurveyOutput{}, translate(err)
	}
	defer rows.Close()
	survey, err := a.cut(ctx, in, profile, out.Mode, rows, h)
	if err != nil {
		return SurveyOutput{}, translate(err)
	}
	out.read(survey, in.Job)
	if out.Rejected != "" {
		return out, nil
	}
	ref, err := a.store.WriteAtomic(ctx, batch.PlanKey(in.Prefix, 1), func(w io.Writer) error { return writeShards(w, survey.Shards) })
	out.PlanSize = ref.Size
	return out, translate(err)
}

// read takes what the survey found.
func (o *SurveyOutput) read(s jsonl.Survey, job batch.Job) {
	o.Facts = batch.InputFacts{Rows: s.Rows, Bytes: s.Bytes, SHA256: s.SHA256, BadRows: s.Bad}
	o.Shards, o.Invalid = len(s.Shards), s.Invalid
	if o.Endpoint == "" {
		o.Endpoint = s.Endpoint
	}
	if o.Model == "" {
		o.Model = s.Model
	}
	o.Estimate = o.Profile.Estimate(s.InputTokens, s.MaxOutputTokens)
	for _, p := range s.Problems {
		o.Problems = append(o.Problems, batch.Problem(p))
	}
	whole := len(s.Problems) > 0 && s.Problems[0].Line == 0
	if whole || s.Bad > 0 && job.OnBadRows != batch.QuarantineBadRows || s.Rows == s.Invalid {
		o.Rejected = rejection(s.Summary)
	}
}

// cut makes the one pass over the input. The quarantined lines go straight into
// the store.
func (a *Activities) cut(ctx context.Context, in SurveyInput, p batch.Profile, mode batch.CreateMode, rows io.Reader, h *heart) (jsonl.Survey, error) {
	var survey jsonl.Survey
	rules := rowrules.For(p, mode, in.Job)
	rules.MaxRows, rules.MaxBytes = 0, 0
	limits := p.UnitLimits(in.Job.BulkJob, mode)
	_, err := a.store.WriteAtomic(ctx, batch.BadKey(in.Prefix), func(bad io.Writer) error {
		var err error
		survey, err = jsonl.Cut{
			Input: rows, Rules: rules, Invalid: bad,
			MaxRows: limits.MaxRows, MaxBytes: limits.MaxBytes, MaxTokens: limits.MaxTokens,
			Spill:    func() (jsonl.Spill, error) { return a.spill() },
			Progress: func(rows, _ int64) { h.note(rows) },
		}.Run(ctx)
		return err
	})
	return survey, err
}

func writeShards(w io.Writer, shards []jsonl.Shard) error {
	lines := json.NewEncoder(w)
	for _, s := range shards {
		shard := batch.Shard{
			Number: s.Number, Range: batch.Range{Offset: s.Offset, Length: s.Length}, FirstLine: s.FirstLine,
			Rows: s.Rows, Invalid: s.Invalid, SHA256: s.SHA256,
		}
		if s.Invalid > 0 {
			shard.Bad = &batch.Range{Offset: s.InvalidOffset, Length: s.InvalidLength}
		}
		unit := batch.Unit{Number: s.Number, Rows: s.Rows, Bytes: s.Length, Tokens: s.InputTokens, MaxOutput: s.MaxOutputTokens, Shard: &shard}
		if err := lines.Encode(unit); err != nil {
			return fmt.Errorf("plan: %w", err)
		}
	}
	return nil
}

// profileFor finds the limits that apply to a job.
func (a *Activities) profileFor(job batch.Job) (p batch.Profile, rejected string) {
	name := job.Profile
	if name == "" {
		name = a.defaultProfile
	}
	p, ok := a.profiles[name]
	if !ok {
		return p, fmt.Sprintf("profile: %q is neither built in nor in this worker's limits file", name)
	}
	return p, ""
}

// spillFile is temporary space that is gone once it is closed.
type spillFile struct{ spool }

// Close implements io.Closer.
func (s spillFile) Close() error {
	s.remove()
	return nil
}

// Write implements io.Writer.
func (s spillFile) Write(p []byte) (int, error) { return s.file.Write(p) }

// ReadAt implements io.ReaderAt.
func (s spillFile) ReadAt(p []byte, off int64) (int, error) { return s.file.ReadAt(p, off) }

func (a *Activities) spill() (spillFile, error) {
	s, err := a.spool()
	return spillFile{s}, err
}

// readLines decodes JSON lines of an object from an offset, at most n of them,
// and returns where the next one begins.
func readLines[T any](ctx context.Context, a *Activities, key string, offset int64, n int) ([]T, int64, error) {
	r, err := a.store.Read(ctx, key, offset, -1)
	if err != nil {
		return nil, offset, err
	}
	defer r.Close()
	var out []T
	dec := json.NewDecoder(r)
	for n <= 0 || len(out) < n {
		var line T
		if err := dec.Decode(&line); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, offset, fmt.Errorf("read %s: %w", key, err)
		}
		out = append(out, line)
	}
	return out, offset + dec.InputOffset(), nil
}
