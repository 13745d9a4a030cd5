// Package e2e proves the promises on the real thing: the real Temporal server,
// worker and bridge as processes that can be killed, and an emulated gateway
// that can be made to fail and remembers what was done to it. It holds nothing
// but tests; start with world_test.go, then read any scenario.
package e2e
