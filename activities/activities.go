// Package activities holds the steps that touch the world: the store and the
// gateway. One file each, with one Input and one Output; what the gateway says
// is translated here into the words of package batch, and errors are classed in
// errors.go alone.
package activities

import (
	"fmt"
	"time"

	"batchkeeper/batch"
	"batchkeeper/internal/blobstore"
	"batchkeeper/internal/gateway"
)

// Options are what the activities need of a worker.
type Options struct {
	// Gateways has a client for each dialect; both may share one address and key.
	Gateways map[batch.Dialect]*gateway.Client
	Store    *blobstore.Store
	// Accounts names whose key each client has, so that all runs that share it
	// share its capacity. It says nothing of the key.
	Accounts map[batch.Dialect]string
	// Profiles are the limits by name, DefaultProfile the one of a job that names none.
	Profiles       map[string]batch.Profile
	DefaultProfile string
	// SpoolDir is where answers wait on local disk to be joined.
	SpoolDir string
	// Runs is the Temporal server that the worker belongs to.
	Runs Runs
}

// Activities are the methods that a worker registers.
type Activities struct {
	gateways       map[batch.Dialect]*gateway.Client
	accounts       map[batch.Dialect]string
	store          *blobstore.Store
	profiles       map[string]batch.Profile
	defaultProfile string
	spoolDir       string
	runs           Runs
	now            func() time.Time
}

// New makes the activities; the built-in profiles are added to those given.
func New(o Options) *Activities {
	profiles := map[string]batch.Profile{}
	for _, p := range []batch.Profile{batch.PhaseoProfile(), batch.OpenAIProfile()} {
		profiles[p.Name] = p
	}
	for name, p := range o.Profiles {
		profiles[name] = p
	}
	def := o.DefaultProfile
	if def == "" {
		def = string(batch.DialectPhaseo)
	}
	return &Activities{
		gateways: o.Gateways, accounts: o.Accounts, store: o.Store, profiles: profiles, defaultProfile: def,
		spoolDir: o.SpoolDir, runs: o.Runs, now: time.Now,
	}
}

func (a *Activities) gateway(d batch.Dialect) (*gateway.Client, error) {
	c := a.gateways[d]
	if c == nil {
		return nil, fault(batch.KindMisconfigured, fmt.Errorf(
			"this worker has no gateway that speaks %q: set PHASEO_BASE_URL and PHASEO_API_KEY (or OPENAI_…)", d))
	}
	return c, nil
}
