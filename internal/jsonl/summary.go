package jsonl

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Problem is one thing that is wrong with an input.
type Problem struct {
	// Line counts from 1; 0: the input as a whole.
	Line     int64  `json:"line"`
	CustomID string `json:"custom_id,omitempty"`
	Message  string `json:"message"`
}

// Short is the problem without what is too long to be shown.
func (p Problem) Short() Problem {
	return Problem{Line: p.Line, CustomID: cut(p.CustomID, maxShownID), Message: cut(p.Message, maxMessage)}
}

// Summary is what an inspection found.
type Summary struct {
	// Rows counts every line that is not blank, good or bad.
	Rows, Bytes, BlankLines int64
	// SHA256 is the lower-case hexadecimal digest of all bytes read.
	SHA256 string
	// Endpoint is the one that the rows share, normalized; Model the first that
	// a good row names, or the one asked for.
	Endpoint, Model string
	// Bad counts the bad lines, and each broken limit of the whole input once;
	// 0 means that the input may be sent.
	Bad int64
	// Problems are those of the whole input and the first 20 bad lines, by line.
	Problems []Problem
}

const (
	maxNamedLines = 20
	maxShownID    = 128
	maxMessage    = 300
)

// note counts a bad line and keeps the first ones.
func (s *Summary) note(line int64, customID, message string) {
	s.Bad++
	if s.Bad > maxNamedLines {
		return
	}
	s.Problems = append(s.Problems, Problem{Line: line, CustomID: customID, Message: message}.Short())
}

// noteWhole reports a problem of the whole input, before those of its lines.
func (s *Summary) noteWhole(message string) {
	s.Bad++
	s.Problems = append(s.Problems, Problem{Message: message})
	slices.SortStableFunc(s.Problems, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
}

// cut shortens text to at most n bytes of valid UTF-8.
func cut(text string, n int) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n] + "…"
}
