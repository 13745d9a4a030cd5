package jsonl_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/jsonl"
)

type finished struct {
	tally             jsonl.FinalTally
	results, failures string
}

func tryFinal(t interface{ Helper() }, f jsonl.Final, run func(jsonl.Final) (jsonl.FinalTally, error)) (finished, error) {
	t.Helper()
	var results, failures bytes.Buffer
	f.Results, f.Failures = &results, &failures
	tally, err := run(f)
	return finished{tally, results.String(), failures.String()}, err
}

func final(t *testing.T, f jsonl.Final) finished {
	t.Helper()
	got, err := tryFinal(t, f, func(f jsonl.Final) (jsonl.FinalTally, error) { return f.Run(t.Context()) })
	require.NoError(t, err)
	return got
}

// reader is nil for no text.
func reader(text string) io.Reader {
	if text == "" {
		return nil
	}
	return strings.NewReader(text)
}

func round(n int, rows int64, results, failures string) jsonl.Round {
	return jsonl.Round{Number: n, BatchID: fmt.Sprint("batch_", n), Rows: rows, Results: reader(results), Failures: reader(failures)}
}

// marked is a line with the member that Final adds.
func marked(line string, n int) string {
	return fmt.Sprintf(`%s,"batchkeeper":{"round":%d,"batch_id":"batch_%d"}}`, strings.TrimSuffix(line, "}"), n, n)
}

// a is answered at once, b in the second round, c never, d fails for good, e is
// invalid.
func TestFinal(t *testing.T) {
	busy := func(id string, line int) string {
		return failedLine(id, jsonl.ClassRowError, line, status(429, `{}`), "null")
	}
	refused := func(id string, line int) string {
		return failedLine(id, jsonl.ClassRowError, line, status(400, `{"error":{"code":"bad"}}`), "null")
	}
	input := good("a") + "\r\n\n" + good("b") + "\n" + good("c") + "\n" + good("d") + "\n{"
	var told []int64
	got := final(t, jsonl.Final{
		Input: strings.NewReader(input), FirstLine: 100, Skip: strings.NewReader(lines(invalidLine(105), invalidLine(106))),
		Rounds: []jsonl.Round{
			round(1, 4, lines(success("a")), lines(busy("b", 2), busy("c", 3), refused("d", 4))),
			round(2, 2, lines(success("b")), lines(failedLine("c", jsonl.ClassMissing, 2, "null", "null"))),
			round(3, 1, "", lines(busy("c", 1))),
		},
		Progress: func(rows int64) { told = append(told, rows) },
	})
	require.Equal(t, lines(marked(success("a"), 1), marked(success("b"), 2)), got.results)
	require.Equal(t, lines(marked(busy("c", 103), 3), marked(refused("d", 104), 1), invalidLine(105)), got.failures)
	require.Equal(t, jsonl.FinalTally{
		Rows: 5, Answered: 2, Invalid: 1, Failed: jsonl.Classes{RowError: 2},
		Rounds: []jsonl.RoundTally{{Round: 1, Answered: 1, Failed: 1}, {Round: 2, Answered: 1}, {Round: 3, Failed: 1}},
		Causes: map[string]int64{"http_429": 1, "http_400 bad": 1},
		Usage:  jsonl.Usage{InputTokens: 6, OutputTokens: 8, TotalTokens: 14},
	}, got.tally)
	require.Equal(t, []int64{5}, told)
}

func TestFinalOfRowsThatWereNotSent(t *testing.T) {
	got := final(t, jsonl.Final{
		Input: strings.NewReader(rows("a", "b")), FirstLine: 8, Skip: strings.NewReader(invalidLine(9)),
		Absent: jsonl.Absent{Class: jsonl.ClassCancelled, Cause: "not sent: cancelled"},
	})
	require.Empty(t, got.results)
	require.Equal(t, lines(
		`{"custom_id":"a","class":"cancelled","line":8,"response":null,"error":{"message":"not sent: cancelled"}}`, invalidLine(9),
	), got.failures)
	require.Equal(t, jsonl.FinalTally{
		Rows: 2, Invalid: 1, Failed: jsonl.Classes{Cancelled: 1}, Unsent: 1, Causes: map[string]int64{"not sent: cancelled": 1},
	}, got.tally)
}

