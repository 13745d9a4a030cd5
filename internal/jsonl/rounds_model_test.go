package jsonl_test

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"batchkeeper/internal/jsonl"
)

// outcome is what may become of a row in a round.
type outcome struct {
	line  func(id string) string // the provider's; nil: none
	class string                 // empty: answered
	retry func(asked bool) bool
}

func always(bool) bool { return true }

var outcomes = []outcome{
	{line: success},
	{line: func(id string) string { return strings.TrimSuffix(success(id), "}") + ` , "batchkeeper":1} ` }},
	{failure, jsonl.ClassRowError, func(bool) bool { return false }},
	{func(id string) string { return strings.Replace(failure(id), "400", "503", 1) }, jsonl.ClassRowError, always},
	{func(id string) string { return unanswered(id, "request_timeout") }, jsonl.ClassRowError, always},
	{func(id string) string { return unanswered(id, "batch_expired") }, jsonl.ClassExpired, always},
	{func(id string) string { return unanswered(id, "batch_cancelled") }, jsonl.ClassCancelled, func(asked bool) bool { return !asked }},
	{nil, jsonl.ClassMissing, always},
}

// modelEntry is a line of the input and what the model knows of it.
type modelEntry struct {
	text, id string // no id: an invalid line
	line     int64
	open     bool // it is in the round that runs
	round    int  // the last that carried it
	batch    string
	outcome  outcome
	answer   string
}

// modelShard is a part of the input and what the rounds keep of it.
type modelShard struct {
	first   int64
	raw     string
	entries []*modelEntry
	left    string // its leftovers
	rounds  []jsonl.Round
	sent    bool
}

// simulation runs the real pieces beside the model.
type simulation struct {
	*rapid.T
	shards  []*modelShard
	invalid string
	asked   bool // we asked to cancel
	batches int
}

func drawSimulation(t *rapid.T) *simulation {
	s := &simulation{T: t, asked: rapid.Bool().Draw(t, "asked to cancel")}
	id := rapid.OneOf(
		rapid.SampledFrom(ids).Filter(func(s string) bool { return s != "" }),
		rapid.Map(rapid.IntRange(0, 99), func(n int) string { return fmt.Sprint("row-", n) }),
	)
	names := rapid.SliceOfNDistinct(id, 0, 14, rapid.ID).Draw(t, "ids")
	shard := &modelShard{first: 1}
	line := int64(0)
	for i, text := range askedRows(names) {
		for rapid.IntRange(0, 4).Draw(t, "more") == 0 {
			line++
			bad := rapid.SampledFrom([]string{"", " \t", "{", "[]", good("twice")}).Draw(t, "between")
			shard.raw += bad + rapid.SampledFrom([]string{"\n", "\r\n"}).Draw(t, "end")
			if strings.TrimSpace(bad) != "" {
				s.invalid += invalidLine(line) + "\n"
				shard.entries = append(shard.entries, &modelEntry{text: bad, line: line})
			}
		}
		line++
		shard.raw += text + "\n"
		shard.entries = append(shard.entries, &modelEntry{text: text, id: names[i], line: line})
		if rapid.IntRange(0, 3).Draw(t, "cut") == 0 {
			s.shards = append(s.shards, shard)
			shard = &modelShard{first: line + 1}
		}
	}
	s.shards = append(s.shards, shard)
	return s
}

// input is what is sent in the first round.
func (s *simulation) input(shard *modelShard) string {
	var out bytes.Buffer
	cleaned, err := jsonl.Clean{
		Input: strings.NewReader(shard.raw), FirstLine: shard.first, Skip: strings.NewReader(s.invalid), Output: &out,
	}.Run(s.Context())
	require.NoError(s, err)
	var want strings.Builder
	for _, e := range shard.entries {
		if e.id != "" {
			want.WriteString(e.text + "\n")
		}
	}
	require.Equal(s, want.String(), out.String())
	require.EqualValues(s, out.Len(), cleaned.Bytes)
	return out.String()
}

