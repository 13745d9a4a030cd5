package blobstore

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Sentinels that callers tell apart with errors.Is.
var (
	// ErrNotFound: there is no such object.
	ErrNotFound = errors.New("no such object")
	// ErrNotAllowed: the configuration does not let an input come from there.
	ErrNotAllowed = errors.New("not an allowed place for an input")
	// ErrBadKey: the key or URL cannot name an object.
	ErrBadKey = errors.New("not a usable key")
)

const (
	// maxKey is what the strictest of the stores takes, in bytes.
	maxKey = 1024
	// maxSegment leaves room, in a file name of 255 bytes, for the name under
	// which a file is written before it is renamed.
	maxSegment = 230
)

// Names that the file store keeps to itself: unfinished writes, attributes.
const (
	tempSuffix  = ".tmp"
	attrsSuffix = ".attrs"
)

// CheckKey tells whether a key may name an object in every kind of store: at
// most 1,024 bytes of UTF-8 in segments of at most 230, separated by single
// slashes, none of them "." or "..", without control characters, backslashes or
// the endings ".tmp" and ".attrs". Its errors wrap ErrBadKey.
func CheckKey(key string) error {
	if problem := keyProblem(key); problem != "" {
		return fmt.Errorf("key %s: %w: %s", shown(key), ErrBadKey, problem)
	}
	return nil
}

func keyProblem(key string) string {
	switch {
	case key == "":
		return "it is empty"
	case len(key) > maxKey:
		return fmt.Sprintf("it has %d bytes; at most %d are allowed", len(key), maxKey)
	case !utf8.ValidString(key):
		return "it is not valid UTF-8"
	case strings.HasPrefix(key, "/"):
		return "it begins with a slash: keys are relative to the store; a file outside it is named by its file:// URL"
	case strings.ContainsFunc(key, func(r rune) bool { return r == '\\' || unicode.IsControl(r) }):
		return "it has a backslash or a control character"
	case strings.HasSuffix(key, tempSuffix), strings.HasSuffix(key, attrsSuffix):
		return "names ending in .tmp and .attrs are kept for unfinished writes and attributes"
	}
	for segment := range strings.SplitSeq(key, "/") {
		switch {
		case segment == "" || segment == "." || segment == "..":
			return `it has an empty, "." or ".." segment`
		case len(segment) > maxSegment:
			return fmt.Sprintf("a segment has %d bytes; at most %d are allowed", len(segment), maxSegment)
		}
	}
	return ""
}

// shown quotes a name for a message, cut to a readable length.
func shown(name string) string {
	const most = 200
	if len(name) > most {
		return fmt.Sprintf("%q…", name[:most])
	}
	return fmt.Sprintf("%q", name)
}