// A batch that gave nothing decides about the rows it carried.
func TestFinalOfABatchThatGaveNothing(t *testing.T) {
	expired := failedLine("b", jsonl.ClassExpired, 2, "null", `{"code":"batch_expired"}`)
	got := final(t, jsonl.Final{
		Input: strings.NewReader(rows("a", "b", "c")),
		Rounds: []jsonl.Round{
			{Number: 1, BatchID: "batch_1", Rows: 3, Absent: jsonl.Absent{Class: jsonl.ClassMissing}},
			round(2, 3, lines(success("a"), success("c")), lines(expired)),
			{Number: 3, Rows: 1, Absent: jsonl.Absent{Class: jsonl.ClassCancelled, Cause: "no \"time\""}, Carried: strings.NewReader(rows("b"))},
		},
	})
	require.Equal(t, lines(marked(success("a"), 2), marked(success("c"), 2)), got.results)
	require.Equal(t, lines(`{"custom_id":"b","class":"cancelled","line":2,"response":null,"error":{"message":"no \"time\""},`+
		`"batchkeeper":{"round":3,"batch_id":""}}`), got.failures)

	got = final(t, jsonl.Final{
		Input:  strings.NewReader(rows("a")),
		Rounds: []jsonl.Round{{Number: 1, BatchID: "batch_1", Rows: 1, Absent: jsonl.Absent{Class: jsonl.ClassMissing}}},
	})
	require.Equal(t, lines(marked(failedLine("a", jsonl.ClassMissing, 1, "null", "null"), 1)), got.failures)
}

// Ids are compared by what they say, and the provider's line stays as it is.
func TestFinalMarksLines(t *testing.T) {
	const mark = `,"batchkeeper":{"round":1,"batch_id":"b\"1"}`
	tests := map[string]struct{ line, want string }{
		"as sent":         {`{ "custom_id" : "é\n" , "n" : 1.0 } `, `{ "custom_id" : "é\n" , "n" : 1.0 ` + mark + `} `},
		"escapes":         {`{"custom_id":"\u00e9\u000a"}`, `{"custom_id":"\u00e9\u000a"` + mark + `}`},
		"braces":          {`{"custom_id":"é\n","x":{"y":"}"}}`, `{"custom_id":"é\n","x":{"y":"}"}` + mark + `}`},
		"names inside":    {`{"custom_id":"é\n","x":{"batchkeeper":1}}`, `{"custom_id":"é\n","x":{"batchkeeper":1}` + mark + `}`},
		"its own, first":  {`{"batchkeeper":1, "custom_id":"é\n","x":2}`, `{"custom_id":"é\n","x":2` + mark + `}`},
		"its own, middle": {`{"custom_id":"é\n" ,"batchkeeper":[], "x":2 }`, `{"custom_id":"é\n","x":2` + mark + `}`},
		"its own, last":   {`{"custom_id":"é\n","\u0062atchkeeper":{}}`, `{"custom_id":"é\n"` + mark + `}`},
		"its own, twice":  {`{"batchkeeper":1,"batchkeeper":2,"custom_id":"é\n"}`, `{"custom_id":"é\n"` + mark + `}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := final(t, jsonl.Final{
				Input:  strings.NewReader(rows("é\n")),
				Rounds: []jsonl.Round{{Number: 1, BatchID: `b"1`, Rows: 1, Results: strings.NewReader(tt.line)}},
			})
			require.Equal(t, tt.want+"\n", got.results)
			require.True(t, json.Valid([]byte(got.results)))
		})
	}
}

// Nothing of a line stays for the next one.
func TestFinalReadsEveryLineAfresh(t *testing.T) {
	first, second := `{"batchkeeper":1,"custom_id":"a"}`, `{"custom_id":"b" }`
	refused := failedLine("c", jsonl.ClassRowError, 3, status(400, `{"error":{"code":"inner"}}`), `{"code":"outer","type":"kind"}`)
	got := final(t, jsonl.Final{
		Input: strings.NewReader(rows("a", "b", "c", "d")),
		Rounds: []jsonl.Round{
			round(1, 4, lines(first, second), lines(refused, failedLine("d", jsonl.ClassRowError, 4, "null", "null"))),
		},
	})
	require.Equal(t, lines(marked(`{"custom_id":"a"}`, 1), marked(`{"custom_id":"b" }`, 1)), got.results)
	require.Equal(t, map[string]int64{"http_400 outer": 1, "row_error": 1}, got.tally.Causes)
}

// A failure is a provider's line of any allowed length and what Join put around it.
func TestFinalOfTheLongestFailure(t *testing.T) {
	const limit = 512
	line := failure("a")
	line = strings.Replace(line, `"no"`, `"no`+strings.Repeat("o", limit-1-len(line))+`"`, 1)
	joined, err := tryJoin(t.Context(), jsonl.Join{Absent: jsonl.ClassMissing, MaxLine: limit}, rows("a"), lines(line), "")
	require.NoError(t, err)
	require.EqualValues(t, 1, joined.tally.Failed)
	require.Greater(t, len(joined.failures), limit)
	got := final(t, jsonl.Final{
		Input: strings.NewReader(rows("a")), MaxLine: limit, Rounds: []jsonl.Round{round(1, 1, "", joined.failures)},
	})
	require.Equal(t, lines(marked(strings.TrimSpace(joined.failures), 1)), got.failures)
}
