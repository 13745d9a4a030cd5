package jsonl

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// inspector checks rows one after another and remembers what they share, all
// but their ids: whoever drives it looks for duplicates.
type inspector struct {
	rules     Rules
	maxRow    int64 // the longest row that a batch can carry, its end included; 0: no limit
	rows      *rowReader
	sum       Summary
	endpoint  string
	model     string
	id        []byte // the line's custom_id, empty while it has none
	path      string // the line's url, normalized
	lineModel string // the line's model, empty while it is the last one accepted
	lastURL   []byte // the last url read, as sent
	lastPath  string // the same, normalized
	lastModel []byte // the last model accepted, as sent
}

func newInspector(rules Rules) *inspector {
	if rules.MaxCustomID <= 0 {
		rules.MaxCustomID = defaultMaxCustomID
	}
	if rules.MaxLine <= 0 {
		rules.MaxLine = DefaultMaxLine
	}
	rules.Endpoints = slices.Clone(rules.Endpoints)
	for i, e := range rules.Endpoints {
		rules.Endpoints[i] = NormalizeEndpoint(e)
	}
	return &inspector{
		rules: rules, rows: newRowReader(rules.ForbiddenKeys), endpoint: NormalizeEndpoint(rules.Endpoint),
	}
}

// check says what is wrong with a line; empty when nothing is. Only a good line
// decides what the lines after it share.
func (in *inspector) check(line Line) string {
	in.id, in.path, in.lineModel = in.id[:0], "", ""
	if line.TooLong {
		return fmt.Sprintf("the line is longer than %d bytes", in.rules.MaxLine)
	}
	problem := in.checkRow(line)
	if problem == "" {
		in.adopt()
	}
	return problem
}

func (in *inspector) checkRow(line Line) string {
	err := in.rows.read(line.Text)
	row := &in.rows.row
	idProblem := in.checkID(row.customID)
	if err != nil {
		return describe(err)
	}
	if idProblem != "" {
		return idProblem
	}
	if in.maxRow > 0 && line.Size > in.maxRow {
		return fmt.Sprintf("the row has %d bytes; a batch may have %d", line.Size, in.maxRow)
	}
	if !in.textIs(row.method, "POST") {
		return "method is not POST"
	}
	if problem := in.checkURL(row.url); problem != "" {
		return problem
	}
	return in.checkBody(row)
}

// adopt keeps what the rows after a good one must share with it.
func (in *inspector) adopt() {
	if in.endpoint == "" {
		in.endpoint = in.path
	}
	if in.lineModel == "" {
		return
	}
	if in.model == "" {
		in.model = in.lineModel
	}
	in.lastModel = append(in.lastModel[:0], in.rows.row.model...)
}

func (in *inspector) checkID(raw jsontext.Value) string {
	switch {
	case raw == nil:
		return "custom_id is missing"
	case raw.Kind() != jsontext.KindString:
		return "custom_id is not a string"
	}
	id, err := in.rows.text(raw)
	if err != nil {
		return "custom_id is not valid text"
	}
	in.id = append(in.id, id...)
	switch {
	case len(id) == 0:
		return "custom_id is empty"
	case len(id) > in.rules.MaxCustomID:
		return fmt.Sprintf("custom_id is %d bytes long; at most %d are allowed", len(id), in.rules.MaxCustomID)
	case in.rules.Inline && len(bytes.TrimSpace(id)) != len(id):
		return "custom_id has white space around it, which the gateway would cut off"
	}
	return ""
}

func (in *inspector) checkURL(raw jsontext.Value) string {
	switch {
	case raw == nil:
		return "url is missing"
	case raw.Kind() != jsontext.KindString:
		return "url is not a string"
	}
	path := in.lastPath
	if !bytes.Equal(raw, in.lastURL) {
		text, err := in.rows.text(raw)
		if err != nil {
			return "url is not valid text"
		}
		path = NormalizeEndpoint(string(text))
		in.lastURL, in.lastPath = append(in.lastURL[:0], raw...), path
	}
	if path == "" {
		return "url is empty"
	}
	if len(in.rules.Endpoints) > 0 && !slices.Contains(in.rules.Endpoints, path) {
		return fmt.Sprintf("url names %s; only %s can be used", cut(path, maxShownID), strings.Join(in.rules.Endpoints, ", "))
	}
	in.path = path
	if in.endpoint != "" && path != in.endpoint {
		return fmt.Sprintf("url names %s; this batch is for %s", cut(path, maxShownID), in.endpoint)
	}
	return ""
}

func (in *inspector) checkBody(row *row) string {
	switch {
	case row.body == nil:
		return "body is missing"
	case row.body.Kind() != jsontext.KindBeginObject:
		return "body is not an object"
	case row.stream.Kind() == jsontext.KindTrue:
		return "body.stream is true: a batch cannot stream"
	case row.forbidden != "":
		return fmt.Sprintf("body has the key %q, which cannot be used in a batch", row.forbidden)
	}
	if problem := in.checkModel(row.model); problem != "" {
		return problem
	}
	if problem := in.checkInput(row); problem != "" {
		return problem
	}
	return in.checkTokenLimit(row)
}

func (in *inspector) checkModel(raw jsontext.Value) string {
	switch {
	case raw == nil, bytes.Equal(raw, in.lastModel):
		return ""
	case raw.Kind() != jsontext.KindString:
		return "body.model is not a string"
	}
	text, err := in.rows.text(raw)
	if err != nil || len(text) == 0 {
		return "body.model is empty"
	}
	model := string(text)
	if want := in.rules.Model; want != "" && !sameModel(model, want) {
		return fmt.Sprintf("body.model is %q; this batch is for %q", cut(model, maxShownID), want)
	}
	same := in.model == "" || model == in.model || in.rules.Inline && sameModel(model, in.model)
	if in.rules.OneModel && !same {
		return fmt.Sprintf("body.model is %q; a row before uses %q, and a batch has one model",
			cut(model, maxShownID), cut(in.model, maxShownID))
	}
	in.lineModel = model
	return ""
}

func (in *inspector) checkInput(row *row) string {
	if !in.rules.RequireInput {
		return ""
	}
	switch in.path {
	case "/v1/responses", "/v1/embeddings":
		if row.input == nil || row.input.Kind() == jsontext.KindNull {
			return "body.input is missing"
		}
	case "/v1/chat/completions", "/v1/messages":
		if row.messages.Kind() != jsontext.KindBeginArray {
			return "body.messages is missing or not an array"
		}
		if len(bytes.TrimSpace(row.messages[1:len(row.messages)-1])) == 0 {
			return "body.messages is empty"
		}
	}
	return ""
}

func (in *inspector) checkTokenLimit(row *row) string {
	if !in.rules.RequireMaxOutputTokens {
		return ""
	}
	for _, raw := range []jsontext.Value{row.maxOutputTokens, row.maxTokens} {
		if raw == nil {
			continue
		}
		n, err := strconv.ParseInt(string(raw), 10, 64)
		if err != nil || n < 1 || n > maxOutputTokens {
			return fmt.Sprintf("the token limit is not a whole number from 1 to %d", maxOutputTokens)
		}
	}
	if row.maxOutputTokens == nil && row.maxTokens == nil && !in.rules.Inline {
		return "body has neither max_output_tokens nor max_tokens"
	}
	return ""
}

func (in *inspector) textIs(raw jsontext.Value, want string) bool {
	if raw.Kind() != jsontext.KindString {
		return false
	}
	text, err := in.rows.text(raw)
	return err == nil && string(text) == want
}
