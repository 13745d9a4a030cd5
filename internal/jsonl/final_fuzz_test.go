package jsonl_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/jsonl"
)

// Whatever the files hold, final files come out whole or not at all: each row
// stands in exactly one, and every line is an object with a custom_id.
func FuzzFinal(f *testing.F) {
	missing := func(id string) string { return failedLine(id, jsonl.ClassMissing, 1, "null", "null") }
	for _, seed := range [][5]string{
		{rows("a", "b", "c"), invalidLine(2), success("a"), missing("c"), success("c")},
		{rows("a", "b"), "", lines(success("a"), success("b")), "", ""},
		{rows("a"), "", "", failedLine("a", jsonl.ClassRowError, 1, status(429, `{"error":"x"}`), `[]`), "{}"},
		{rows("a") + "{\n" + rows("b"), lines(invalidLine(2)), `{"batchkeeper":1,"custom_id":"\u0061"}`, missing("b"), missing("b")},
		{"\xef\xbb\xbf" + rows("a"), "[", "\xff", "null", `{"custom_id":"\ud83d"}`},
	} {
		f.Add([]byte(seed[0]), []byte(seed[1]), []byte(seed[2]), []byte(seed[3]), []byte(seed[4]))
	}
	f.Fuzz(func(t *testing.T, input, invalid, results, failures, later []byte) {
		fresh := func() jsonl.Final {
			return jsonl.Final{
				Input: bytes.NewReader(input), Skip: bytes.NewReader(invalid), MaxLine: 4 << 10,
				Rounds: []jsonl.Round{
					round(1, filledLines(results)+filledLines(failures), string(results), string(failures)),
					round(2, filledLines(later), string(later), ""),
				},
			}
		}
		run := func(f jsonl.Final) (jsonl.FinalTally, error) { return f.Run(t.Context()) }
		got, err := tryFinal(t, fresh(), run)
		again, _ := tryFinal(t, fresh(), run)
		require.Equal(t, got, again, "the same input gives the same bytes")
		if err != nil {
			return
		}
		require.Equal(t, filledLines(input), got.tally.Rows)
		require.Equal(t, got.tally.Rows, got.tally.Answered+got.tally.Failed.Total()+got.tally.Invalid)
		require.EqualValues(t, strings.Count(got.results, "\n"), got.tally.Answered)
		require.EqualValues(t, strings.Count(got.failures, "\n"), got.tally.Failed.Total()+got.tally.Invalid)
		for line := range strings.Lines(got.results) {
			var members map[string]json.RawMessage
			require.NoError(t, json.Unmarshal([]byte(line), &members), line)
			require.Contains(t, members, "custom_id")
			require.Contains(t, string(members["batchkeeper"]), `{"round":`)
		}
		for line := range strings.Lines(got.failures) {
			require.True(t, json.Valid([]byte(line)), line)
		}
	})
}

// filledLines counts the lines that hold more than white space.
func filledLines(content []byte) (n int64) {
	for i, line := range bytes.Split(content, []byte("\n")) {
		if i == 0 {
			line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
		}
		if len(bytes.Trim(line, " \t\r")) > 0 {
			n++
		}
	}
	return n
}
