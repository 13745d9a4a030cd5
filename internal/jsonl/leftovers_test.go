package jsonl_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/jsonl"
)

// leftovers gives what was found and what was written.
func leftovers(t *testing.T, l jsonl.Leftovers, input, failures string) (jsonl.LeftoverTally, string) {
	t.Helper()
	var out bytes.Buffer
	l.Input, l.Output = strings.NewReader(input), &out
	if failures != "" {
		l.Failures = strings.NewReader(failures)
	}
	tally, err := l.Run(t.Context())
	require.NoError(t, err)
	return tally, out.String()
}

// failedLine is a line of a batch's failures.
func failedLine(id, class string, line int, response, cause string) string {
	return fmt.Sprintf(`{"custom_id":%q,"class":%q,"line":%d,"response":%s,"error":%s}`, id, class, line, response, cause)
}

func status(code int, body string) string {
	return fmt.Sprintf(`{"status_code":%d,"body":%s}`, code, body)
}

// invalidLine is what says that a line was set aside.
func invalidLine(line int64) string {
	return fmt.Sprintf(`{"custom_id":"","class":"invalid","line":%d,"message":"bad"}`, line)
}

func TestLeftovers(t *testing.T) {
	failures := lines(
		failedLine("b", jsonl.ClassRowError, 2, status(429, `{}`), "null"),
		failedLine("c", jsonl.ClassRowError, 3, status(400, `{"error":{"type":"invalid_request_error","code":null}}`), "null"),
		failedLine("e", jsonl.ClassExpired, 5, "null", `{"code":"batch_expired"}`),
		failedLine("f", jsonl.ClassMissing, 6, "null", "null"),
		failedLine("g", jsonl.ClassCancelled, 7, "null", `{"code":"batch_cancelled"}`),
	)
	input := rows("a", "b", "c", "d", "e", "f", "g")
	all := jsonl.Classes{RowError: 1, Expired: 1, Missing: 1}

	tally, out := leftovers(t, jsonl.Leftovers{}, input, failures)
	require.Equal(t, rows("b", "e", "f"), out)
	require.Equal(t, jsonl.LeftoverTally{
		Rows: 7, Answered: 2, Retry: all, Failed: jsonl.Classes{RowError: 1, Cancelled: 1},
		Pieces:      []jsonl.Leftover{{Span: jsonl.Span{Length: int64(len(out)), Rows: 3}, InputTokens: 36, MaxOutputTokens: 27}},
		Causes:      map[string]int64{"http_400 invalid_request_error": 1, "batch_cancelled": 1},
		RetryCauses: map[string]int64{"http_429": 1, "batch_expired": 1, "missing": 1},
	}, tally)

	tally, out = leftovers(t, jsonl.Leftovers{RetryCancelled: true}, input, failures)
	require.Equal(t, rows("b", "e", "f", "g"), out)
	all.Cancelled = 1
	require.Equal(t, all, tally.Retry)
	require.Equal(t, jsonl.Classes{RowError: 1}, tally.Failed)
}

func TestLeftoversOfABatchThatGaveNothing(t *testing.T) {
	tally, out := leftovers(t, jsonl.Leftovers{Absent: jsonl.Absent{Class: jsonl.ClassMissing, Cause: "no results"}}, rows("a", "b"), "")
	require.Equal(t, rows("a", "b"), out)
	require.Equal(t, jsonl.Classes{Missing: 2}, tally.Retry)

	absent := jsonl.Absent{Class: jsonl.ClassCancelled, Cause: "not sent: cancelled"}
	tally, out = leftovers(t, jsonl.Leftovers{Absent: absent}, rows("a", "b"), "")
	require.Empty(t, out)
	require.Equal(t, map[string]int64{"not sent: cancelled": 2}, tally.Causes)

	_, err := jsonl.Leftovers{Input: strings.NewReader(rows("a"))}.Run(t.Context())
	require.ErrorContains(t, err, `leftovers: "" is no class`)
}

func TestLeftoversOfPieces(t *testing.T) {
	failures := lines(
		failedLine("a", jsonl.ClassMissing, 1, "null", "null"),
		failedLine("d", jsonl.ClassMissing, 4, "null", "null"),
		failedLine("e", jsonl.ClassMissing, 5, "null", "null"),
	)
	input, size := rows("a", "b", "c", "d", "e"), int64(len(rows("a")))
	tally, _ := leftovers(t, jsonl.Leftovers{Pieces: []int64{2, 0, 1, 2, 0}}, input, failures)
	var spans []jsonl.Span
	for _, p := range tally.Pieces {
		spans = append(spans, p.Span)
	}
	require.Equal(t, []jsonl.Span{
		{Length: size, Rows: 1}, {Offset: size}, {Offset: size}, {Offset: size, Length: 2 * size, Rows: 2}, {Offset: 3 * size},
	}, spans)

	for want, pieces := range map[string][]int64{
		"input line 5: the pieces have fewer rows":        {2, 2},
		"the pieces have 3 rows more than the input":      {2, 4, 2},
		"the pieces have 1 rows more than the input":      {6},
		"input line 1: the pieces have fewer rows":        {0, 0},
		"leftovers: input line 3: the pieces have fewer ": {2},
	} {
		_, err := jsonl.Leftovers{Input: strings.NewReader(input), Failures: strings.NewReader(failures), Pieces: pieces}.Run(t.Context())
		require.ErrorContains(t, err, want)
	}
	tally, _ = leftovers(t, jsonl.Leftovers{Absent: jsonl.Absent{Class: jsonl.ClassMissing}}, "", "")
	require.Equal(t, []jsonl.Leftover{{}}, tally.Pieces, "no rows are one empty piece")
}

