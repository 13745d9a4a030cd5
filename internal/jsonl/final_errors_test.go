package jsonl_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/jsonl"
)

// Files that do not fit the rows are an error: a row that was lost must not pass
// for one that failed.
func TestFinalRefusesFilesThatDoNotFit(t *testing.T) {
	missing := func(id string) string { return failedLine(id, jsonl.ClassMissing, 1, "null", "null") }
	absent := jsonl.Absent{Class: jsonl.ClassMissing}
	tests := map[string]struct {
		rounds []jsonl.Round
		want   string
	}{
		"a row without a line": {[]jsonl.Round{round(1, 2, success("a"), "")}, `input line 2: custom_id "b" is not the next one in round 1`},
		"out of order":         {[]jsonl.Round{round(1, 2, lines(success("b"), success("a")), "")}, `input line 1: custom_id "a" is not the next one`},
		"a line without a row": {
			[]jsonl.Round{round(1, 2, lines(success("a"), success("b"), success("z")), "")}, `round 1 results line 3: custom_id "z" is not that of a row`,
		},
		"answered and failed": {[]jsonl.Round{round(1, 2, lines(success("a"), success("b")), missing("b"))}, "input line 2: round 1: a row is answered and"},
		"answered twice": {
			[]jsonl.Round{round(1, 2, lines(success("a"), success("b")), ""), round(2, 1, success("a"), "")}, `round 2 results line 1: custom_id "a"`,
		},
		"carried without a failure": {
			[]jsonl.Round{round(1, 2, success("a"), missing("b")), round(2, 0, "", ""), round(3, 1, success("b"), "")}, `round 3 results line 1: custom_id "b"`,
		},
		"a lost line": {
			[]jsonl.Round{round(1, 2, "", lines(missing("a"), missing("b"))), round(2, 2, success("b"), "")}, "round 2: there are lines about 1 of 2 rows",
		},
		"a lost row": {
			[]jsonl.Round{round(1, 2, success("a"), missing("b")), {Number: 2, Rows: 1, Absent: absent, Carried: strings.NewReader("")}},
			"round 2: there are lines about 0 of 1 rows",
		},
		"a carried row that was answered": {
			[]jsonl.Round{round(1, 2, success("a"), missing("b")), {Number: 2, Rows: 2, Absent: absent, Carried: strings.NewReader(rows("a", "b"))}},
			`round 2 rows line 1: custom_id "a"`,
		},
		"no JSON":            {[]jsonl.Round{round(1, 2, "{", "")}, "input line 1: round 1 results line 1: not valid JSON"},
		"no id":              {[]jsonl.Round{round(1, 2, "{}", "")}, "round 1 results line 1: custom_id is missing"},
		"not UTF-8":          {[]jsonl.Round{round(1, 2, "{\"custom_id\":\"\xff\"}", "")}, "round 1 results line 1: not valid UTF-8"},
		"a long line":        {[]jsonl.Round{round(1, 2, success(strings.Repeat("x", 20_000)), "")}, "round 1 results line 1: too long"},
		"an unknown class":   {[]jsonl.Round{round(1, 2, "", failedLine("a", "odd", 1, "null", "null"))}, "round 1 failures line 1: class is not"},
		"files of nothing":   {[]jsonl.Round{{Number: 1, Results: strings.NewReader(""), Absent: absent}}, "round 1: there are files of a batch"},
		"nothing of a class": {[]jsonl.Round{{Number: 1, Absent: jsonl.Absent{Class: "odd"}}}, `round 1: "odd" is no class`},
		"no rounds":          {nil, `final files: "" is no class for a row without an answer`},
		"no batch id":        {[]jsonl.Round{{Number: 1, BatchID: "\xff"}}, "round 1: batch id: "},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := jsonl.Final{Input: strings.NewReader(rows("a", "b")), MaxLine: 1024, Rounds: tt.rounds}.Run(t.Context())
			require.ErrorContains(t, err, tt.want)
		})
	}
}

