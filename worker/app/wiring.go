package app

import (
	"context"
	"fmt"
	"os"

	"go.temporal.io/sdk/client"

	"batchkeeper/activities"
	"batchkeeper/batch"
	"batchkeeper/internal/blobstore"
	"batchkeeper/internal/env"
	"batchkeeper/internal/gateway"
)

type registration = *activities.Activities

// newActivities opens the store and the gateway. Credentials are resolved here,
// on the worker, and nowhere else.
func newActivities(ctx context.Context, cfg env.Config, c client.Client) (registration, func(), error) {
	profiles, err := readProfiles(cfg.LimitsFile)
	if err != nil {
		return nil, nil, err
	}
	gateways, accounts := map[batch.Dialect]*gateway.Client{}, map[batch.Dialect]string{}
	for _, d := range []batch.Dialect{batch.DialectPhaseo, batch.DialectOpenAI} {
		gateways[d], err = gateway.New(gateway.Config{
			BaseURL: cfg.Gateway.BaseURL, Key: cfg.Gateway.Key, Dialect: gateway.Dialect(d), UserAgent: "batchkeeper",
		})
		if err != nil {
			return nil, nil, fmt.Errorf("gateway: %w", err)
		}
		accounts[d] = account(cfg.Gateway)
	}
	store, err := blobstore.Open(ctx, blobstore.Config{URL: cfg.StoreURL, Inputs: cfg.Inputs})
	if err != nil {
		return nil, nil, fmt.Errorf("BATCHKEEPER_STORE: %w", err)
	}
	return activities.New(activities.Options{
		Gateways: gateways, Accounts: accounts, Runs: runs{c}, Store: store, Profiles: profiles, DefaultProfile: cfg.Gateway.Dialect, SpoolDir: cfg.SpoolDir,
	}), func() { _ = store.Close() }, nil
}

func readProfiles(path string) (map[string]batch.Profile, error) {
	if path == "" {
		return nil, nil
	}
	raw, err := os.ReadFile(path) // #nosec G304 -- the operator names the file
	if err != nil {
		return nil, fmt.Errorf("BATCHKEEPER_LIMITS: %w", err)
	}
	profiles, err := batch.ParseProfiles(raw)
	if err != nil {
		return nil, fmt.Errorf("BATCHKEEPER_LIMITS: %w", err)
	}
	return profiles, nil
}
