package jsonl_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

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
		"url not offered":           {strings.Replace(good("x"), `responses`, `embeddings`, 1), "url names /v1/embeddings; only /v1/responses, "},
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
