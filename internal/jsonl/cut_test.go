package jsonl_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/jsonl"
)

func cutInput(t *testing.T, input string, c jsonl.Cut) (survey jsonl.Survey, invalid string) {
	t.Helper()
	var out strings.Builder
	c.Input, c.Invalid = strings.NewReader(input), &out
	survey, err := c.Run(t.Context())
	require.NoError(t, err)
	return survey, out.String()
}

// ranges are the shards of an input as text.
func ranges(input string, shards []jsonl.Shard) (parts []string) {
	for _, s := range shards {
		parts = append(parts, input[s.Offset:s.Offset+s.Length])
	}
	return parts
}

func TestCutLimits(t *testing.T) {
	a, b, c := good("a")+"\n", good("b")+"\n", good("c")
	size := int64(len(a))
	tokens := int64((len(`{"model":"m","input":"hi","max_output_tokens":9}`) + 3) / 4)
	long := strings.Repeat("x", 300) + "\n"
	tests := map[string]struct {
		input []string // the shards wanted
		cut   jsonl.Cut
	}{
		"none":                             {[]string{a + b + c}, jsonl.Cut{}},
		"one row each":                     {[]string{a, b, c}, jsonl.Cut{MaxRows: 1}},
		"rows":                             {[]string{a + b, c}, jsonl.Cut{MaxRows: 2}},
		"bad rows count as rows":           {[]string{a + "bad\n", "bad\n" + b, c}, jsonl.Cut{MaxRows: 2}},
		"blank lines do not":               {[]string{"\n" + a + "\n \n" + b + "\r\n", c + "\n\n"}, jsonl.Cut{MaxRows: 2}},
		"bytes, met exactly":               {[]string{a + b, c}, jsonl.Cut{MaxBytes: 2 * size}},
		"bytes, one too few":               {[]string{a, b + c}, jsonl.Cut{MaxBytes: 2*size - 1}},
		"blank lines count as bytes":       {[]string{a + "\n", b + "\n", "\n" + c}, jsonl.Cut{MaxBytes: size + 1}},
		"a line over all bytes":            {[]string{a, long, b, c}, jsonl.Cut{MaxBytes: size}},
		"tokens, met exactly":              {[]string{a + b, c}, jsonl.Cut{MaxTokens: 2 * tokens}},
		"tokens, one too few":              {[]string{a, b, c}, jsonl.Cut{MaxTokens: 2*tokens - 1}},
		"every row over all tokens":        {[]string{a + "bad\n\n", b, c}, jsonl.Cut{MaxTokens: 1}},
		"a line that is too long":          {[]string{a, long + b, long, long + c}, jsonl.Cut{Rules: jsonl.Rules{MaxLine: 200}}},
		"the first line is too long":       {[]string{long + a}, jsonl.Cut{Rules: jsonl.Rules{MaxLine: 200}}},
		"only blank lines":                 {[]string{"\n\n"}, jsonl.Cut{}},
		"an empty input":                   {nil, jsonl.Cut{}},
		"the limits of one batch do not":   {[]string{a + b + c}, jsonl.Cut{Rules: jsonl.Rules{MaxRows: 1, MaxBytes: 1}}},
		"whichever limit is reached first": {[]string{a, b + c}, jsonl.Cut{MaxRows: 2, MaxBytes: 2*size - 1, MaxTokens: 1000}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			input := strings.Join(tt.input, "")
			survey, _ := cutInput(t, input, tt.cut)
			require.Equal(t, tt.input, ranges(input, survey.Shards))
			line := int64(1)
			for i, s := range survey.Shards {
				require.Equal(t, i+1, s.Number)
				require.Equal(t, line, s.FirstLine)
				line += int64(strings.Count(tt.input[i], "\n"))
			}
		})
	}
}

// Every bad line stands in the output with its place, in line order, whether it
// is bad by itself or a duplicate; the shards know their part of it.
func TestCutSetsBadLinesAside(t *testing.T) {
	first := []string{good("a"), "{", good("b"), ""}
	second := []string{good("a"), good("c"), strings.Replace(good("é"), "POST", "GET", 1), good("b")}
	input := strings.Join(append(first, second...), "\r\n")
	survey, invalid := cutInput(t, input, jsonl.Cut{MaxRows: 3, MaxBytes: 10_000})
	at := func(i int) int { return strings.Index(input, "\r\n\r\n") + 4 + len(strings.Join(second[:i], "\r\n")) }
	size := len(good("a")) + 2
	require.Equal(t, strings.Join([]string{
		fmt.Sprintf(`{"custom_id":"","class":"invalid","line":2,"offset":%d,"length":3,"error":{"code":"invalid_row",`+
			`"message":"not valid JSON: the line ends in the middle of a value"}}`, size),
		fmt.Sprintf(`{"custom_id":"a","class":"invalid","line":5,"offset":%d,"length":%d,"error":{"code":"invalid_row",`+
			`"message":"duplicate custom_id: first used on line 1, again on line 5"}}`, at(0), size),
		fmt.Sprintf(`{"custom_id":"é","class":"invalid","line":7,"offset":%d,"length":%d,"error":{"code":"invalid_row",`+
			`"message":"method is not POST"}}`, at(2)+2, len(second[2])+2),
		fmt.Sprintf(`{"custom_id":"b","class":"invalid","line":8,"offset":%d,"length":%d,"error":{"code":"invalid_row",`+
			`"message":"duplicate custom_id: first used on line 3, again on line 8"}}`, at(3)+2, size-2),
		"",
	}, "\n"), invalid)

	require.EqualValues(t, 4, survey.Invalid)
	require.EqualValues(t, 4, survey.Bad)
	require.EqualValues(t, 7, survey.Rows)
	require.Equal(t, "/v1/responses", survey.Endpoint)
	require.Equal(t, "m", survey.Model)
	require.Len(t, survey.Problems, 4)
	require.Equal(t, jsonl.Problem{Line: 5, CustomID: "a", Message: "duplicate custom_id: first used on line 1, again on line 5"}, survey.Problems[1])
	require.Len(t, survey.Shards, 3)
	lines := strings.SplitAfter(invalid, "\n")
	for i, want := range []struct {
		rows, bad int64
		invalid   string
	}{{2, 1, lines[0]}, {1, 2, lines[1] + lines[2]}, {0, 1, lines[3]}} {
		s := survey.Shards[i]
		require.Equal(t, want.rows, s.Rows)
		require.Equal(t, want.bad, s.Invalid)
		require.Equal(t, want.invalid, invalid[s.InvalidOffset:s.InvalidOffset+s.InvalidLength])
		require.Equal(t, 9*want.rows, s.MaxOutputTokens)
		require.Equal(t, 12*want.rows, s.InputTokens)
	}
	require.EqualValues(t, 27, survey.MaxOutputTokens)
	require.EqualValues(t, 36, survey.InputTokens)
}

