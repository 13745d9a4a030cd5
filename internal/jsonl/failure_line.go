package jsonl

import (
	"errors"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

var (
	errNoClass = errors.New("class is not that of a row without an answer")
	errNoLine  = errors.New("line is not a line number")
)

// failureReader takes apart the lines that Join writes for rows without an answer.
type failureReader struct {
	answerReader
	class         string
	line          int64
	outer, inner  words // of the error member, of an error in the response's body
	response, err jsontext.Value
	status        int64
}

// words are a provider's names for an error.
type words struct{ code, kind string }

func (w words) best() string {
	if w.code != "" {
		return w.code
	}
	return w.kind
}

func newFailureReader() *failureReader {
	return &failureReader{answerReader: *newAnswerReader()}
}

// read takes one line apart and gives the row's id, valid until the next line.
func (r *failureReader) read(line []byte) ([]byte, error) {
	r.class, r.line, r.status = "", 0, 0
	r.outer, r.inner, r.response, r.err = words{}, words{}, nil, nil
	if !utf8.Valid(line) {
		return nil, errNotUTF8
	}
	if err := r.open(line); err != nil {
		return nil, err
	}
	var id []byte
	for r.more() {
		name, err := r.name()
		if err == nil && string(name) == "custom_id" {
			id, err = r.readID()
		} else if err == nil {
			err = r.failureMember(name)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := r.close(); err != nil {
		return nil, err
	}
	switch {
	case len(id) == 0:
		return nil, errNoCustomID
	case r.class == "":
		return nil, errNoClass
	case r.line < 1:
		return nil, errNoLine
	}
	return id, nil
}

// failure is what the line says.
func (r *failureReader) failure() Failure {
	code := r.outer.best()
	if code == "" {
		code = r.inner.best()
	}
	return Failure{Class: r.class, Status: int(r.status), Code: code}
}

func (r *failureReader) failureMember(name []byte) error {
	var err error
	switch string(name) {
	case "class":
		var raw jsontext.Value
		raw, err = r.dec.ReadValue()
		r.class = classNamed(raw)
	case "line":
		var raw jsontext.Value
		raw, err = r.dec.ReadValue()
		r.line = whole(raw)
	case "response":
		r.response, err = r.object(r.responseMember)
	case "error":
		r.err, err = r.errorWords(&r.outer)
	default:
		_, err = r.dec.ReadValue()
	}
	return err
}

func (r *failureReader) responseMember(name []byte) error {
	switch string(name) {
	case "status_code":
		raw, err := r.dec.ReadValue()
		r.status = whole(raw)
		return err
	case "body":
		_, err := r.object(r.bodyMember)
		return err
	default:
		_, err := r.dec.ReadValue()
		return err
	}
}

func (r *failureReader) bodyMember(name []byte) error {
	if string(name) == "error" {
		_, err := r.errorWords(&r.inner)
		return err
	}
	_, err := r.dec.ReadValue()
	return err
}

// errorWords reads an error: an object with a code and a type, or the code alone.
func (r *failureReader) errorWords(w *words) (jsontext.Value, error) {
	raw, err := r.object(func(name []byte) error {
		var err error
		switch string(name) {
		case "code":
			w.code, err = r.word()
		case "type":
			w.kind, err = r.word()
		default:
			_, err = r.dec.ReadValue()
		}
		return err
	})
	if err == nil && raw.Kind() == jsontext.KindString {
		w.code = r.short(raw)
	}
	return raw, err
}

// word reads any value; what is no string is no word.
func (r *failureReader) word() (string, error) {
	raw, err := r.dec.ReadValue()
	if err != nil || raw.Kind() != jsontext.KindString {
		return "", err
	}
	return r.short(raw), nil
}

// short is the beginning of a string, as much as anybody compares or shows.
func (r *failureReader) short(raw jsontext.Value) string {
	text, err := r.text(raw)
	if err != nil {
		return ""
	}
	return string(text[:min(len(text), 4*maxCause)])
}
