package env

import (
	"errors"
	"net/url"
	"strings"

	"batchkeeper/internal/secret"
)

// The dialects a gateway can speak, and where each lives by default.
const (
	dialectPhaseo = "phaseo"
	dialectOpenAI = "openai"

	phaseoBaseURL = "https://api.phaseo.app/v1"
	openAIBaseURL = "https://api.openai.com/v1"
)

// Gateway says where batches are made and with which credential.
type Gateway struct {
	// BaseURL is the API's root, without a slash at its end.
	BaseURL string
	// Key returns the credential as it is now: a key in a file is read anew, so
	// that a rotation needs no restart. The error names the variables to set.
	Key func() (secret.Value, error)
	// HasKey reports whether a credential is configured.
	HasKey bool
	// Dialect is "phaseo" or "openai".
	Dialect string
}

// gateway takes the OpenAI pair only where nothing of the Phaseo pair is set:
// a key never goes to the other's address.
func (r *reader) gateway() Gateway {
	phaseo, openAI := r.secret("PHASEO_API_KEY"), r.secret("OPENAI_API_KEY")
	phaseoURL, openAIURL := r.text("PHASEO_BASE_URL", ""), r.text("OPENAI_BASE_URL", "")
	if phaseo.Configured() || phaseoURL != "" || !openAI.Configured() && openAIURL == "" {
		base := r.baseURL("PHASEO_BASE_URL", phaseoURL, phaseoBaseURL)
		return Gateway{BaseURL: base, Key: keyOf(phaseo), HasKey: phaseo.Configured(), Dialect: dialectPhaseo}
	}
	base := r.baseURL("OPENAI_BASE_URL", openAIURL, openAIBaseURL)
	return Gateway{BaseURL: base, Key: keyOf(openAI), HasKey: openAI.Configured(), Dialect: dialectOpenAI}
}

func keyOf(s SecretSource) func() (secret.Value, error) {
	if s.Configured() {
		return s.Key
	}
	return func() (secret.Value, error) {
		return secret.Value{}, errors.New("gateway key: none is configured: set PHASEO_API_KEY or OPENAI_API_KEY, or its _FILE form")
	}
}

// baseURL does not repeat a refused value: it may hold a credential.
func (r *reader) baseURL(name, value, def string) string {
	if value == "" {
		return def
	}
	u, err := url.Parse(value)
	switch {
	case err != nil:
		r.failf("%s: is not a URL", name)
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		r.failf("%s: want a URL such as %s", name, def)
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.Contains(value, "#"):
		r.failf("%s: user, query and fragment are not allowed", name)
	}
	return strings.TrimRight(value, "/")
}
