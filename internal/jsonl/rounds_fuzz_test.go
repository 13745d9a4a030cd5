package jsonl_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/jsonl"
)

// Whatever stands in the failures, the leftovers are rows of the input, byte for
// byte and in order, each at most once, and every row is counted in one place.
func FuzzLeftovers(f *testing.F) {
	gone := func(id string, line int) string { return failedLine(id, jsonl.ClassMissing, line, "null", "null") }
	for _, seed := range [][3]string{
		{rows("a", "b", "c"), lines(gone("a", 1), gone("c", 3)), ""},
		{rows("a", "b"), lines(gone("b", 2), gone("a", 1)), lines(invalidLine(2))},
		{rows("a"), failedLine("a", jsonl.ClassRowError, 1, status(429, `{"error":{"code":"\u0000\ud83d"}}`), `[]`), ""},
		{rows("a", "a"), lines(gone("a", -1), gone("a", 1)), "{}"},
		{"\xef\xbb\xbf" + rows("a") + "\n\r\n{", "\xff\nnull", `{"line":1e400}`},
		{rows("a"), `{"custom_id":"a","class":"missing","line":1.5}`, `{"line":9223372036854775807}`}, {"", "", ""},
	} {
		f.Add([]byte(seed[0]), []byte(seed[1]), []byte(seed[2]), int64(1), int64(1))
	}
	f.Fuzz(func(t *testing.T, input, failures, skip []byte, first, second int64) {
		var out bytes.Buffer
		l := jsonl.Leftovers{
			Input: bytes.NewReader(input), Failures: bytes.NewReader(failures), Skip: bytes.NewReader(skip), Output: &out,
			MaxLine: 4 << 10, Pieces: []int64{first, second},
		}
		tally, err := l.Run(t.Context())
		if err != nil {
			require.Zero(t, tally)
			return
		}
		require.Equal(t, tally.Rows, tally.Answered+tally.Failed.Total()+tally.Retry.Total())
		require.EqualValues(t, tally.Retry.Total(), bytes.Count(out.Bytes(), []byte("\n")))
		rest := bytes.TrimPrefix(input, []byte("\xef\xbb\xbf"))
		for line := range bytes.Lines(out.Bytes()) {
			_, after, found := bytes.Cut(rest, bytes.TrimSuffix(line, []byte("\n")))
			require.True(t, found, "a leftover is no row of the input, or stands twice")
			rest = after
		}
		end, left := int64(0), int64(0)
		for _, p := range tally.Pieces {
			require.Equal(t, end, p.Offset)
			end, left = p.Offset+p.Length, left+p.Rows
			require.True(t, p.InputTokens >= 0 && p.MaxOutputTokens >= 0)
		}
		require.EqualValues(t, out.Len(), end)
		require.Equal(t, tally.Retry.Total(), left)
		requireCauses(t, tally.Causes, tally.Failed.Total())
		requireCauses(t, tally.RetryCauses, tally.Retry.Total())
	})
}

// requireCauses demands a few printable words for each row.
func requireCauses(t *testing.T, causes map[string]int64, rows int64) {
	t.Helper()
	require.LessOrEqual(t, len(causes), 33)
	for cause, n := range causes {
		require.LessOrEqual(t, len(cause), 100)
		require.NotContains(t, cause, "\n")
		rows -= n
	}
	require.Zero(t, rows)
}

// The pages of a file are the file, whatever it holds and however long they are.
func FuzzPages(f *testing.F) {
	for _, seed := range []string{"", "\n", "{1}\n{2}\n\n{3}\r\n{4}\n{5}\n\n", "\xef\xbb\xbf{}", strings.Repeat("x", 9000), "\r\r\n \n"} {
		f.Add([]byte(seed), int64(2))
	}
	f.Fuzz(func(t *testing.T, content []byte, n int64) {
		pages, err := jsonl.Pages(t.Context(), bytes.NewReader(content), n)
		require.Equal(t, n < 1, err != nil)
		end, rows := int64(0), int64(0)
		for i, p := range pages {
			require.Equal(t, end, p.Offset)
			require.Positive(t, p.Length)
			require.True(t, p.Rows == n || p.Rows > 0 && p.Rows < n && i == len(pages)-1)
			require.Equal(t, p.Rows, filledLines(content[p.Offset:p.Offset+p.Length]))
			end, rows = end+p.Length, rows+p.Rows
		}
		if err == nil {
			require.Equal(t, filledLines(content), rows)
			require.True(t, end == int64(len(content)) || rows == 0)
		}
	})
}

