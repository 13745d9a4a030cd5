//go:build system

// Package system_test looks at the whole from outside, with programs that are
// not ours: a stock client of another language, a browser, and a database
// downstream. It exists apart from the other tests because it needs Node.js,
// Chromium and PostgreSQL.
package system_test
