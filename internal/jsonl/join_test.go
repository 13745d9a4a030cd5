package jsonl_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/jsonl"
)

type joined struct {
	tally                        jsonl.Tally
	results, failures, unmatched string
}

func join(t *testing.T, input, output, errs string) joined {
	t.Helper()
	got, err := tryJoin(t.Context(), jsonl.Join{Absent: jsonl.ClassMissing}, input, output, errs)
	require.NoError(t, err)
	return got
}

func tryJoin(ctx context.Context, j jsonl.Join, input, output, errs string) (joined, error) {
	var results, failures, unmatched bytes.Buffer
	j.Input = strings.NewReader(input)
	j.Answers = []jsonl.Source{source("output", output), source("errors", errs)}
	j.Results, j.Failures, j.Unmatched = &results, &failures, &unmatched
	tally, err := j.Run(ctx)
	return joined{tally, results.String(), failures.String(), unmatched.String()}, err
}

func source(name, content string) jsonl.Source {
	return jsonl.Source{R: strings.NewReader(content), Size: int64(len(content)), Name: name}
}

func rows(ids ...string) string {
	var b strings.Builder
	for _, id := range ids {
		b.WriteString(good(id) + "\n")
	}
	return b.String()
}

func success(id string) string {
	return fmt.Sprintf(`{"id":"r","custom_id":%q,`+
		`"response":{"status_code":200,"body":{"usage":{"input_tokens":3,"output_tokens":4,"total_tokens":7}}},"error":null}`, id)
}

func failure(id string) string {
	return fmt.Sprintf(`{"custom_id":%q,"response":{"status_code":400,"body":{"error":{"message":"no"}}},"error":null}`, id)
}

func unanswered(id, code string) string {
	return fmt.Sprintf(`{"custom_id":%q,"response":null,"error":{"code":%q,"message":"late"}}`, id, code)
}

func lines(all ...string) string {
	if len(all) == 0 {
		return ""
	}
	return strings.Join(all, "\n") + "\n"
}

func TestJoinSortsIntoInputOrder(t *testing.T) {
	got := join(t, rows("a", "b", "c", "d", "e", "f"),
		lines(success("f"), success("a")),
		lines(unanswered("e", "batch_cancelled"), failure("b"), unanswered("d", "batch_expired")))
	require.Equal(t, lines(success("a"), success("f")), got.results)
	require.Equal(t, lines(
		`{"custom_id":"b","class":"row_error","line":2,"response":{"status_code":400,"body":{"error":{"message":"no"}}},"error":null}`,
		`{"custom_id":"c","class":"missing","line":3,"response":null,"error":null}`,
		`{"custom_id":"d","class":"expired","line":4,"response":null,"error":{"code":"batch_expired","message":"late"}}`,
		`{"custom_id":"e","class":"cancelled","line":5,"response":null,"error":{"code":"batch_cancelled","message":"late"}}`,
	), got.failures)
	require.Empty(t, got.unmatched)
	require.Equal(t, jsonl.Tally{
		Rows: 6, Succeeded: 2, Failed: 1, Expired: 1, Cancelled: 1, Missing: 1,
		Usage: jsonl.Usage{InputTokens: 6, OutputTokens: 8, TotalTokens: 14},
	}, got.tally)
}

