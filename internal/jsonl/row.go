package jsonl

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// row is one input line taken apart: raw values, nil where the member is absent.
type row struct {
	customID, method, url, body    jsontext.Value
	stream, model, input, messages jsontext.Value
	maxOutputTokens, maxTokens     jsontext.Value
	maxCompletionTokens            jsontext.Value
	bodySize                       int64  // in bytes, of a body that is an object
	forbidden                      string // the first forbidden name inside the body
}

// rowReader takes rows apart, strictly: duplicate names at any depth and
// invalid UTF-8 are errors.
type rowReader struct {
	walker
	forbidden map[string]bool
	row       row
}

func newRowReader(forbiddenKeys []string) *rowReader {
	r := &rowReader{}
	if len(forbiddenKeys) > 0 {
		r.forbidden = make(map[string]bool, len(forbiddenKeys))
		for _, k := range forbiddenKeys {
			r.forbidden[k] = true
		}
	}
	return r
}

// read takes one line apart. On an error the row holds what came before it.
func (r *rowReader) read(line []byte) error {
	r.row = row{}
	if err := r.open(line); err != nil {
		return err
	}
	for r.more() {
		name, err := r.name()
		if err != nil {
			return err
		}
		if err := r.member(name); err != nil {
			return err
		}
	}
	return r.close()
}

func (r *rowReader) member(name []byte) error {
	var field *jsontext.Value
	switch string(name) {
	case "custom_id":
		field = &r.row.customID
	case "method":
		field = &r.row.method
	case "url":
		field = &r.row.url
	case "body":
		return r.readBody()
	default:
		_, err := r.dec.ReadValue()
		return err
	}
	raw, err := r.dec.ReadValue()
	*field = raw
	return err
}

func (r *rowReader) readBody() error {
	if r.dec.PeekKind() != jsontext.KindBeginObject {
		raw, err := r.dec.ReadValue()
		r.row.body = raw
		return err
	}
	if _, err := r.dec.ReadToken(); err != nil {
		return err
	}
	at := r.dec.InputOffset()
	r.row.body = r.line[at-1 : at] // its kind is all that is asked of it
	for r.more() {
		name, err := r.name()
		if err != nil {
			return err
		}
		r.note(name)
		field := r.bodyField(name)
		raw, err := r.deepValue()
		if err != nil {
			return err
		}
		if field != nil {
			*field = raw
		}
	}
	_, err := r.dec.ReadToken()
	r.row.bodySize = r.dec.InputOffset() - at + 1
	return err
}

func (r *rowReader) bodyField(name []byte) *jsontext.Value {
	switch string(name) {
	case "stream":
		return &r.row.stream
	case "model":
		return &r.row.model
	case "input":
		return &r.row.input
	case "messages":
		return &r.row.messages
	case "max_output_tokens":
		return &r.row.maxOutputTokens
	case "max_tokens":
		return &r.row.maxTokens
	case "max_completion_tokens":
		return &r.row.maxCompletionTokens
	default:
		return nil
	}
}

// deepValue reads a value and looks at every name inside it.
func (r *rowReader) deepValue() (jsontext.Value, error) {
	if r.forbidden == nil {
		return r.dec.ReadValue()
	}
	start := r.dec.InputOffset()
	if err := r.descend(); err != nil {
		return nil, err
	}
	return bytes.TrimLeft(r.line[start:r.dec.InputOffset()], ": \t\r"), nil
}

// descend recurses no deeper than the decoder allows.
func (r *rowReader) descend() error {
	kind := r.dec.PeekKind()
	if kind != jsontext.KindBeginObject && kind != jsontext.KindBeginArray {
		_, err := r.dec.ReadValue()
		return err
	}
	if _, err := r.dec.ReadToken(); err != nil {
		return err
	}
	for r.more() {
		if kind == jsontext.KindBeginObject {
			name, err := r.name()
			if err != nil {
				return err
			}
			r.note(name)
		}
		if err := r.descend(); err != nil {
			return err
		}
	}
	_, err := r.dec.ReadToken()
	return err
}

func (r *rowReader) note(name []byte) {
	if r.row.forbidden == "" && r.forbidden[string(name)] {
		r.row.forbidden = string(name)
	}
}