func TestFinalRefusesABadInput(t *testing.T) {
	tests := map[string]struct{ input, skip, want string }{
		"a row that was not set aside":   {"{", "", "input line 5: not valid JSON"},
		"an id used twice":               {rows("a", "a"), "", `input line 6: custom_id "a" is not the next one`},
		"a blank line set aside":         {"\n" + rows("a"), invalidLine(5), "invalid lines line 1: there is no row in line 5"},
		"invalid lines out of order":     {rows("a") + "{\n{", lines(invalidLine(7), invalidLine(6)), "input line 6: not valid JSON"},
		"the same line twice":            {"{\n" + rows("a"), lines(invalidLine(5), invalidLine(5)), "invalid lines line 2: there is no row in line 5"},
		"an invalid line without number": {rows("a"), "{}", "invalid lines line 1: line is not a line number"},
		"an invalid line without end":    {rows("a"), `{"line":5`, "invalid lines line 1: not valid JSON"},
		"a long row":                     {rows(strings.Repeat("x", 600)), "", "input line 5: longer than 512 bytes"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := jsonl.Final{
				Input: strings.NewReader(tt.input), FirstLine: 5, Skip: reader(tt.skip), MaxLine: 512,
				Rounds: []jsonl.Round{round(1, 1, success("a"), "")},
			}.Run(t.Context())
			require.ErrorContains(t, err, tt.want)
		})
	}
}

func TestLeftoversRefusesFailuresThatDoNotFit(t *testing.T) {
	missing := func(id string) string { return failedLine(id, jsonl.ClassMissing, 1, "null", "null") }
	tests := map[string]struct{ input, failures, want string }{
		"another row":  {rows("a", "b"), lines(missing("a"), missing("z")), `leftovers: failures line 2: custom_id "z" is not that of a row`},
		"out of order": {rows("a", "b"), lines(missing("b"), missing("a")), `leftovers: failures line 2: custom_id "a" is not that of a row`},
		"twice":        {rows("a", "b"), lines(missing("a"), missing("a")), `leftovers: failures line 2: custom_id "a" is not that of a row`},
		"no JSON":      {rows("a"), "[", "leftovers: failures line 1: not a JSON object"},
		"a bad row":    {"{", missing("a"), "leftovers: input line 1: not valid JSON"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := jsonl.Leftovers{Input: strings.NewReader(tt.input), Failures: strings.NewReader(tt.failures)}.Run(t.Context())
			require.ErrorContains(t, err, tt.want)
		})
	}
}

var errBroken = errors.New("it broke")

// halfway gives its text, then breaks.
func halfway(text string) io.Reader {
	return io.MultiReader(strings.NewReader(text), iotest.ErrReader(errBroken))
}

func TestWalksReportWhatBreaks(t *testing.T) {
	missing := lines(failedLine("b", jsonl.ClassMissing, 2, "null", "null"))
	finish := func(change func(f *jsonl.Final)) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			f := jsonl.Final{Input: strings.NewReader(rows("a", "b")), Rounds: []jsonl.Round{round(1, 2, lines(success("a")), missing)}}
			change(&f)
			_, err := f.Run(ctx)
			return err
		}
	}
	sift := func(change func(l *jsonl.Leftovers)) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			l := jsonl.Leftovers{Input: strings.NewReader(rows("a", "b")), Failures: strings.NewReader(missing)}
			change(&l)
			_, err := l.Run(ctx)
			return err
		}
	}
	clean := func(in io.Reader, out io.Writer) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			_, err := jsonl.Clean{Input: in, Output: out}.Run(ctx)
			return err
		}
	}
	for name, run := range map[string]func(ctx context.Context) error{
		"final input":        finish(func(f *jsonl.Final) { f.Input = halfway(rows("a", "b")) }),
		"final invalid":      finish(func(f *jsonl.Final) { f.Skip = halfway("") }),
		"final results":      finish(func(f *jsonl.Final) { f.Rounds[0].Results = halfway(lines(success("a"))) }),
		"final failures":     finish(func(f *jsonl.Final) { f.Rounds[0].Failures = halfway(missing) }),
		"final answers out":  finish(func(f *jsonl.Final) { f.Results = brokenWriter{errBroken} }),
		"final failures out": finish(func(f *jsonl.Final) { f.Failures = brokenWriter{errBroken} }),
		"leftovers input":    sift(func(l *jsonl.Leftovers) { l.Input = halfway(rows("a", "b")) }),
		"leftovers failures": sift(func(l *jsonl.Leftovers) { l.Failures = halfway(missing) }),
		"leftovers out":      sift(func(l *jsonl.Leftovers) { l.Output = brokenWriter{errBroken} }),
		"clean input":        clean(halfway(rows("a")), nil),
		"clean out":          clean(strings.NewReader(rows("a")), brokenWriter{errBroken}),
	} {
		t.Run(name, func(t *testing.T) { require.ErrorIs(t, run(t.Context()), errBroken) })
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, run := range []func(ctx context.Context) error{
		finish(func(*jsonl.Final) {}), sift(func(*jsonl.Leftovers) {}), clean(strings.NewReader(rows("a")), nil),
	} {
		require.ErrorIs(t, run(ctx), context.Canceled)
	}
}
