package jsonl_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/jsonl"
)

// gatewayRules are those of the strictest profile.
var gatewayRules = jsonl.Rules{
	Endpoints: []string{"/v1/responses", "/v1/chat/completions"},
	OneModel:  true, RequireMaxOutputTokens: true, RequireInput: true,
	ForbiddenKeys: []string{"tools", "image_url", "modalities"},
}

func good(id string) string {
	return fmt.Sprintf(`{"custom_id":%q,"method":"POST","url":"/v1/responses","body":{"model":"m","input":"hi","max_output_tokens":9}}`, id)
}

func body(content string) string {
	return `{"custom_id":"x","method":"POST","url":"/v1/responses","body":` + content + `}`
}

func chat(content string) string {
	return `{"custom_id":"x","method":"POST","url":"/v1/chat/completions","body":` + content + `}`
}

func inspect(t *testing.T, input string, rules jsonl.Rules) jsonl.Summary {
	t.Helper()
	sum, err := jsonl.Inspect(t.Context(), strings.NewReader(input), rules, nil)
	require.NoError(t, err)
	return sum
}

func TestInspectGoodInput(t *testing.T) {
	input := good("a") + "\r\n\n" + good("b") + "\n" + good("c")
	sum := inspect(t, input, gatewayRules)
	digest := sha256.Sum256([]byte(input))
	require.Equal(t, jsonl.Summary{
		Rows: 3, Bytes: int64(len(input)), BlankLines: 1, SHA256: hex.EncodeToString(digest[:]),
		Endpoint: "/v1/responses", Model: "m",
	}, sum)
}

func TestInspectAcceptsWhatOnlyLooksBad(t *testing.T) {
	rows := []string{
		`{"body":{"max_output_tokens":1000000,"input":[{"content":"\"tools\": image_url"}],"stream":false},"url":"https://api.openai.com/V1/Responses/?x=y",` +
			`"method":"P\u004fST","custom_id":"\u0078","extra":{"tools":1}}`,
		` {"custom_id":" padded ","method":"POST","url":"responses","body":{"input":"\ud83d\ude00","max_tokens":1}} `,
		strings.Replace(good("é"), `"model":"m",`, ``, 1),
		good(strings.Repeat("é", 256)),
	}
	sum := inspect(t, strings.Join(rows, "\n"), gatewayRules)
	require.Empty(t, sum.Problems)
	require.Equal(t, "/v1/responses", sum.Endpoint)
}

func TestInspectNamesBothLinesOfADuplicate(t *testing.T) {
	sum := inspect(t, good("a")+"\n\n"+good("b")+"\n"+good("a")+"\n"+strings.Replace(good("a"), `"a"`, `"\u0061"`, 1)+"\n", gatewayRules)
	require.EqualValues(t, 2, sum.Bad)
	require.Equal(t, []jsonl.Problem{
		{Line: 4, CustomID: "a", Message: "duplicate custom_id: first used on line 1, again on line 4"},
		{Line: 5, CustomID: "a", Message: "duplicate custom_id: first used on line 1, again on line 5"},
	}, sum.Problems)
}

func TestInspectOneEndpoint(t *testing.T) {
	other := strings.Replace(good("b"), "/v1/responses", "/v1/completions", 1)
	sum := inspect(t, good("a")+"\n"+other, jsonl.Rules{})
	require.Equal(t, "url names /v1/completions; this batch is for /v1/responses", sum.Problems[0].Message)

	sum = inspect(t, good("a"), jsonl.Rules{Endpoint: "Completions/"})
	require.Equal(t, "url names /v1/responses; this batch is for /v1/completions", sum.Problems[0].Message)
}

func TestInspectModels(t *testing.T) {
	row := func(id, model string) string { return strings.Replace(good(id), `"m"`, `"`+model+`"`, 1) }
	tests := map[string]struct {
		models []string
		rules  jsonl.Rules
		bad    int64
		model  string
	}{
		"any":                         {[]string{"a", "b"}, jsonl.Rules{}, 0, "a"},
		"one":                         {[]string{"a", "b", "a", "c"}, jsonl.Rules{OneModel: true}, 2, "a"},
		"the one asked for":           {[]string{"b", "a", "b"}, jsonl.Rules{Model: "a"}, 2, "a"},
		"asked for with its provider": {[]string{"a", "a"}, jsonl.Rules{Model: "openai/a", OneModel: true}, 0, "a"},
		"another with its provider":   {[]string{"ba"}, jsonl.Rules{Model: "openai/a"}, 1, "openai/a"},
		"rows are not rewritten":      {[]string{"a", "openai/a"}, jsonl.Rules{Model: "a", OneModel: true}, 1, "a"},
		"inline rows are":             {[]string{"a", "openai/a"}, jsonl.Rules{OneModel: true, Inline: true}, 0, "a"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var rows []string
			for i, m := range tt.models {
				rows = append(rows, row(fmt.Sprint(i), m))
			}
			sum := inspect(t, strings.Join(rows, "\n"), tt.rules)
			require.Equal(t, tt.bad, sum.Bad, sum.Problems)
			require.Equal(t, tt.model, sum.Model)
		})
	}
}

