//go:build race

package e2e_test

// buildFlags give the children the race detector when the tests have it.
var buildFlags = []string{"-race"}
