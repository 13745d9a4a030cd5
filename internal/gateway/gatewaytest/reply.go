package gatewaytest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// marker is a mark in a row's text that asks for a certain answer, so that examples can show failures.
type marker struct {
	mark      string
	status    int    // of the row's response; 0: no response at all
	code      string // of the error
	message   string
	truncated bool // 200, yet unusable: the answer stops at its token limit
}

var markers = []marker{
	{mark: "[[fail]]", status: http.StatusBadRequest, code: "invalid_prompt", message: "The row asked to fail."},
	{mark: "[[429]]", status: http.StatusTooManyRequests, code: "rate_limit_exceeded", message: "Rate limit reached for this row."},
	{mark: "[[500]]", status: http.StatusInternalServerError, code: "server_error", message: "The server had an error."},
	{mark: "[[503]]", status: http.StatusServiceUnavailable, code: "overloaded", message: "The server is overloaded."},
	{mark: "[[timeout]]", code: "request_timeout", message: "This request could not be executed in time."},
	{mark: "[[incomplete]]", status: http.StatusOK, truncated: true},
}

func (m marker) fails() bool { return m.mark != "" && m.status != http.StatusOK }

func markerOf(body []byte) marker {
	if !bytes.Contains(body, []byte("[[")) {
		return marker{}
	}
	for _, m := range markers {
		if bytes.Contains(body, []byte(m.mark)) {
			return m
		}
	}
	return marker{}
}

// passing finds a mark such as [[429x2]]: the row fails as [[429]] does the first
// two times that its custom_id is answered, and is answered the third time.
func passing(body []byte) (m marker, times int) {
	if !bytes.Contains(body, []byte("[[")) {
		return marker{}, 0
	}
	for _, m := range markers {
		_, after, found := bytes.Cut(body, []byte(strings.TrimSuffix(m.mark, "]]")+"x"))
		digits, _, closed := bytes.Cut(after, []byte("]]"))
		if n, err := strconv.Atoi(string(digits)); found && closed && err == nil {
			return m, n
		}
	}
	return marker{}, 0
}

// line is a line of an output or error file.
type line struct {
	ID       string         `json:"id"`
	CustomID jsontext.Value `json:"custom_id"`
	Response any            `json:"response"`
	Error    any            `json:"error"`
}

// reply answers one row, as forced asks where it asks for something: the same row gets the same answer, whatever else is
// in the batch.
func reply(endpoint string, raw []byte, forced marker) (line, usage, bool) {
	var r row
	if err := json.Unmarshal(raw, &r, json.JoinOptions(lenient...)); err != nil {
		r.CustomID = jsontext.Value(`""`)
	}
	hash := sha256.Sum256(raw)
	digest := hex.EncodeToString(hash[:])
	l := line{ID: "batch_req_" + digest[:24], CustomID: r.CustomID}
	m := markerOf(r.Body)
	if forced.fails() && !m.fails() {
		m = forced
	}
	switch {
	case m.fails() && m.status == 0:
		l.Error = object{"code": m.code, "message": m.message}
		return l, usage{}, false
	case m.fails():
		l.Response = response(m.status, digest, object{"error": object{
			"message": "[emulator] " + m.message, "type": "invalid_request_error", "param": nil, "code": m.code,
		}})
		return l, usage{}, false
	}
	body, used := complete(endpoint, r.Body, digest, m.truncated)
	l.Response = response(http.StatusOK, digest, body)
	return l, used, true
}

func response(status int, digest string, body any) object {
	return object{"status_code": status, "request_id": "req_emulator_" + digest[:16], "body": body}
}

// complete makes the body of a successful answer. Tokens are counted as four bytes each.
func complete(endpoint string, raw jsontext.Value, digest string, truncated bool) (object, usage) {
	var body rowBody
	_ = json.Unmarshal(raw, &body, json.JoinOptions(lenient...)) // checked when the batch was made
	model, _ := stringOf(body.Model)
	prompt := body.Input
	if endpoint == endpointChat {
		prompt = body.Messages
	}
	answer := answerText(prompt, digest)
	used := usage{input: int64(len(prompt))/4 + 1, output: int64(len(answer))/4 + 1}
	switch endpoint {
	case endpointChat:
		return chatBody(nativeModel(model), answer, digest, truncated, used), used
	case endpointEmbeddings:
		used.output = 0
		return embeddingBody(nativeModel(model), digest, used), used
	default:
		return responsesBody(nativeModel(model), answer, digest, truncated, used), used
	}
}

func responsesBody(model, answer, digest string, truncated bool, used usage) object {
	status, details := "completed", any(nil)
	if truncated {
		status, details = "incomplete", object{"reason": "max_output_tokens"}
	}
	return object{
		"id": "resp_emulator_" + digest[:24], "object": "response", "created_at": 0, "model": model, "status": status,
		"error": nil, "incomplete_details": details, "metadata": object{"emulator": "true"},
		"output": []any{object{
			"id": "msg_emulator_" + digest[:24], "type": "message", "role": "assistant", "status": status,
			"content": []any{object{"type": "output_text", "text": answer, "annotations": []any{}}},
		}},
		"usage": object{
			"input_tokens": used.input, "output_tokens": used.output, "total_tokens": used.input + used.output,
			"input_tokens_details": object{"cached_tokens": 0}, "output_tokens_details": object{"reasoning_tokens": 0},
		},
	}
}

func chatBody(model, answer, digest string, truncated bool, used usage) object {
	reason := "stop"
	if truncated {
		reason = "length"
	}
	return object{
		"id": "chatcmpl-emulator-" + digest[:24], "object": "chat.completion", "created": 0, "model": model,
		"system_fingerprint": "fp_emulator",
		"choices": []any{object{
			"index": 0, "finish_reason": reason, "logprobs": nil,
			"message": object{"role": "assistant", "content": answer, "refusal": nil},
		}},
		"usage": object{
			"prompt_tokens": used.input, "completion_tokens": used.output, "total_tokens": used.input + used.output,
		},
	}
}

func embeddingBody(model, digest string, used usage) object {
	vector := make([]float64, 8)
	for i := range vector {
		vector[i] = float64(digest[i])/128 - 0.5
	}
	return object{
		"object": "list", "model": model, "data": []any{object{"object": "embedding", "index": 0, "embedding": vector}},
		"usage": object{"prompt_tokens": used.input, "total_tokens": used.input},
	}
}

// answerText says what it is, and enough of the prompt to recognize it.
func answerText(prompt jsontext.Value, digest string) string {
	const shown = 12
	words := strings.Fields(promptText(prompt))
	excerpt := strings.Join(words[:min(len(words), shown)], " ")
	if len(words) > shown {
		excerpt += " …"
	}
	return fmt.Sprintf("[emulator] No model ran. Prompt of %d words: %q. Digest %s.", len(words), excerpt, digest[:8])
}

// promptText is the text that a prompt ends with: the prompt itself, or the last content of a list of messages.
func promptText(raw jsontext.Value) string {
	if text, found := stringOf(raw); found {
		return text
	}
	var items []struct {
		Content jsontext.Value `json:"content"`
		Text    jsontext.Value `json:"text"`
	}
	if raw.Kind() != '[' || json.Unmarshal(raw, &items, json.JoinOptions(lenient...)) != nil || len(items) == 0 {
		return string(raw)
	}
	last := items[len(items)-1]
	if !isNull(last.Content) {
		return promptText(last.Content)
	}
	return promptText(last.Text)
}
