package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"batchkeeper/internal/secret"
)

const (
	defaultConnectTimeout = 10 * time.Second
	defaultHeaderTimeout  = 60 * time.Second
	defaultIdleTimeout    = 60 * time.Second
	defaultUserAgent      = "batchkeeper"
)

// Client calls one gateway. It repeats nothing by itself and may be used by
// several goroutines at once.
type Client struct {
	api    openai.Client
	http   *http.Client
	config Config
}

// New returns a client for the API at c.BaseURL, without any request. It takes
// nothing from the environment but the proxy.
func New(c Config) (*Client, error) {
	if err := checkBaseURL(c.BaseURL); err != nil {
		return nil, fmt.Errorf("gateway client: %w", err)
	}
	if c.Key == nil {
		return nil, errors.New("gateway client: no source of the API key")
	}
	if c.Dialect == "" {
		c.Dialect = Phaseo
	}
	if c.Dialect != Phaseo && c.Dialect != OpenAI {
		return nil, fmt.Errorf("gateway client: unknown dialect %q: use %q or %q", c.Dialect, Phaseo, OpenAI)
	}
	setDefault(&c.UserAgent, defaultUserAgent)
	setDefault(&c.ConnectTimeout, defaultConnectTimeout)
	setDefault(&c.HeaderTimeout, defaultHeaderTimeout)
	setDefault(&c.IdleTimeout, defaultIdleTimeout)
	if c.Transport == nil {
		c.Transport = newTransport(c)
	}
	client := &Client{config: c, http: &http.Client{Transport: c.Transport, CheckRedirect: stayHere}}
	// Built by hand because openai.NewClient reads base URL, keys, organization
	// and headers from OPENAI_* variables, which may be meant for another server.
	client.api = openai.Client{Options: []option.RequestOption{
		option.WithBaseURL(c.BaseURL),
		option.WithMaxRetries(0),
		option.WithHeader("User-Agent", c.UserAgent),
	}}
	return client, nil
}

// CloseIdleConnections closes the connections that are kept for later requests.
func (c *Client) CloseIdleConnections() { c.http.CloseIdleConnections() }

func (c *Client) key() (secret.Value, error) {
	key, err := c.config.Key()
	if err != nil {
		return secret.Value{}, fmt.Errorf("read the API key: %w", err)
	}
	if key.IsZero() {
		return secret.Value{}, errors.New("there is no API key: set it in the environment or in the file it is read from")
	}
	return key, nil
}

// stayHere hands every redirect back as the answer: following one would send
// the key or the rows to an address that a response chose.
func stayHere(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

func checkBaseURL(text string) error {
	u, err := url.Parse(text)
	if err != nil {
		return errors.New("the base URL cannot be parsed")
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return errors.New("the base URL is not http:// or https:// with a host")
	case u.User != nil:
		return errors.New("the base URL holds credentials: give the key on its own")
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(text, "#"):
		return errors.New("the base URL holds a query or a fragment")
	}
	return nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