// A bad row is out of the way: another may use its custom_id, and what all rows
// share is what the good ones share.
func TestCutBadRowsDecideNothing(t *testing.T) {
	bad := `{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"model":"other","messages":[]}}`
	survey, _ := cutInput(t, bad+"\n"+good("a")+"\n"+good("b"), jsonl.Cut{Rules: gatewayRules})
	require.EqualValues(t, 1, survey.Invalid)
	require.EqualValues(t, 1, survey.Problems[0].Line)
	require.Equal(t, "/v1/responses", survey.Endpoint)
	require.Equal(t, "m", survey.Model)
}

func TestCutRowOverTheBytesOfAShard(t *testing.T) {
	size := len(good("a"))
	survey, invalid := cutInput(t, good("a"), jsonl.Cut{MaxBytes: int64(size)})
	require.Zero(t, survey.Bad)
	require.Empty(t, invalid)
	survey, invalid = cutInput(t, good("a")+"\n", jsonl.Cut{MaxBytes: int64(size)})
	require.EqualValues(t, 1, survey.Bad)
	require.Contains(t, invalid, fmt.Sprintf(`{"custom_id":"a","class":"invalid","line":1,"offset":0,"length":%d,`, size+1))
	require.Contains(t, invalid, fmt.Sprintf(`"message":"the row has %d bytes; a batch may have %d"`, size+1, size))
}

func TestCutEstimatesTokens(t *testing.T) {
	tests := map[string]struct {
		body          string
		input, output int64
	}{
		"nothing":             {`{}`, 1, 0},
		"rounded up":          {`{"a":123}`, 3, 0},
		"white space counts":  {` {"a":1  } `, 3, 0},
		"responses":           {`{"max_output_tokens":7}`, 6, 7},
		"chat":                {`{"max_tokens":7}`, 4, 7},
		"chat, the newer way": {`{"max_completion_tokens":7}`, 7, 7},
		"the first of two":    {`{"max_tokens":7,"max_output_tokens":8}`, 10, 8},
		"too many":            {`{"max_tokens":1000001}`, 6, 1_000_000},
		"out of all bounds":   {`{"max_tokens":99999999999999999999}`, 9, 1_000_000},
		"negative":            {`{"max_tokens":-5}`, 5, 0},
		"no number":           {`{"max_tokens":"7"}`, 5, 0},
		"null":                {`{"max_tokens":null}`, 5, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			survey, _ := cutInput(t, body(tt.body), jsonl.Cut{})
			require.Zero(t, survey.Bad, survey.Problems)
			require.Equal(t, tt.input, survey.InputTokens)
			require.Equal(t, tt.output, survey.MaxOutputTokens)
		})
	}
}

func TestCutRefusesTheWholeInput(t *testing.T) {
	for input, want := range map[string]string{
		"":                         "no rows",
		"\n":                       "no rows",
		"\xef\xbb\xbf" + good("a"): "byte order mark",
	} {
		survey, invalid := cutInput(t, input, jsonl.Cut{})
		require.EqualValues(t, 1, survey.Bad)
		require.Zero(t, survey.Invalid)
		require.Empty(t, invalid)
		require.Contains(t, survey.Problems[0].Message, want)
		require.Equal(t, input, strings.Join(ranges(input, survey.Shards), ""))
	}
}

// What one inspection finds the other finds too.
func TestCutAgreesWithInspect(t *testing.T) {
	input := strings.Join([]string{good("a"), "{}", good("b"), good("a"), "", strings.Repeat("[", 99), good("b")}, "\n")
	input += strings.Repeat("\n"+good("a"), 30)
	survey, _ := cutInput(t, input, jsonl.Cut{Rules: gatewayRules, MaxRows: 4})
	require.Equal(t, inspect(t, input, gatewayRules), survey.Summary)
}

func TestCutTellsProgress(t *testing.T) {
	var rows, bytes []int64
	input := strings.Repeat(strings.Replace(good("a"), "hi", strings.Repeat("x", 1<<19), 1)+"\n", 8)
	survey, _ := cutInput(t, input, jsonl.Cut{Progress: func(r, b int64) { rows, bytes = append(rows, r), append(bytes, b) }})
	require.IsNonDecreasing(t, rows)
	require.GreaterOrEqual(t, len(rows), 4)
	require.Equal(t, survey.Rows, rows[len(rows)-1])
	require.Equal(t, survey.Bytes, bytes[len(bytes)-1])
}
