// Package secret keeps credentials from being printed: a Value can be passed,
// logged, formatted and encoded anywhere, and only Reveal gives its text away.
package secret

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
)

const redacted = "[redacted]"

// Value is a credential. Its zero value is no credential at all.
type Value struct {
	text string
}

// New returns s as a credential, without the white space around it: mounted
// secret files usually end with a newline.
func New(s string) Value {
	return Value{text: strings.TrimSpace(s)}
}

// Reveal returns the credential itself; hand it to nothing but the wire.
func (v Value) Reveal() string { return v.text }

// IsZero reports whether there is no credential.
func (v Value) IsZero() bool { return v.text == "" }

// String returns a placeholder.
func (v Value) String() string { return redacted }

// GoString returns a placeholder.
func (v Value) GoString() string { return redacted }

// Format writes a placeholder for every verb, those that would print the
// struct's fields included.
func (v Value) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue returns a placeholder.
func (v Value) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON returns a placeholder.
func (v Value) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText returns a placeholder.
func (v Value) MarshalText() ([]byte, error) { return []byte(redacted), nil }
