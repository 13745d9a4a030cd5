// Package jsonl reads the files that go into a batch and come out of it, one
// line at a time: Inspect checks the input of one batch before anything is sent,
// Cut checks an input of any size and cuts it into shards, Join sorts a
// provider's answers back to the rows that were asked, Leftovers finds the rows
// worth another try, and Final makes one result of several rounds. Memory never grows with
// the size of the rows; with their number it grows by a few dozen bytes each in
// Inspect and Join, whose inputs are bounded, and in no other.
package jsonl
