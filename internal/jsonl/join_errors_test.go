package jsonl_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/jsonl"
)

func TestJoinRefusesABadInput(t *testing.T) {
	tests := map[string]struct{ input, want string }{
		"not JSON":                {rows("a") + "{\n", "input line 2: not valid JSON"},
		"no id":                   {rows("a") + "\n{}\n", "input line 3: custom_id is missing"},
		"an id used twice":        {rows("a", "b", "a"), `input line 3: custom_id "a" stands in a line before`},
		"an absent id used twice": {rows("z", "z"), `input line 2: custom_id "z"`},
		"too long":                {rows(strings.Repeat("x", 600)), "input line 1: longer than 512 bytes"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := tryJoin(t.Context(), jsonl.Join{Absent: jsonl.ClassMissing, MaxLine: 512}, tt.input, lines(success("a")), "")
			require.ErrorContains(t, err, tt.want)
		})
	}
}

func TestJoinReportsWhatBreaks(t *testing.T) {
	broken := errors.New("it broke")
	base := func() jsonl.Join {
		return jsonl.Join{
			Input: strings.NewReader(rows("a")), Answers: []jsonl.Source{source("output", success("a"))}, Absent: jsonl.ClassMissing,
		}
	}
	tests := map[string]struct {
		change func(j *jsonl.Join)
		want   string
	}{
		"the input":    {func(j *jsonl.Join) { j.Input = iotest.ErrReader(broken) }, "it broke"},
		"the results":  {func(j *jsonl.Join) { j.Results = brokenWriter{broken} }, "it broke"},
		"the answers":  {func(j *jsonl.Join) { j.Answers[0].R = brokenReaderAt{broken} }, "output: "},
		"a short file": {func(j *jsonl.Join) { j.Answers[0].Size += 10 }, "unexpected EOF"},
		"a file that changes": {func(j *jsonl.Join) {
			j.Answers[0].R = &changing{strings.NewReader(success("a")), strings.NewReader(success("b")), 0}
		}, "changed"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			j := base()
			tt.change(&j)
			_, err := j.Run(t.Context())
			require.ErrorContains(t, err, tt.want)
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := base().Run(ctx)
	require.ErrorIs(t, err, context.Canceled)
}

type brokenWriter struct{ err error }

func (b brokenWriter) Write([]byte) (int, error) { return 0, b.err }

type brokenReaderAt struct{ err error }

func (b brokenReaderAt) ReadAt([]byte, int64) (int, error) { return 0, b.err }

// changing gives other bytes once it has been read through.
type changing struct {
	first, then *strings.Reader
	reads       int
}

func (c *changing) ReadAt(p []byte, off int64) (int, error) {
	if c.reads++; c.reads > 1 && off == 0 {
		return c.then.ReadAt(p, off)
	}
	return c.first.ReadAt(p, off)
}
