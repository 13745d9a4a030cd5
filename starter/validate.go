package main

import (
	"context"
	"fmt"
	"strings"

	"batchkeeper/batch"
	"batchkeeper/internal/env"
	"batchkeeper/internal/jsonl"
)

type validateCmd struct {
	Input string `arg:"" help:"A local path, a key of the store or a URL."`
	JSON  bool   `help:"Print the findings as one JSON object."`
	jobFlags
}

// findings is what validate prints.
type findings struct {
	Valid    bool            `json:"valid"`
	Rows     int64           `json:"rows"`
	Bytes    int64           `json:"bytes"`
	SHA256   string          `json:"sha256"`
	Endpoint string          `json:"endpoint,omitempty"`
	Model    string          `json:"model,omitempty"`
	Profile  string          `json:"profile"`
	Bad      int64           `json:"bad"`
	Problems []jsonl.Problem `json:"problems"`
	// Excess says which limit of one batch the input is beyond; empty: none.
	Excess string `json:"excess,omitempty"`
}

// Run checks the rows and the job, and nothing else: no server is needed.
func (c *validateCmd) Run(ctx context.Context, a *app) error {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	job, err := c.job()
	if err != nil {
		return err
	}
	job.Input = c.Input
	if err := job.Validate(); err != nil {
		return usage("%w", err)
	}
	profile, err := profileOf(cfg, job)
	if err != nil {
		return err
	}
	found, err := c.inspect(ctx, a, cfg, profile, job)
	if err != nil {
		return err
	}
	return c.report(a, found)
}

// inspect opens the store only for an input that may be there.
func (c *validateCmd) inspect(ctx context.Context, a *app, cfg env.Config, p batch.Profile, job batch.Job) (findings, error) {
	in := input{name: c.Input, part: job.InputRange, local: isFile(c.Input)}
	if !in.local {
		store, err := a.store(ctx, cfg)
		if err != nil {
			return findings{}, err
		}
		defer store.Close()
		if in, err = findInput(ctx, store, c.Input, job.InputRange); err != nil {
			return findings{}, err
		}
	}
	return a.check(ctx, in, p, job)
}

func (c *validateCmd) report(a *app, found findings) error {
	if c.JSON {
		if err := a.printJSON(found); err != nil {
			return err
		}
	} else if err := a.print("%s", found.text(c.Input)); err != nil {
		return err
	}
	if !found.Valid {
		return exit{code: exitUsage}
	}
	return nil
}

// check inspects the rows and compares the whole with the limits of one batch.
func (a app) check(ctx context.Context, in input, p batch.Profile, job batch.Job) (findings, error) {
	line := a.newLine()
	summary, err := in.inspect(ctx, rulesFor(p, job), func(rows, bytes int64) {
		line.rewrite(fmt.Sprintf("checking %s: %d rows, %s", in.name, rows, size(bytes)))
	})
	line.clear()
	if err != nil {
		return findings{}, err
	}
	found := findings{
		Rows: summary.Rows, Bytes: summary.Bytes, SHA256: summary.SHA256, Endpoint: summary.Endpoint, Model: summary.Model,
		Profile: p.Name, Bad: summary.Bad, Problems: append([]jsonl.Problem{}, summary.Problems...),
	}
	if limit := p.BytesLimit(p.Mode(job)); job.BatchID == "" && (summary.Rows > p.MaxRows || summary.Bytes > limit) {
		found.Excess = fmt.Sprintf("%d rows and %s (%d bytes) are more than one batch of profile %s takes: %d rows and %s (%d bytes)",
			summary.Rows, size(summary.Bytes), summary.Bytes, p.Name, p.MaxRows, size(limit), limit)
	}
	found.Valid = found.Bad == 0 && found.Excess == ""
	return found, nil
}

// text names the bad lines, and says how many there are.
func (f findings) text(name string) string {
	var b strings.Builder
	for _, p := range f.Problems {
		fmt.Fprintf(&b, "%s\n", problemText(p))
	}
	if rest := f.Bad - int64(len(f.Problems)); rest > 0 {
		fmt.Fprintf(&b, "… and %d more\n", rest)
	}
	switch {
	case f.Bad > 0 && f.Problems[0].Line == 0:
		fmt.Fprintf(&b, "%s: it cannot be sent", name)
	case f.Bad > 0:
		fmt.Fprintf(&b, "%s: %d of %d rows are bad", name, f.Bad, f.Rows)
	case f.Excess != "":
		fmt.Fprintf(&b, "%s: the rows are good, but %s", name, f.Excess)
	default:
		fmt.Fprintf(&b, "%s: %d rows, %s, all good (%s %s, profile %s)", name, f.Rows, size(f.Bytes), f.Endpoint, f.Model, f.Profile)
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

// size is a number of bytes for people.
func size(bytes int64) string {
	const unit = 1000
	if bytes < unit {
		return fmt.Sprintf("%d B", bytes)
	}
	value, units := float64(bytes)/unit, "kMGTPE"
	for value >= unit && len(units) > 1 {
		value, units = value/unit, units[1:]
	}
	return fmt.Sprintf("%.1f %cB", value, units[0])
}
