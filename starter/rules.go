package main

import (
	"os"
	"slices"
	"strings"

	"batchkeeper/batch"
	"batchkeeper/internal/env"
	"batchkeeper/internal/jsonl"
)

// profileOf finds the limits that the worker will apply, as far as this
// program's configuration tells.
func profileOf(cfg env.Config, job batch.Job) (batch.Profile, error) {
	profiles := map[string]batch.Profile{}
	for _, p := range []batch.Profile{batch.PhaseoProfile(), batch.OpenAIProfile()} {
		profiles[p.Name] = p
	}
	if cfg.LimitsFile != "" {
		raw, err := os.ReadFile(cfg.LimitsFile)
		if err != nil {
			return batch.Profile{}, usage("BATCHKEEPER_LIMITS: %w", err)
		}
		more, err := batch.ParseProfiles(raw)
		if err != nil {
			return batch.Profile{}, usage("BATCHKEEPER_LIMITS: %w", err)
		}
		for name, p := range more {
			profiles[name] = p
		}
	}
	name := job.Profile
	if name == "" {
		name = cfg.Gateway.Dialect
	}
	p, ok := profiles[name]
	if !ok {
		return batch.Profile{}, usage("--profile: %q is neither phaseo nor openai nor in the limits file", name)
	}
	return p, checkOffer(p, job)
}

// checkOffer refuses what the profile does not offer at all.
func checkOffer(p batch.Profile, job batch.Job) error {
	window := job.WithDefaults().CompletionWindow
	if len(p.Windows) > 0 && !slices.Contains(p.Windows, window) {
		return usage("--completion-window: %q is not offered by profile %s (%s)", window, p.Name, strings.Join(p.Windows, ", "))
	}
	if p.Mode(job) == batch.CreateInline && p.MaxInlineBytes == 0 {
		return usage("--create-mode: profile %s offers no inline creation", p.Name)
	}
	return nil
}

// rulesFor are the rules that the worker will hold the rows to, but for the
// limits of one batch: what an input has beyond them is reported as a whole. A
// batch that was created elsewhere keeps the rules of whoever created it.
func rulesFor(p batch.Profile, job batch.Job) jsonl.Rules {
	if job.BatchID != "" {
		return jsonl.Rules{}
	}
	inline := p.Mode(job) == batch.CreateInline
	return jsonl.Rules{
		Endpoint: job.Endpoint, Endpoints: p.Endpoints, Model: job.Model, OneModel: p.OneModel,
		MaxCustomID: p.MaxCustomID, Inline: inline, RequireInput: p.RequireInput, ForbiddenKeys: p.ForbiddenKeys,
		RequireMaxOutputTokens: p.RequireMaxOutputTokens && !inline,
	}
}
