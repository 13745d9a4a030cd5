package gatewaytest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	maxReservedRows  = 10_000
	maxFileLines     = 50_000
	maxCustomIDBytes = 512
	defaultTokens    = 16_384
	maxTokens        = 1_000_000
)

const (
	endpointResponses  = "/v1/responses"
	endpointChat       = "/v1/chat/completions"
	endpointEmbeddings = "/v1/embeddings"
)

// unboundedKeys may stand nowhere in a row's body: their cost cannot be held in advance.
var unboundedKeys = []string{
	"tools", "image", "image_url", "input_image", "audio", "input_audio", "video", "input_video", "modalities",
	"cache_control", "web_search_options",
}

// row is one request as it is sent.
type row struct {
	CustomID jsontext.Value `json:"custom_id"`
	Method   jsontext.Value `json:"method"`
	URL      jsontext.Value `json:"url"`
	Body     jsontext.Value `json:"body"`
}

// inlineRow knows the other spellings that the create call takes.
type inlineRow struct {
	row
	CustomIDToo jsontext.Value `json:"customId"`
	Request     jsontext.Value `json:"request"`
	Prompt      jsontext.Value `json:"prompt"`
}

// rowBody is what the checks look at.
type rowBody struct {
	Model           jsontext.Value `json:"model"`
	Stream          jsontext.Value `json:"stream"`
	Input           jsontext.Value `json:"input"`
	Messages        jsontext.Value `json:"messages"`
	MaxOutputTokens jsontext.Value `json:"max_output_tokens"`
	MaxTokens       jsontext.Value `json:"max_tokens"`
}

// rowProblem is why a row is refused. A problem of the reservation keeps its reason in both modes.
type rowProblem struct {
	line            int
	reason, message string
	reservation     bool
}

// rowSet collects what is known about a batch's rows while they are read.
type rowSet struct {
	endpoint, model string
	ids             map[string]int
	rows, failing   int
	shape           []rowProblem
	reservation     []rowProblem
}

func newRowSet(endpoint, model string) *rowSet {
	return &rowSet{endpoint: endpoint, model: model, ids: map[string]int{}}
}

func (set *rowSet) bad(line int, reason, format string, values ...any) {
	set.shape = append(set.shape, rowProblem{line: line, reason: reason, message: fmt.Sprintf(format, values...)})
}

func (set *rowSet) unreservable(line int, reason string) {
	set.reservation = append(set.reservation, rowProblem{line: line, reason: reason, reservation: true})
}

// add checks one complete row.
func (set *rowSet) add(line int, raw jsontext.Value) {
	set.rows++
	var r row
	if err := json.Unmarshal(raw, &r, json.JoinOptions(lenient...)); err != nil {
		set.bad(line, "invalid_request", "This line is not parseable as valid JSON.")
		return
	}
	id, isText := stringOf(r.CustomID)
	switch first, seen := set.ids[id]; {
	case !isText || id == "":
		set.bad(line, "invalid_request", "The custom_id is missing or not a string.")
	case len(id) > maxCustomIDBytes:
		set.bad(line, "batch_custom_id_too_long", "The custom_id is longer than %d bytes.", maxCustomIDBytes)
	case seen:
		set.bad(line, "duplicate_custom_id", "The custom_id for this request was already used on line %d.", first)
	}
	set.ids[id] = line
	if method, _ := stringOf(r.Method); method != "POST" {
		set.bad(line, "batch_method_not_supported", "The method must be POST.")
	}
	if url, _ := stringOf(r.URL); url == "" || normalEndpoint(url) != set.endpoint {
		set.bad(line, "batch_mixed_endpoints_not_supported", "The URL provided for this request does not match the batch endpoint.")
	}
	set.addBody(line, r.Body)
}

func (set *rowSet) addBody(line int, raw jsontext.Value) {
	var body rowBody
	if raw.Kind() != '{' || json.Unmarshal(raw, &body, json.JoinOptions(lenient...)) != nil {
		set.bad(line, "invalid_request_body", "The body is not an object.")
		return
	}
	if body.Stream.Kind() == 't' {
		set.bad(line, "batch_streaming_not_supported", "Streaming is not supported in a batch.")
	}
	switch {
	case (set.endpoint == endpointResponses || set.endpoint == endpointEmbeddings) && isNull(body.Input):
		set.bad(line, "batch_"+strings.TrimPrefix(set.endpoint, "/v1/")+"_input_required", "Missing required parameter: 'input'.")
	case set.endpoint == endpointChat && body.Messages.Kind() != '[':
		set.bad(line, "batch_messages_required", "Missing required parameter: 'messages'.")
	}
	set.addModel(line, body.Model)
	if limit := tokenLimit(body); limit < 1 || limit > maxTokens {
		set.unreservable(line, "batch_max_output_tokens_required")
	}
	if key, found := unbounded(raw); found {
		set.unreservable(line, "batch_unbounded_cost_dimension_not_supported")
		set.reservation[len(set.reservation)-1].message = key
	}
	if markerOf(raw).fails() {
		set.failing++
	}
}

func (set *rowSet) addModel(line int, raw jsontext.Value) {
	model, _ := stringOf(raw)
	switch {
	case model == "":
		set.bad(line, "missing_model", "Missing required parameter: 'model'.")
	case set.model == "":
		set.model = model
	case set.model != model:
		set.bad(line, "batch_multiple_models_not_supported", "All requests of a batch must be for the same model.")
	}
}

func tokenLimit(body rowBody) int64 {
	for _, raw := range []jsontext.Value{body.MaxOutputTokens, body.MaxTokens} {
		var limit int64
		if !isNull(raw) && json.Unmarshal(raw, &limit) == nil {
			return limit
		}
	}
	return 0
}

// unbounded looks for a forbidden key at any depth; the bytes are searched first, because most rows have none.
func unbounded(raw jsontext.Value) (string, bool) {
	suspect := slices.ContainsFunc(unboundedKeys, func(key string) bool { return bytes.Contains(raw, []byte(`"`+key+`"`)) })
	if !suspect && !bytes.Contains(raw, []byte(`\u`)) {
		return "", false
	}
	d := jsontext.NewDecoder(bytes.NewReader(raw), lenient...)
	for {
		token, err := d.ReadToken()
		if errors.Is(err, io.EOF) || err != nil {
			return "", false
		}
		kind, read := d.StackIndex(d.StackDepth())
		isName := kind == '{' && read%2 == 1 && token.Kind() == '"'
		if isName && slices.Contains(unboundedKeys, token.String()) {
			return token.String(), true
		}
	}
}
