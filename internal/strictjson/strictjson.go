// Package strictjson reads JSON that somebody else wrote: what two readers
// could understand differently is refused, so that a signed body or a row means
// the same thing to everyone who parses it.
package strictjson

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// MaxDepth is how many arrays and objects may stand inside one another.
const MaxDepth = 64

// ErrTooDeep is the error for a value nested deeper than MaxDepth.
var ErrTooDeep = errors.New("nested deeper than 64 levels")

// Unmarshal decodes exactly one JSON value into v. Duplicate names at any
// depth, invalid UTF-8, anything after the value and nesting beyond MaxDepth are
// errors; names match exactly, unknown ones are ignored.
func Unmarshal(data []byte, v any) error {
	if tooDeep(data) {
		return fmt.Errorf("decode JSON: %w", ErrTooDeep)
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("decode JSON: %w", err)
	}
	return nil
}

// Plain returns data with every string in its plainest form, "\u0061" as "a", so
// that a text is found however it was written. What Unmarshal would refuse comes
// back as it is.
func Plain(data []byte) []byte {
	if bytes.IndexByte(data, '\\') < 0 || tooDeep(data) {
		return data
	}
	plain := jsontext.Value(bytes.Clone(data))
	if plain.Format(jsontext.PreserveRawStrings(false)) != nil {
		return data
	}
	return plain
}

// tooDeep counts brackets outside strings: the parser's own limit is far higher
// and cannot be set. Text that is not JSON may be counted wrongly in either
// direction; the parser refuses it anyway.
func tooDeep(data []byte) bool {
	depth, inString := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > MaxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}
