//go:build system

// Package system_test looks at the whole from outside, with programs that are
// not ours: a stock client of another language, and a browser. It exists apart
// from the other tests because it needs Node.js and Chromium.
package system_test