// What one answer line makes of the one row that was asked.
func TestJoinClasses(t *testing.T) {
	line := func(rest string) string { return `{"custom_id":"a",` + rest + `}` }
	ok := `"response":{"status_code":200,"body":{}}`
	tests := map[string]struct{ answer, class string }{
		"a success":                 {line(ok + `,"error":null`), ""},
		"no error member":           {line(ok), ""},
		"any 2xx":                   {line(`"response":{"status_code":299,"body":{}}`), ""},
		"a body of text":            {line(`"response":{"status_code":200,"body":"x"}`), ""},
		"an error beside it":        {line(ok + `,"error":{"code":"x"}`), "row_error"},
		"an error of text":          {line(ok + `,"error":"x"`), "row_error"},
		"no body":                   {line(`"response":{"status_code":200}`), "row_error"},
		"body null":                 {line(`"response":{"status_code":200,"body":null}`), "row_error"},
		"no status":                 {line(`"response":{"body":{}}`), "row_error"},
		"a status of text":          {line(`"response":{"status_code":"200","body":{}}`), "row_error"},
		"3xx":                       {line(`"response":{"status_code":300,"body":{}}`), "row_error"},
		"1xx":                       {line(`"response":{"status_code":199,"body":{}}`), "row_error"},
		"5xx":                       {line(`"response":{"status_code":500,"body":{}}`), "row_error"},
		"only an id":                {`{"custom_id":"a"}`, "row_error"},
		"a response of text":        {line(`"response":"x"`), "row_error"},
		"a timeout":                 {line(`"response":null,"error":{"code":"request_timeout"}`), "row_error"},
		"expired":                   {line(`"response":null,"error":{"code":"batch_expired"}`), "expired"},
		"cancelled":                 {line(`"response":null,"error":{"code":"batch_cancelled"}`), "cancelled"},
		"half a surrogate pair":     {line(`"response":{"status_code":200,"body":{"t":"\ud83d"}}`), ""},
		"a name twice in the body":  {line(`"response":{"status_code":200,"body":{"t":1,"t":2}}`), ""},
		"the id written in escapes": {`{"custom_id":"\u0061",` + ok + `}`, ""},
		"the id last":               {`{` + ok + `,"custom_id":"a"}`, ""},
		"white space":               {" { \"custom_id\" :\t\"a\" , " + ok + " } ", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := join(t, rows("a"), lines(tt.answer), "")
			if tt.class == "" {
				require.Equal(t, lines(tt.answer), got.results)
				require.Empty(t, got.failures)
				return
			}
			require.Empty(t, got.results)
			require.Contains(t, got.failures, `{"custom_id":"a","class":"`+tt.class+`","line":1,`)
		})
	}
}

func TestJoinPrefersASuccessThenTheFirst(t *testing.T) {
	second := strings.Replace(success("a"), `"r"`, `"second"`, 1)
	got := join(t, rows("a", "b"), lines(failure("a"), success("a"), second, unanswered("b", "x"), failure("b")), lines(failure("a")))
	require.Equal(t, lines(success("a")), got.results)
	require.Contains(t, got.failures, `"code":"x"`)
	require.EqualValues(t, 4, got.tally.Duplicates)
	require.EqualValues(t, 7, got.tally.Usage.TotalTokens, "a dropped line costs nothing")
	require.Empty(t, got.unmatched)
}

func TestJoinKeepsLinesThatAnswerNoRow(t *testing.T) {
	bad := []string{
		`{"custom_id":"a","respon`, `nonsense`, `[]`, `{"response":null}`,
		`{"custom_id":""}`, `{"custom_id":7}`, `{"custom_id":"a","custom_id":"b"}`,
	}
	got := join(t, rows("a"), lines(append(bad, success("z"), success("a"), success("z"))...), "{\"custom_id\":\"\xff\"}")
	require.Equal(t, lines(success("a")), got.results)
	require.EqualValues(t, 2, got.tally.Unmatched)
	require.EqualValues(t, 8, got.tally.Malformed)
	require.Zero(t, got.tally.Duplicates)
	require.Equal(t, lines(
		`{"custom_id":"","malformed":"{\"custom_id\":\"a\",\"respon","source":"output","line":1}`,
		`{"custom_id":"","malformed":"nonsense","source":"output","line":2}`,
		`{"custom_id":"","malformed":"[]","source":"output","line":3}`,
		`{"custom_id":"","malformed":"{\"response\":null}","source":"output","line":4}`,
		`{"custom_id":"","malformed":"{\"custom_id\":\"\"}","source":"output","line":5}`,
		`{"custom_id":"","malformed":"{\"custom_id\":7}","source":"output","line":6}`,
		`{"custom_id":"","malformed":"{\"custom_id\":\"a\",\"custom_id\":\"b\"}","source":"output","line":7}`,
		success("z"), success("z"),
		"{\"custom_id\":\"\",\"malformed\":\"{\\\"custom_id\\\":\\\"\uFFFD\\\"}\",\"source\":\"errors\",\"line\":1}",
	), got.unmatched)
}