// The segments of a batch's two files are in order and leave no line out.
func FuzzSegments(f *testing.F) {
	gone := func(id string, line int) string { return failedLine(id, jsonl.ClassMissing, line, "null", "null") }
	f.Add([]byte(lines(success("a"), success("c"))), []byte(lines(gone("b", 2))), int64(2), int64(1))
	f.Add([]byte(""), []byte(lines(gone("b", 2), gone("a", 1))), int64(2), int64(0))
	f.Add([]byte("\n\xff\n{}"), []byte(lines(gone("b", 9))), int64(1<<62), int64(1<<62))
	f.Add([]byte("{}"), []byte(`{"custom_id":"a","class":"missing","line":9223372036854775807}`), int64(-1), int64(1))
	f.Fuzz(func(t *testing.T, results, failures []byte, first, second int64) {
		segments, err := jsonl.Segments(t.Context(), bytes.NewReader(results), bytes.NewReader(failures), first, second)
		if err != nil {
			require.Nil(t, segments)
			return
		}
		require.Len(t, segments, 2)
		a, b := segments[0], segments[1]
		require.Equal(t, []int64{first, second}, []int64{a.Results.Rows + a.Failures.Rows, b.Results.Rows + b.Failures.Rows})
		require.Equal(t, filledLines(results), a.Results.Rows+b.Results.Rows)
		require.Equal(t, filledLines(failures), a.Failures.Rows+b.Failures.Rows)
		require.Equal(t, a.Results.Offset+a.Results.Length, b.Results.Offset)
		require.Equal(t, a.Failures.Offset+a.Failures.Length, b.Failures.Offset)
	})
}

// A file that ends within a line is known, and only such a one.
func FuzzTail(f *testing.F) {
	for _, seed := range []string{"", "{}\n", `{"custom_id":"a`, "{}\n{}", "\xff", "{}\n[1,", "{}{}", "null", `{"a":1,"a":2}`, " \n ", "\xef\xbb\xbf{}", "\f"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		err := jsonl.CheckTail(bytes.NewReader(content), int64(len(content)))
		last := content[bytes.LastIndexByte(content, '\n')+1:]
		var object map[string]json.RawMessage
		switch {
		case len(bytes.Trim(last, " \t\r")) == 0:
			require.NoError(t, err)
		case err != nil:
			require.ErrorIs(t, err, jsonl.ErrCutTail)
			require.NoError(t, jsonl.CheckTail(bytes.NewReader(append(content, '\n')), int64(len(content))+1))
		default:
			require.NoError(t, json.Unmarshal(last, &object), "a cut line was taken for whole")
		}
	})
}

// A row set aside is not sent and every other is, as it is.
func FuzzClean(f *testing.F) {
	f.Add([]byte(rows("a", "b", "c")), []byte(lines(invalidLine(2))), int64(1))
	f.Add([]byte("\xef\xbb\xbf{}\n\n\r\n{"), []byte(lines(invalidLine(3), invalidLine(1))), int64(0))
	f.Add([]byte("{}"), []byte(`{"line":1e400}`), int64(-9))
	f.Fuzz(func(t *testing.T, input, skip []byte, first int64) {
		var out bytes.Buffer
		done, err := jsonl.Clean{Input: bytes.NewReader(input), Skip: bytes.NewReader(skip), FirstLine: first, MaxLine: 4 << 10, Output: &out}.Run(t.Context())
		if err != nil {
			require.Zero(t, done)
			return
		}
		require.Equal(t, filledLines(input), done.Rows+done.Skipped)
		require.EqualValues(t, out.Len(), done.Bytes)
		require.EqualValues(t, bytes.Count(out.Bytes(), []byte("\n")), done.Rows)
		if len(skip) == 0 {
			require.Zero(t, done.Skipped)
		}
	})
}

// An endpoint that is normalized is a path of the API and stays as it is.
func FuzzEndpoint(f *testing.F) {
	for _, seed := range []string{
		"/v1/responses", "", "/", "https://evil.example/v1/responses?x#y", "RESPONSES/", "://", "v1", "//v1//x", "../../x", "\x00", "http://a",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, endpoint string) {
		got := jsonl.NormalizeEndpoint(endpoint)
		require.True(t, got == "" || got == "/v1" || strings.HasPrefix(got, "/v1/"), got)
		require.NotContains(t, got, "?")
		require.NotContains(t, got, "#")
	})
}