// run plays one unit of a round: the batch, the join, what is left over, and
// each shard's part of the files.
func (s *simulation) run(number int, unit []*modelShard, input string) {
	s.batches++
	batch := fmt.Sprint("batch_", s.batches)
	lost := rapid.IntRange(0, 5).Draw(s.T, "gave nothing") == 0
	var answers []string
	var pieces []int64
	for _, shard := range unit {
		rows := int64(0)
		for _, e := range shard.entries {
			if !e.open {
				continue
			}
			rows++
			e.round, e.batch, e.answer = number, batch, ""
			if e.outcome = rapid.SampledFrom(outcomes).Draw(s.T, "outcome"); lost {
				e.outcome = outcomes[len(outcomes)-1]
			}
			if e.outcome.line != nil {
				e.answer = e.outcome.line(e.id)
				answers = append(answers, e.answer)
			}
			e.open = e.outcome.retry != nil && e.outcome.retry(s.asked)
		}
		pieces = append(pieces, rows)
	}
	answers = rapid.Permutation(answers).Draw(s.T, "answers")
	got, err := tryJoin(s.Context(), jsonl.Join{Absent: jsonl.ClassMissing}, input, lines(answers...), "")
	require.NoError(s, err)
	s.keep(number, batch, unit, pieces, input, got, lost)
	s.sift(unit, pieces, input, got, lost)
}

// keep remembers what a round said about each of its shards.
func (s *simulation) keep(number int, batch string, unit []*modelShard, pieces []int64, input string, got joined, lost bool) {
	segments, err := jsonl.Segments(s.Context(), strings.NewReader(got.results), strings.NewReader(got.failures), pieces...)
	require.NoError(s, err)
	for i, shard := range unit {
		r := jsonl.Round{Number: number, BatchID: batch, Rows: pieces[i]}
		if lost {
			r.Absent = jsonl.Absent{Class: jsonl.ClassMissing}
			if number > 1 || rapid.Bool().Draw(s.T, "rows given") {
				all := strings.SplitAfter(input, "\n")
				r.Carried = strings.NewReader(strings.Join(all[:pieces[i]], ""))
				input = strings.Join(all[pieces[i]:], "")
			}
		} else {
			r.Results = strings.NewReader(part(got.results, segments[i].Results))
			r.Failures = reader(part(got.failures, segments[i].Failures))
		}
		shard.rounds = append(shard.rounds, r)
	}
}

// sift finds the leftovers and compares them with the model's.
func (s *simulation) sift(unit []*modelShard, pieces []int64, input string, got joined, lost bool) {
	var out bytes.Buffer
	l := jsonl.Leftovers{
		Input: strings.NewReader(input), Failures: strings.NewReader(got.failures), RetryCancelled: !s.asked, Pieces: pieces, Output: &out,
	}
	if lost {
		l.Failures, l.Absent = nil, jsonl.Absent{Class: jsonl.ClassMissing}
	}
	if len(unit[0].rounds) == 1 && rapid.Bool().Draw(s.T, "walk the shard") {
		l.Input, l.FirstLine, l.Skip = strings.NewReader(unit[0].raw), unit[0].first, strings.NewReader(s.invalid)
	}
	tally, err := l.Run(s.Context())
	require.NoError(s, err)
	require.Equal(s, tally.Rows, tally.Answered+tally.Failed.Total()+tally.Retry.Total())
	for i, shard := range unit {
		shard.left = part(out.String(), tally.Pieces[i].Span)
		var want strings.Builder
		for _, e := range shard.entries {
			if e.open {
				want.WriteString(e.text + "\n")
			}
		}
		require.Equal(s, want.String(), shard.left)
		require.EqualValues(s, strings.Count(shard.left, "\n"), tally.Pieces[i].Rows)
	}
}

// first plays round 1: a unit is a shard.
func (s *simulation) first() {
	for _, shard := range s.shards {
		if shard.sent = rapid.IntRange(0, 5).Draw(s.T, "sent") > 0; !shard.sent {
			continue
		}
		for _, e := range shard.entries {
			e.open = e.id != ""
		}
		s.run(1, []*modelShard{shard}, s.input(shard))
	}
}

// further plays a later round: the leftovers of several shards share a unit.
func (s *simulation) further(number int) {
	var unit []*modelShard
	input := ""
	for i, shard := range s.shards {
		if shard.left != "" {
			unit, input = append(unit, shard), input+shard.left
			shard.left = ""
		}
		if len(unit) > 0 && (i == len(s.shards)-1 || rapid.Bool().Draw(s.T, "full")) {
			s.run(number, unit, input)
			unit, input = nil, ""
		}
	}
}
