package gateway

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"batchkeeper/internal/secret"
)

// minKeyBytes is the shortest signing key of the Standard Webhooks
// specification; anything shorter could be guessed, an empty one would accept
// every forgery.
const minKeyBytes = 24

const standardPrefix = "whsec_"

// SignPhaseo returns the lower-case hexadecimal signature that the gateway puts
// into x-phaseo-signature. timestamp is the exact text of x-phaseo-timestamp.
// The key is the whole secret text, its whsec_ included.
func SignPhaseo(key secret.Value, timestamp string, body []byte) string {
	return hex.EncodeToString(sum([]byte(key.Reveal()), timestamp+".", body))
}

// SignOpenAI returns a Standard Webhooks signature, "v1," and base64, for the
// webhook-signature header. The key is whsec_ and base64 of at least 24 bytes.
func SignOpenAI(key secret.Value, id, timestamp string, body []byte) (string, error) {
	raw, err := decodeStandardKey(key)
	if err != nil {
		return "", fmt.Errorf("sign webhook: %w", err)
	}
	return "v1," + base64.StdEncoding.EncodeToString(sum(raw, id+"."+timestamp+".", body)), nil
}

func sum(key []byte, prefix string, body []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(prefix))
	mac.Write(body)
	return mac.Sum(nil)
}

var errPlaceholder = errors.New("a signing secret holds zeros alone: use the endpoint's whole secret")

// isEmpty tells whether a key signs as the empty one does: HMAC fills a key up
// with zeros, so that zeros alone, however many, are no key.
func isEmpty(key []byte) bool { return len(bytes.Trim(key, "\x00")) == 0 }

func decodePhaseoKey(key secret.Value) ([]byte, error) {
	if len(key.Reveal()) < minKeyBytes {
		return nil, fmt.Errorf("a signing secret has fewer than %d bytes: use the endpoint's whole secret, whsec_ included", minKeyBytes)
	}
	if isEmpty([]byte(key.Reveal())) {
		return nil, errPlaceholder
	}
	return []byte(key.Reveal()), nil
}

func decodeStandardKey(key secret.Value) ([]byte, error) {
	encoded, ok := strings.CutPrefix(key.Reveal(), standardPrefix)
	if !ok {
		return nil, errors.New("a signing secret does not begin with whsec_: use the endpoint's whole secret")
	}
	// The decoder's own error would quote the secret's bytes.
	raw, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil || base64.StdEncoding.EncodeToString(raw) != encoded {
		return nil, errors.New("a signing secret is not whsec_ and base64: use the endpoint's whole secret")
	}
	if len(raw) < minKeyBytes {
		return nil, fmt.Errorf("a signing secret holds fewer than %d bytes: use the endpoint's whole secret", minKeyBytes)
	}
	if isEmpty(raw) {
		return nil, errPlaceholder
	}
	return raw, nil
}
