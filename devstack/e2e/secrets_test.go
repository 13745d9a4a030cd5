package e2e_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// The credentials of every world. They are looked for wherever a program writes.
const (
	canaryKey    = "phaseo_v1_sk_canary00_0f6d2c1b9a8e7d5c"
	canarySecret = "whsec-canary-5b1e0c7a94d2f38866b0a1d7" // #nosec G101 -- made up
)

// searchText tells which canary a text holds.
func searchText(text string) error {
	for name, canary := range map[string]string{"API key": canaryKey, "webhook secret": canarySecret} {
		if strings.Contains(text, canary) {
			return fmt.Errorf("the %s is in it", name)
		}
	}
	return nil
}

// searchSecrets looks into every file below a directory whose name matches one
// of the patterns, or into all.
func searchSecrets(dir string, patterns ...string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || !matchesAny(entry.Name(), patterns) {
			return err
		}
		raw, err := os.ReadFile(path)
		if err == nil {
			err = searchText(string(raw))
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		return nil
	})
}

func matchesAny(name string, patterns []string) bool {
	for _, p := range patterns {
		if ok, err := filepath.Match(p, name); ok && err == nil {
			return true
		}
	}
	return len(patterns) == 0
}