// The rows are walked without those that were set aside; lines of other parts
// of the input do no harm.
func TestLeftoversSkipsInvalidLines(t *testing.T) {
	input := good("a") + "\r\n\n{\n" + good("b") + "\n" + good("a") + "\n" + good("c")
	skip := lines(invalidLine(3), invalidLine(12), invalidLine(14), invalidLine(99))
	failures := lines(failedLine("a", jsonl.ClassMissing, 1, "null", "null"), failedLine("c", jsonl.ClassMissing, 3, "null", "null"))
	tally, out := leftovers(t, jsonl.Leftovers{FirstLine: 10, Skip: strings.NewReader(skip)}, input, failures)
	require.Equal(t, rows("a", "c"), out)
	require.EqualValues(t, 3, tally.Rows)
}

// The code of an error is found wherever a provider puts it.
func TestLeftoversCauses(t *testing.T) {
	tests := map[string]struct{ response, cause, want string }{
		"the code first":      {"null", `{"type":"t","code":"c"}`, "c"},
		"else the type":       {"null", `{"type":"t","code":null}`, "t"},
		"the body's":          {status(404, `{"error":{"code":"model_not_found"}}`), "null", "http_404 model_not_found"},
		"the body's type":     {status(404, `{"error":{"code":7,"type":"t"}}`), `{"message":"m"}`, "http_404 t"},
		"the row's own first": {status(404, `{"error":{"code":"inner"}}`), `{"code":"outer"}`, "http_404 outer"},
		"a text":              {status(402, `{"error":"insufficient_funds"}`), "null", "http_402 insufficient_funds"},
		"an escaped one":      {status(400, `{"error":{"code":"a\u0041\n"}}`), "null", "http_400 aA"},
		"half a pair":         {status(400, `{"error":{"code":"\ud83d"}}`), "null", "http_400"},
		"no object":           {"[]", "7", "row_error"},
		"no error":            {status(400, `[]`), "[]", "http_400"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tally, _ := leftovers(t, jsonl.Leftovers{}, rows("a"), failedLine("a", jsonl.ClassRowError, 1, tt.response, tt.cause))
			require.Equal(t, map[string]int64{tt.want: 1}, tally.Causes)
		})
	}
}

func TestLeftoversCountsThirtyTwoCauses(t *testing.T) {
	var names, failures []string
	for i := range 40 {
		id := fmt.Sprint("row-", i)
		names = append(names, id)
		failures = append(failures, failedLine(id, jsonl.ClassRowError, i+1, status(400, fmt.Sprintf(`{"error":{"code":"code-%d"}}`, i%36)), "null"))
	}
	tally, _ := leftovers(t, jsonl.Leftovers{}, rows(names...), lines(failures...))
	require.Len(t, tally.Causes, 33)
	require.EqualValues(t, 2, tally.Causes["http_400 code-0"], "a cause that is known goes on being counted")
	require.EqualValues(t, 4, tally.Causes[jsonl.OtherCauses])
}

func TestClean(t *testing.T) {
	long := strings.Repeat("x", 600)
	input := good("a") + "\r\n \n{\n" + good("b") + "\n" + long + "\n\n" + good("c")
	var out bytes.Buffer
	var told []int64
	cleaned, err := jsonl.Clean{
		Input: strings.NewReader(input), FirstLine: 7, Skip: strings.NewReader(lines(invalidLine(2), invalidLine(9), invalidLine(11))),
		MaxLine: 512, Output: &out, Progress: func(rows int64) { told = append(told, rows) },
	}.Run(t.Context())
	require.NoError(t, err)
	require.Equal(t, rows("a", "b", "c"), out.String())
	require.Equal(t, jsonl.Cleaned{Rows: 3, Bytes: int64(out.Len()), Skipped: 2}, cleaned)
	require.Equal(t, []int64{3}, told)

	_, err = jsonl.Clean{Input: strings.NewReader(input), MaxLine: 512}.Run(t.Context())
	require.ErrorContains(t, err, "clean: input line 5: longer than 512 bytes")
}

// What is left over is estimated as the survey has estimated all of it.
func TestLeftoversSayWhatTheyMayCost(t *testing.T) {
	row := func(id, body string) string {
		return `{"custom_id":"` + id + `","method":"POST","url":"/v1/responses","body":` + body + "}\n"
	}
	input := row("a", `{"max_output_tokens":100}`) + row("b", `{"max_tokens":7}`) + row("c", `{"input":"say a lot"}`) + row("d", `{"max_tokens":1000}`)
	failures := lines(
		failedLine("a", jsonl.ClassMissing, 1, "null", "null"),
		failedLine("b", jsonl.ClassMissing, 2, "null", "null"),
		failedLine("c", jsonl.ClassMissing, 3, "null", "null"),
	)
	tally, _ := leftovers(t, jsonl.Leftovers{Pieces: []int64{1, 3}}, input, failures)
	require.EqualValues(t, 7, tally.Pieces[0].InputTokens, "25 bytes")
	require.EqualValues(t, 100, tally.Pieces[0].MaxOutputTokens)
	require.EqualValues(t, 4+6, tally.Pieces[1].InputTokens, "16 and 21 bytes")
	require.EqualValues(t, 7, tally.Pieces[1].MaxOutputTokens, "of the row that says so, and not of the one that is answered")
}
