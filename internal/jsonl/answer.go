package jsonl

import (
	"errors"
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Usage is what answers cost, in tokens.
type Usage struct {
	InputTokens, OutputTokens, TotalTokens int64
}

func (u *Usage) add(v Usage) {
	u.InputTokens += v.InputTokens
	u.OutputTokens += v.OutputTokens
	u.TotalTokens += v.TotalTokens
}

// complete fills in a total that the provider did not give.
func (u Usage) complete() Usage {
	if u.TotalTokens == 0 {
		u.TotalTokens = u.InputTokens + u.OutputTokens
	}
	return u
}

// answer is one line of a provider's output or error file taken apart.
type answer struct {
	customID      []byte         // valid until the next line is read
	response, err jsontext.Value // as sent; nil where absent
	status        int64
	hasBody       bool
	code          string // error.code, where it is one that makes a class
	usage         Usage
}

// succeeded is the rule for an answered row: a 2xx with a body and no error.
func (a *answer) succeeded() bool {
	return a.status >= 200 && a.status < 300 && a.hasBody && isNull(a.err)
}

func isNull(raw jsontext.Value) bool { return raw == nil || raw.Kind() == jsontext.KindNull }

// answerReader takes answers apart. It is lenient where the row has been paid
// for and the meaning is clear: half a surrogate pair in a model's text, or a
// name that is repeated inside a body, does not lose an answer.
type answerReader struct {
	walker
	id     []byte
	answer answer
}

func newAnswerReader() *answerReader {
	r := &answerReader{}
	r.opts = []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}
	return r
}

var (
	errNoCustomID = errors.New("custom_id is missing, empty or not a string")
	errTwice      = errors.New("a name stands twice at the top level")
	errNotUTF8    = errors.New("not valid UTF-8")
)

// read takes one line apart; an error means that it cannot be told which row
// the line answers.
func (r *answerReader) read(line []byte) error {
	r.answer = answer{}
	if !utf8.Valid(line) {
		return errNotUTF8
	}
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
	if err := r.close(); err != nil {
		return err
	}
	if len(r.answer.customID) == 0 {
		return errNoCustomID
	}
	return nil
}

func (r *answerReader) member(name []byte) error {
	a := &r.answer
	var err error
	switch string(name) {
	case "custom_id":
		if a.customID != nil {
			return errTwice
		}
		a.customID, err = r.readID()
	case "response":
		if a.response != nil {
			return errTwice
		}
		a.response, err = r.object(r.responseMember)
	case "error":
		if a.err != nil {
			return errTwice
		}
		a.err, err = r.object(r.errorMember)
	default:
		_, err = r.dec.ReadValue()
	}
	return err
}

func (r *answerReader) readID() ([]byte, error) {
	raw, err := r.dec.ReadValue()
	if err != nil {
		return nil, err
	}
	if raw.Kind() != jsontext.KindString {
		return nil, errNoCustomID
	}
	text, err := r.text(raw)
	if err != nil {
		return nil, errNoCustomID
	}
	r.id = append(r.id[:0], text...)
	return r.id, nil
}

// object reads any value; of an object each member is visited.
func (r *answerReader) object(visit func(name []byte) error) (jsontext.Value, error) {
	if r.dec.PeekKind() != jsontext.KindBeginObject {
		return r.dec.ReadValue()
	}
	if _, err := r.dec.ReadToken(); err != nil {
		return nil, err
	}
	start := r.dec.InputOffset() - 1
	for r.more() {
		name, err := r.name()
		if err != nil {
			return nil, err
		}
		if err := visit(name); err != nil {
			return nil, err
		}
	}
	_, err := r.dec.ReadToken()
	return r.line[start:r.dec.InputOffset()], err
}

func (r *answerReader) responseMember(name []byte) error {
	switch string(name) {
	case "status_code":
		raw, err := r.dec.ReadValue()
		r.answer.status = whole(raw)
		return err
	case "body":
		raw, err := r.object(r.bodyMember)
		r.answer.hasBody = !isNull(raw)
		return err
	default:
		_, err := r.dec.ReadValue()
		return err
	}
}

func (r *answerReader) errorMember(name []byte) error {
	isCode := string(name) == "code"
	raw, err := r.dec.ReadValue()
	if isCode {
		switch string(raw) {
		case `"batch_expired"`:
			r.answer.code = "batch_expired"
		case `"batch_cancelled"`:
			r.answer.code = "batch_cancelled"
		}
	}
	return err
}

func (r *answerReader) bodyMember(name []byte) error {
	if string(name) == "usage" {
		_, err := r.object(r.usageMember)
		return err
	}
	_, err := r.dec.ReadValue()
	return err
}

// usageMember knows both shapes, that of responses and that of chat; where a
// body has both, they say the same.
func (r *answerReader) usageMember(name []byte) error {
	var field *int64
	switch string(name) {
	case "input_tokens", "prompt_tokens":
		field = &r.answer.usage.InputTokens
	case "output_tokens", "completion_tokens":
		field = &r.answer.usage.OutputTokens
	case "total_tokens":
		field = &r.answer.usage.TotalTokens
	}
	raw, err := r.dec.ReadValue()
	if field != nil {
		*field = max(*field, whole(raw))
	}
	return err
}

// whole is a raw number that is whole, not negative and below 2^53; else 0.
func whole(raw jsontext.Value) int64 {
	const maxSafe = 1<<53 - 1
	if raw.Kind() != jsontext.KindNumber {
		return 0
	}
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil || n < 0 || n > maxSafe {
		return 0
	}
	return n
}
