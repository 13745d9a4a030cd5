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

func TestSegments(t *testing.T) {
	results := lines(success("a"), success("c"), success("f"))
	failures := lines(
		failedLine("b", jsonl.ClassMissing, 2, "null", "null"),
		failedLine("d", jsonl.ClassMissing, 4, "null", "null"), failedLine("e", jsonl.ClassMissing, 5, "null", "null"),
	)
	segments, err := jsonl.Segments(t.Context(), strings.NewReader(results), strings.NewReader(failures), 2, 0, 1, 3)
	require.NoError(t, err)
	want := [][2]string{
		{lines(success("a")), lines(failedLine("b", jsonl.ClassMissing, 2, "null", "null"))}, {},
		{lines(success("c")), ""},
		{lines(success("f")), failures[len(failures)/3:]},
	}
	require.Len(t, segments, len(want))
	for i, s := range segments {
		require.Equal(t, want[i][0], part(results, s.Results))
		require.Equal(t, want[i][1], part(failures, s.Failures))
		require.EqualValues(t, strings.Count(want[i][0], "\n"), s.Results.Rows)
		require.EqualValues(t, strings.Count(want[i][1], "\n"), s.Failures.Rows)
	}
	segments, err = jsonl.Segments(t.Context(), nil, strings.NewReader(lines(failedLine("a", jsonl.ClassMissing, 1, "null", "null"))), 1, 0)
	require.NoError(t, err)
	require.EqualValues(t, 1, segments[0].Failures.Rows)
	require.Zero(t, segments[1].Failures.Rows)
}

func part(content string, s jsonl.Span) string { return content[s.Offset : s.Offset+s.Length] }

func TestSegmentsThatDoNotFit(t *testing.T) {
	failed := func(line int) string { return failedLine("x", jsonl.ClassMissing, line, "null", "null") }
	broken := iotest.ErrReader(errors.New("it broke"))
	tests := map[string]struct {
		results, failures io.Reader
		pieces            []int64
		want              string
	}{
		"no results":        {nil, nil, []int64{1}, "piece 1: no results for 1 rows"},
		"few results":       {strings.NewReader(success("a")), nil, []int64{1, 2}, "piece 2: the results have 0 lines for 2 rows"},
		"many results":      {strings.NewReader(lines(success("a"), success("b"))), nil, []int64{1}, "results line 2 is about no row"},
		"many failures":     {nil, strings.NewReader(failed(3)), nil, "failures line 1: line 3 is behind the last of 0 rows"},
		"out of order":      {nil, strings.NewReader(lines(failed(2), failed(2))), []int64{2}, "failures line 2: line 2 is out of order"},
		"no failure":        {nil, strings.NewReader("{}"), []int64{1}, "failures line 1: custom_id is missing"},
		"a class":           {nil, strings.NewReader(failedLine("a", "odd", 1, "null", "null")), []int64{1}, "failures line 1: class is not"},
		"a line":            {nil, strings.NewReader(failed(0)), []int64{1}, "failures line 1: line is not a line number"},
		"a negative piece":  {nil, nil, []int64{-1}, "a piece of -1 rows"},
		"broken results":    {broken, nil, []int64{1}, "it broke"},
		"broken at the end": {broken, nil, nil, "it broke"},
		"broken failures":   {nil, iotest.ErrReader(errors.New("it broke")), nil, "it broke"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := jsonl.Segments(t.Context(), tt.results, tt.failures, tt.pieces...)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

func TestPages(t *testing.T) {
	const content = "\n{1}\n{2}\n\n{3}\r\n{4}\n{5}\n\n"
	pages, err := jsonl.Pages(t.Context(), strings.NewReader(content), 2)
	require.NoError(t, err)
	var got []string
	at := int64(0)
	for _, p := range pages {
		require.Equal(t, at, p.Offset)
		at += p.Length
		got = append(got, part(content, p))
	}
	require.Equal(t, []string{"\n{1}\n{2}\n", "\n{3}\r\n{4}\n", "{5}\n\n"}, got)
	require.EqualValues(t, 1, pages[2].Rows)

	for _, n := range []int64{5, 6} {
		pages, err = jsonl.Pages(t.Context(), strings.NewReader(content), n)
		require.NoError(t, err)
		require.Equal(t, []jsonl.Span{{Length: int64(len(content)), Rows: 5}}, pages)
	}
	pages, err = jsonl.Pages(t.Context(), strings.NewReader("\n"), 1)
	require.NoError(t, err)
	require.Empty(t, pages)
	pages, err = jsonl.Pages(t.Context(), nil, 1)
	require.NoError(t, err)
	require.Empty(t, pages)

	_, err = jsonl.Pages(t.Context(), strings.NewReader(content), 0)
	require.ErrorContains(t, err, "a page of 0 rows")
	_, err = jsonl.Pages(t.Context(), iotest.ErrReader(errors.New("it broke")), 1)
	require.ErrorContains(t, err, "it broke")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = jsonl.Pages(ctx, strings.NewReader(content), 1)
	require.ErrorIs(t, err, context.Canceled)
}
