package jsonl

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// errTrailing is the error for a line that goes on after its value.
var errTrailing = errors.New("there is more after the JSON value")

// walker reads the JSON of one line after another without copying it: raw
// values are parts of the line and stay valid as long as the line does.
type walker struct {
	dec     jsontext.Decoder
	buf     bytes.Buffer
	opts    []jsontext.Options
	line    []byte
	scratch []byte
}

// open starts on a line, which must be an object, and steps into it.
func (w *walker) open(line []byte) error {
	w.line = line
	w.buf = *bytes.NewBuffer(line)
	w.dec.Reset(&w.buf, w.opts...)
	if kind := w.dec.PeekKind(); kind != jsontext.KindBeginObject && kind != jsontext.KindInvalid {
		return errors.New("not a JSON object")
	}
	_, err := w.dec.ReadToken()
	return err
}

// close steps out of the line's object; nothing may follow.
func (w *walker) close() error {
	if _, err := w.dec.ReadToken(); err != nil {
		return err
	}
	if kind := w.dec.PeekKind(); kind != jsontext.KindInvalid {
		return errTrailing
	}
	_, err := w.dec.ReadToken()
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case err == nil:
		return errTrailing
	default:
		return err
	}
}

// more tells whether the object or array that is being read goes on. After a
// syntax error it says yes; the next read reports the error.
func (w *walker) more() bool {
	kind := w.dec.PeekKind()
	return kind != jsontext.KindEndObject && kind != jsontext.KindEndArray
}

// name reads a member's name, valid until the next text or name.
func (w *walker) name() ([]byte, error) {
	raw, err := w.dec.ReadValue()
	if err != nil {
		return nil, err
	}
	if raw.Kind() != jsontext.KindString {
		return nil, jsontext.ErrNonStringName
	}
	return w.text(raw)
}

// text is the content of a raw JSON string, valid until the next text or name.
func (w *walker) text(raw jsontext.Value) ([]byte, error) {
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1], nil
	}
	text, err := jsontext.AppendUnquote(w.scratch[:0], raw)
	w.scratch = text
	return text, err
}

// describe says what is wrong with a line's JSON, without quoting its values.
func describe(err error) string {
	var syntax *jsontext.SyntacticError
	if !errors.As(err, &syntax) {
		return err.Error()
	}
	switch where := syntax.JSONPointer; {
	case errors.Is(syntax.Err, jsontext.ErrDuplicateName):
		return fmt.Sprintf("not valid JSON: duplicate name %q", cut(where.LastToken(), maxShownID))
	case errors.Is(syntax.Err, io.ErrUnexpectedEOF):
		return "not valid JSON: the line ends in the middle of a value"
	case where == "":
		return fmt.Sprintf("not valid JSON: %v after byte %d", syntax.Err, syntax.ByteOffset)
	default:
		return fmt.Sprintf("not valid JSON: %v in %s after byte %d", syntax.Err, cut(string(where), maxShownID), syntax.ByteOffset)
	}
}
