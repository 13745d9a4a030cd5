package env

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"batchkeeper/internal/secret"
)

// maxSecretFile is far above any list of keys: a mistaken path must not fill
// the memory.
const maxSecretFile = 64 << 10

// SecretSource is where a secret, or several while one is being rotated, comes
// from: a variable, or a file that is read at every call. Its zero value is
// not configured.
type SecretSource struct {
	name string
	keys []secret.Value
	path string
}

// Configured reports whether the operator named a secret or a file.
func (s SecretSource) Configured() bool { return s.path != "" || len(s.keys) > 0 }

// Keys returns the secrets as they are now. The error names the variable when
// nothing is configured, or the file cannot be read or holds nothing.
func (s SecretSource) Keys() ([]secret.Value, error) {
	switch {
	case s.path != "":
		return readSecrets(s.name, s.path)
	case len(s.keys) > 0:
		return s.keys, nil
	default:
		return nil, errors.New("secret: none is configured")
	}
}

// Key returns the one secret of a source that holds exactly one.
func (s SecretSource) Key() (secret.Value, error) {
	keys, err := s.Keys()
	if err != nil {
		return secret.Value{}, err
	}
	if len(keys) != 1 {
		return secret.Value{}, fmt.Errorf("%s: holds %d secrets: want one", s.name, len(keys))
	}
	return keys[0], nil
}

func (r *reader) secret(name string) SecretSource {
	text, path := r.text(name, ""), r.text(name+"_FILE", "")
	s := SecretSource{name: name, path: path, keys: splitSecrets(text)}
	switch {
	case text != "" && path != "":
		r.failf("%s and %s_FILE: both are set: keep one", name, name)
	case text != "" && len(s.keys) == 0:
		r.failf("%s: holds nothing but separators", name)
	}
	return s
}

func readSecrets(name, path string) ([]secret.Value, error) {
	f, err := os.Open(path) // #nosec G304 -- the operator names the file
	if err != nil {
		return nil, fmt.Errorf("%s_FILE: %w", name, err)
	}
	defer func() { _ = f.Close() }()
	raw, err := io.ReadAll(io.LimitReader(f, maxSecretFile))
	if err != nil {
		return nil, fmt.Errorf("%s_FILE: %w", name, err)
	}
	keys := splitSecrets(string(raw))
	if len(keys) == 0 {
		return nil, fmt.Errorf("%s_FILE: %s holds no secret", name, path)
	}
	return keys, nil
}

func splitSecrets(text string) []secret.Value {
	var keys []secret.Value
	for part := range strings.FieldsFuncSeq(text, func(c rune) bool { return c == ',' || c == '\n' || c == '\r' }) {
		if key := secret.New(part); !key.IsZero() {
			keys = append(keys, key)
		}
	}
	return keys
}
