package jsonl

import (
	"strings"
)

// Rules is what the rows of an input must keep.
type Rules struct {
	// MaxRows and MaxBytes bound the input; 0: no limit.
	MaxRows, MaxBytes int64
	// MaxLine is the longest line in bytes, its end included; 0: DefaultMaxLine.
	MaxLine int
	// Endpoint is what every row's url must name once normalized; empty: what the
	// first good row names.
	Endpoint string
	// Endpoints are those allowed; none: any.
	Endpoints []string
	// Model is what a row's model must be, where it names one; empty: any. A
	// provider prefix on one side only ("openai/gpt-5-mini") makes no difference.
	Model string
	// OneModel refuses rows that name different models.
	OneModel bool
	// MaxCustomID is the longest custom_id in bytes; 0: 512.
	MaxCustomID int
	// Inline tells that the rows travel in the create call, where the gateway
	// trims custom_id (so white space around it is refused), strips the provider
	// off the model and fills in a missing token limit.
	Inline bool
	// RequireMaxOutputTokens refuses a row without max_output_tokens or
	// max_tokens of 1 to 1,000,000; with Inline only a wrong value is refused.
	RequireMaxOutputTokens bool
	// ForbiddenKeys may not be a name anywhere inside a row's body.
	ForbiddenKeys []string
	// RequireInput refuses a row without the text its endpoint works on: input for
	// responses and embeddings, messages for chat completions and messages.
	RequireInput bool
}

// defaultMaxCustomID is the gateway's limit, in bytes of UTF-8.
const defaultMaxCustomID = 512

// maxOutputTokens is the gateway's bound on a row's token limit.
const maxOutputTokens = 1_000_000

// NormalizeEndpoint reads an endpoint as the gateway does: host, query, trailing
// slashes and case do not matter, and a missing /v1 is added. It is empty for an
// empty one.
func NormalizeEndpoint(endpoint string) string {
	e := strings.TrimSpace(endpoint)
	if _, after, ok := strings.Cut(e, "://"); ok {
		_, path, _ := strings.Cut(after, "/")
		e = "/" + path
	}
	if i := strings.IndexAny(e, "?#"); i >= 0 {
		e = e[:i]
	}
	e = strings.ToLower(strings.Trim(e, "/"))
	switch {
	case e == "":
		return ""
	case e == "v1", strings.HasPrefix(e, "v1/"):
		return "/" + e
	default:
		return "/v1/" + e
	}
}

// sameModel compares two model names, where one may carry its provider's prefix.
func sameModel(a, b string) bool {
	return a == b || strings.HasSuffix(a, "/"+b) || strings.HasSuffix(b, "/"+a)
}
