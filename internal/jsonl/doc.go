// Package jsonl reads the files that go into a batch and come out of it, one
// line at a time: Inspect checks an input before anything is sent, Join sorts a
// provider's answers back to the rows that were asked. Memory grows with the
// number of rows (a few dozen bytes each), never with their size.
package jsonl