func TestJoinReadsMessyFiles(t *testing.T) {
	got := join(t, "\n"+strings.ReplaceAll(rows("a", "b"), "\n", "\r\n\r\n"),
		"\xef\xbb\xbf"+success("b")+"\r\n\r\n \t\n"+success("a"), "\n\n")
	require.Equal(t, lines(success("a"), success("b")), got.results)
	require.Empty(t, got.failures)
	require.Zero(t, got.tally.Malformed)
}

func TestJoinAnswerLongerThanALine(t *testing.T) {
	long := strings.Replace(success("a"), `"r"`, `"`+strings.Repeat("x", 1<<20)+`"`, 1)
	got, err := tryJoin(t.Context(), jsonl.Join{Absent: jsonl.ClassMissing, MaxLine: 64 << 10}, rows("a", "b"), lines(long, success("b")), "")
	require.NoError(t, err)
	require.Equal(t, lines(success("b")), got.results)
	require.EqualValues(t, 1, got.tally.Missing)
	require.EqualValues(t, 1, got.tally.Malformed)
	require.Less(t, len(got.unmatched), 5<<10)
}

func TestJoinAbsentRows(t *testing.T) {
	for _, class := range []string{jsonl.ClassMissing, jsonl.ClassExpired, jsonl.ClassCancelled} {
		got, err := tryJoin(t.Context(), jsonl.Join{Absent: class}, rows("a", "b"), lines(success("a")), "")
		require.NoError(t, err)
		want := lines(fmt.Sprintf(`{"custom_id":"b","class":%q,"line":2,"response":null,"error":null}`, class))
		require.Equal(t, want, got.failures)
		require.EqualValues(t, 1, got.tally.Missing+got.tally.Expired+got.tally.Cancelled)
	}
	_, err := tryJoin(t.Context(), jsonl.Join{Absent: "row_error"}, rows("a"), "", "")
	require.ErrorContains(t, err, `"row_error"`)
}

func TestJoinUsageShapes(t *testing.T) {
	usage := func(u string) string {
		return `{"custom_id":"a","response":{"status_code":200,"body":{"usage":` + u + `}}}`
	}
	tests := map[string]jsonl.Usage{
		`{"input_tokens":1,"output_tokens":2,"total_tokens":3}`:                        {InputTokens: 1, OutputTokens: 2, TotalTokens: 3},
		`{"prompt_tokens":1,"completion_tokens":2,"total_tokens":4}`:                   {InputTokens: 1, OutputTokens: 2, TotalTokens: 4},
		`{"prompt_tokens":1,"completion_tokens":2}`:                                    {InputTokens: 1, OutputTokens: 2, TotalTokens: 3},
		`{"prompt_tokens":1,"input_tokens":1,"output_tokens":2,"completion_tokens":2}`: {InputTokens: 1, OutputTokens: 2, TotalTokens: 3},
		`{"input_tokens":"1","output_tokens":-2,"total_tokens":1e3}`:                   {},
		`{"input_tokens":99999999999999999999,"x":{"input_tokens":5}}`:                 {},
		`null`: {}, `[1]`: {}, `{}`: {},
	}
	for in, want := range tests {
		require.Equal(t, want, join(t, rows("a"), lines(usage(in)), "").tally.Usage, in)
	}
	require.Zero(t, join(t, rows("a"), lines(strings.Replace(success("a"), "200", "500", 1)), "").tally.Usage)
}

func TestJoinNoAnswersAtAll(t *testing.T) {
	tally, err := jsonl.Join{Input: strings.NewReader(rows("a")), Absent: jsonl.ClassExpired}.Run(t.Context())
	require.NoError(t, err)
	require.Equal(t, jsonl.Tally{Rows: 1, Expired: 1}, tally)
}
