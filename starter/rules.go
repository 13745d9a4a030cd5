package main

import (
	"os"

	"batchkeeper/batch"
	"batchkeeper/internal/env"
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
	return p, nil
}
