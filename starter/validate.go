package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"batchkeeper/batch"
	"batchkeeper/internal/env"
	"batchkeeper/internal/jsonl"
)

type validateCmd struct {
	Input string `arg:"" help:"A local path, a key of the store or a URL."`
	JSON  bool   `help:"Print the findings as one JSON object."`
	jobFlags
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
	found, err := c.check(ctx, a, cfg, profile, job)
	if err != nil {
		return err
	}
	return c.report(a, found)
}

// check opens the store only for an input that may be there.
func (c *validateCmd) check(ctx context.Context, a *app, cfg env.Config, p batch.Profile, job batch.Job) (findings, error) {
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
	kind, err := in.kind(ctx, p, job, "")
	if err != nil {
		return findings{}, err
	}
	if c.JSON {
		return a.check(ctx, in, p, job, kind, nil)
	}
	bad, lines := io.Pipe()
	printed := make(chan error, 1)
	go func() { printed <- bad.CloseWithError(a.printBad(bad)) }()
	found, err := a.check(ctx, in, p, job, kind, lines)
	return found, errors.Join(err, lines.Close(), <-printed)
}

// printBad prints every bad line, however many there are, as the check names
// them in JSON.
func (a app) printBad(lines io.Reader) error {
	for dec := json.NewDecoder(lines); ; {
		var line struct {
			jsonl.Problem
			Error struct{ Message string }
		}
		if err := dec.Decode(&line); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read the list of bad lines: %w", err)
		}
		line.Message = line.Error.Message
		if err := a.print("%s", problemText(line.Short())); err != nil {
			return err
		}
	}
}

// report prints the findings; in text, the bad lines are printed already.
func (c *validateCmd) report(a *app, found findings) error {
	if c.JSON {
		if err := a.printJSON(found); err != nil {
			return err
		}
	} else if err := c.reportText(a, found); err != nil {
		return err
	}
	if !found.Valid {
		return exit{code: exitUsage}
	}
	return nil
}

func (c *validateCmd) reportText(a *app, found findings) error {
	for _, p := range found.Problems {
		if p.Line == 0 {
			if err := a.print("%s", problemText(p)); err != nil {
				return err
			}
		}
	}
	return a.print("%s", found.verdict(c.Input))
}