func TestInspectInlineRules(t *testing.T) {
	rules := gatewayRules
	rules.Inline = true
	noLimit := strings.Replace(good("a"), `,"max_output_tokens":9`, ``, 1)
	require.Empty(t, inspect(t, noLimit, rules).Problems, "the gateway fills it in")
	for _, id := range []string{" a", "a ", "\ta", "a\u00a0"} {
		sum := inspect(t, good(id), rules)
		require.Contains(t, sum.Problems[0].Message, "white space")
	}
}

func TestInspectWholeInput(t *testing.T) {
	three := good("a") + "\n" + good("b") + "\nbad\n"
	tests := map[string]struct {
		input string
		rules jsonl.Rules
		want  []string
	}{
		"empty":           {"", jsonl.Rules{}, []string{"the input has no rows"}},
		"only blank":      {"\n \n", jsonl.Rules{}, []string{"the input has no rows"}},
		"at its limits":   {good("a") + "\n", jsonl.Rules{MaxRows: 1, MaxBytes: int64(len(good("a")) + 1)}, nil},
		"too many rows":   {three, jsonl.Rules{MaxRows: 2}, []string{"the input has 3 rows; a batch may have 2", "not valid JSON"}},
		"too many bytes":  {three, jsonl.Rules{MaxBytes: 9}, []string{"bytes; a batch may have 9", "not valid JSON"}},
		"a mark, a blank": {"\xef\xbb\xbf\n" + good("a"), jsonl.Rules{}, []string{"byte order mark"}},
		"byte order mark": {"\xef\xbb\xbf" + good("a"), jsonl.Rules{}, []string{"byte order mark"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			sum := inspect(t, tt.input, tt.rules)
			require.EqualValues(t, len(tt.want), sum.Bad)
			require.Len(t, sum.Problems, len(tt.want))
			for i, want := range tt.want {
				require.Contains(t, sum.Problems[i].Message, want)
			}
		})
	}
}

func TestInspectNamesTwentyAndCountsAll(t *testing.T) {
	sum := inspect(t, strings.Repeat("{}\n", 50), jsonl.Rules{MaxRows: 1})
	require.EqualValues(t, 51, sum.Bad)
	require.Len(t, sum.Problems, 21)
	require.Zero(t, sum.Problems[0].Line)
	require.EqualValues(t, 1, sum.Problems[1].Line)
	require.EqualValues(t, 20, sum.Problems[20].Line)
}

func TestInspectCutsWhatItShows(t *testing.T) {
	sum := inspect(t, good(strings.Repeat("日", 300))+"\n"+body(`{"`+strings.Repeat("k", 9000)+`":1,"x":x}`), jsonl.Rules{})
	require.Len(t, sum.Problems, 2)
	for _, p := range sum.Problems {
		require.Less(t, len(p.CustomID), 140)
		require.Less(t, len(p.Message), 310)
	}
}

func TestInspectStopsForAnErrorOnly(t *testing.T) {
	broken := errors.New("connection lost")
	_, err := jsonl.Inspect(t.Context(), iotest.ErrReader(broken), jsonl.Rules{}, nil)
	require.ErrorIs(t, err, broken)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = jsonl.Inspect(ctx, strings.NewReader(good("a")), jsonl.Rules{}, nil)
	require.ErrorIs(t, err, context.Canceled)
}

func TestInspectTellsProgress(t *testing.T) {
	var rows, bytes []int64
	input := strings.Repeat(strings.Replace(good("a"), "hi", strings.Repeat("x", 1<<19), 1)+"\n", 8)
	sum, err := jsonl.Inspect(t.Context(), strings.NewReader(input), jsonl.Rules{}, func(r, b int64) {
		rows, bytes = append(rows, r), append(bytes, b)
	})
	require.NoError(t, err)
	require.IsNonDecreasing(t, rows)
	require.GreaterOrEqual(t, len(rows), 4)
	require.Equal(t, sum.Rows, rows[len(rows)-1])
	require.Equal(t, sum.Bytes, bytes[len(bytes)-1])
}

func TestNormalizeEndpoint(t *testing.T) {
	for _, e := range []string{
		"/v1/responses", "v1/responses", "responses", "/responses", "/v1/responses/", "/V1/Responses",
		"https://api.example.com/v1/responses", "https://api.example.com/responses?x=1#y", " /v1/responses?x=/v1/other ",
	} {
		require.Equal(t, "/v1/responses", jsonl.NormalizeEndpoint(e), e)
	}
	for _, e := range []string{"", " ", "/", "https://api.example.com", "https://api.example.com/", "?x"} {
		require.Empty(t, jsonl.NormalizeEndpoint(e), e)
	}
}
