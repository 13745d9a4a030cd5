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

// Every way in which one row can be bad, under the strictest rules.
func TestInspectBadRows(t *testing.T) {
	tests := map[string]struct{ row, want string }{
		"not JSON":                  {`{"custom_id":`, "not valid JSON"},
		"plain text":                {`hello`, "not valid JSON"},
		"an array":                  {`[]`, "not a JSON object"},
		"a string":                  {`"x"`, "not a JSON object"},
		"null":                      {`null`, "not a JSON object"},
		"two values":                {good("x") + ` {}`, "more after the JSON value"},
		"text after the value":      {good("x") + ` x`, "not valid JSON"},
		"a closing bracket after":   {good("x") + `}`, "more after the JSON value"},
		"not UTF-8":                 {body("{\"input\":\"\xff\"}"), "UTF-8"},
		"half a surrogate pair":     {body(`{"input":"\ud83d"}`), "surrogate"},
		"raw control character":     {body("{\"input\":\"\x01\"}"), "not valid JSON"},
		"duplicate at the top":      {`{"custom_id":"x","custom_id":"y"}`, `duplicate name "custom_id"`},
		"duplicate in the body":     {body(`{"model":"m","model":"n"}`), `duplicate name "model"`},
		"duplicate far inside":      {body(`{"input":[{"a":[{"k":1,"k":2}]}]}`), `duplicate name "k"`},
		"duplicate by escape":       {body(`{"a":1,"\u0061":2}`), `duplicate name "a"`},
		"comma at the end":          {body(`{"input":"x",}`), "not valid JSON"},
		"NaN":                       {body(`{"input":NaN}`), "not valid JSON"},
		"no custom_id":              {strings.Replace(good("x"), "custom_id", "customid", 1), "custom_id is missing"},
		"custom_id in other case":   {strings.Replace(good("x"), "custom_id", "Custom_ID", 1), "custom_id is missing"},
		"custom_id null":            {strings.Replace(good("x"), `"x"`, `null`, 1), "custom_id is not a string"},
		"custom_id a number":        {strings.Replace(good("x"), `"x"`, `7`, 1), "custom_id is not a string"},
		"custom_id empty":           {good(""), "custom_id is empty"},
		"custom_id too long":        {good(strings.Repeat("é", 257)), "514 bytes"},
		"no method":                 {strings.Replace(good("x"), `"method":"POST",`, ``, 1), "method is not POST"},
		"method in lower case":      {strings.Replace(good("x"), `POST`, `post`, 1), "method is not POST"},
		"method a number":           {strings.Replace(good("x"), `"POST"`, `1`, 1), "method is not POST"},
		"no url":                    {strings.Replace(good("x"), `"url":"/v1/responses",`, ``, 1), "url is missing"},
		"url null":                  {strings.Replace(good("x"), `"/v1/responses"`, `null`, 1), "url is not a string"},
		"url empty":                 {strings.Replace(good("x"), `/v1/responses`, ``, 1), "url is empty"},
		"url not offered":           {strings.Replace(good("x"), `responses`, `embeddings`, 1), "url names /v1/embeddings; only /v1/responses, /v1/chat/completions"},
		"no body":                   {`{"custom_id":"x","method":"POST","url":"/v1/responses"}`, "body is missing"},
		"body null":                 {body(`null`), "body is not an object"},
		"body an array":             {body(`[{}]`), "body is not an object"},
		"body a string":             {body(`"{}"`), "body is not an object"},
		"streaming":                 {body(`{"stream":true,"input":"x","max_output_tokens":9}`), "body.stream"},
		"model null":                {body(`{"model":null,"input":"x","max_output_tokens":9}`), "body.model is not a string"},
		"model empty":               {body(`{"model":"","input":"x","max_output_tokens":9}`), "body.model is empty"},
		"no input":                  {body(`{"max_output_tokens":9}`), "body.input is missing"},
		"input null":                {body(`{"input":null,"max_output_tokens":9}`), "body.input is missing"},
		"no messages":               {chat(`{"input":"x","max_tokens":9}`), "body.messages is missing"},
		"messages a string":         {chat(`{"messages":"x","max_tokens":9}`), "body.messages is missing or not"},
		"messages empty":            {chat(`{"messages":[ ],"max_tokens":9}`), "body.messages is empty"},
		"no token limit":            {body(`{"input":"x"}`), "neither max_output_tokens nor max_tokens"},
		"another token limit":       {body(`{"input":"x","max_completion_tokens":9}`), "neither max_output_tokens nor max_tokens"},
		"token limit 0":             {body(`{"input":"x","max_output_tokens":0}`), "token limit"},
		"token limit too high":      {body(`{"input":"x","max_tokens":1000001}`), "token limit"},
		"token limit a fraction":    {body(`{"input":"x","max_tokens":1.5}`), "token limit"},
		"token limit a string":      {body(`{"input":"x","max_tokens":"9"}`), "token limit"},
		"forbidden at the top":      {body(`{"input":"x","max_output_tokens":9,"tools":[]}`), `key "tools"`},
		"forbidden far inside":      {body(`{"input":[{"content":[{"a":{"image_url":null}}]}],"max_output_tokens":9}`), `key "image_url"`},
		"forbidden by escape":       {body(`{"input":"x","max_output_tokens":9,"t\u006fols":1}`), `key "tools"`},
		"too deep for any reader":   {body(`{"input":` + strings.Repeat("[", 20000) + `}`), "not valid JSON"},
		"longer than a line may be": {body(`{"input":"` + strings.Repeat("x", 1<<17) + `"}`), "longer than 65536 bytes"},
	}
	rules := gatewayRules
	rules.MaxLine = 64 << 10
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			first := good("first")
			if strings.Contains(tt.row, "chat/completions") {
				first = strings.Replace(strings.Replace(first, "responses", "chat/completions", 1), `"input":"hi"`, `"messages":[{}]`, 1)
			}
			sum := inspect(t, first+"\n"+tt.row+"\n", rules)
			require.EqualValues(t, 1, sum.Bad, sum.Problems)
			require.EqualValues(t, 2, sum.Rows)
			require.EqualValues(t, 2, sum.Problems[0].Line)
			require.Contains(t, sum.Problems[0].Message, tt.want)
		})
	}
}

func TestInspectAcceptsWhatOnlyLooksBad(t *testing.T) {
	rows := []string{
		`{"body":{"max_output_tokens":1000000,"input":[{"content":"\"tools\": image_url"}],"stream":false},"url":"https://api.openai.com/V1/Responses/?x=y","method":"P\u004fST","custom_id":"\u0078","extra":{"tools":1}}`,
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
		{Line: 4, CustomID: "a", Message: "custom_id is used twice: in line 1 and in line 4"},
		{Line: 5, CustomID: "a", Message: "custom_id is used twice: in line 1 and in line 5"},
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
