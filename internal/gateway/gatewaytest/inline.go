package gatewaytest

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// errRow ends the reading of rows; the row set knows why.
var errRow = errors.New("row refused")

// inputOf writes the file that the gateway makes of the rows of a create call: inherited models and missing token
// limits are filled in, ids trimmed.
func (s *Server) inputOf(c *createRequest, endpoint string) (*file, *rowSet, error) {
	model := strings.TrimPrefix(c.text("model"), "openai/")
	set := newRowSet(endpoint, model)
	f := s.newFile("batch_input.jsonl", "batch")
	size, err := writeFile(f.path, func(w io.Writer) error {
		return c.eachRow(func(number int, raw jsontext.Value) error {
			line, reason := completeRow(number, raw, endpoint, model)
			if reason != "" {
				set.bad(number, reason, "")
				return errRow
			}
			set.add(number, line)
			_, err := w.Write(append(line, '\n'))
			return err
		})
	})
	f.bytes = size
	if errors.Is(err, errRow) {
		err = nil
	}
	return f, set, err
}

// completeRow makes a whole row of what the call says about it, or tells why it cannot.
func completeRow(number int, raw jsontext.Value, endpoint, model string) (jsontext.Value, string) {
	var in inlineRow
	switch {
	case raw.Kind() == '"':
		in.Prompt = raw
	case raw.Kind() != '{' || json.Unmarshal(raw, &in, json.JoinOptions(lenient...)) != nil:
		return nil, "invalid_request"
	}
	id, found := firstText(in.CustomID, in.CustomIDToo)
	if id = strings.TrimSpace(id); !found || id == "" {
		id = fmt.Sprintf("request-%d", number)
	}
	method, found := stringOf(in.Method)
	if !found {
		method = "POST"
	}
	url, found := stringOf(in.URL)
	if !found {
		url = endpoint
	}
	body, reason := completeBody(in, endpoint, model)
	if reason != "" {
		return nil, reason
	}
	line, err := json.Marshal(struct {
		CustomID string                    `json:"custom_id"`
		Method   string                    `json:"method"`
		URL      string                    `json:"url"`
		Body     map[string]jsontext.Value `json:"body"`
	}{id, method, normalEndpoint(url), body}, json.JoinOptions(lenient...), json.Deterministic(true))
	if err != nil {
		return nil, "invalid_request"
	}
	return line, ""
}

func completeBody(in inlineRow, endpoint, model string) (map[string]jsontext.Value, string) {
	raw := in.Body
	if isNull(raw) {
		raw = in.Request
	}
	body := map[string]jsontext.Value{}
	switch {
	case !isNull(raw):
		if json.Unmarshal(raw, &body, json.JoinOptions(lenient...)) != nil {
			return nil, "invalid_request_body"
		}
	case isNull(in.Prompt):
		return nil, "invalid_prompt_item"
	case endpoint == endpointChat:
		body["messages"] = jsontext.Value(`[{"role":"user","content":` + string(in.Prompt) + `}]`)
	default:
		body["input"] = in.Prompt
	}
	own, _ := stringOf(body["model"])
	own = strings.TrimPrefix(own, "openai/")
	switch {
	case own == "" && model == "":
		return nil, "missing_model"
	case own != "" && model != "" && own != model:
		return nil, "batch_model_conflict"
	}
	quoted, err := jsontext.AppendQuote(nil, orDefault(own, model))
	if err != nil {
		return nil, "missing_model"
	}
	body["model"] = quoted
	fillTokens(body, endpoint)
	return body, ""
}

// fillTokens adds the gateway's token limit. In chat it looks at max_tokens alone, even beside max_completion_tokens.
func fillTokens(body map[string]jsontext.Value, endpoint string) {
	name := "max_output_tokens"
	if endpoint == endpointChat {
		name = "max_tokens"
	}
	if isNull(body[name]) {
		body[name] = jsontext.Value(fmt.Sprint(defaultTokens))
	}
}

func firstText(values ...jsontext.Value) (string, bool) {
	for _, v := range values {
		if text, found := stringOf(v); found {
			return text, true
		}
	}
	return "", false
}
