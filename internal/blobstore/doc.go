// Package blobstore is where inputs and results live: a directory, or a bucket
// of S3, Google Cloud or Azure, by the URL of the Go CDK. It exists to keep two
// rules in one place: an object appears whole or not at all (WriteAtomic is the
// only writer), and an input comes only from where the operator allows it.
//
// In a directory the key is the path of a plain file, to be read with any tool.
// A file is written beside its final name and renamed; a name ending in .tmp is
// what a killed process left, is never listed and may be removed. Symbolic links
// inside the directory are followed: who can place one there can write there.
package blobstore
