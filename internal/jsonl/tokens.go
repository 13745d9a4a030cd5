package jsonl

import (
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// bytesPerToken is the rule of thumb that providers give for English text: a
// token is about four characters.
const bytesPerToken = 4

// tokens is what a row may cost, estimated: no tokenizer is asked.
type tokens struct{ input, output int64 }

func tokensOf(bytes int64) int64 { return (bytes + bytesPerToken - 1) / bytesPerToken }

// tokens takes the input from the size of the row's body, and the output from the
// token limit that the row sets, where it sets one.
func (r *row) tokens() tokens {
	t := tokens{input: tokensOf(r.bodySize)}
	for _, raw := range []jsontext.Value{r.maxOutputTokens, r.maxTokens, r.maxCompletionTokens} {
		// Of a number out of range ParseInt returns the nearest one within.
		if n, _ := strconv.ParseInt(string(raw), 10, 64); n > 0 {
			t.output = min(n, maxOutputTokens)
			break
		}
	}
	return t
}
