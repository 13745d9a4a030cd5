package gatewaytest

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const createBodyCap = 200 << 20

// The gateway's JSON parser takes what JavaScript's does: the last of two equal names, any bytes.
var lenient = []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}

// createRequest is the body of a create call; its rows, if any, stay on disk.
type createRequest struct {
	path    string // the whole body on disk
	sources []string
	rows    int
	fields  map[string]jsontext.Value
	size    int64
	invalid bool // not a JSON object
}

// receiveCreate streams the body to disk and reads its top level.
func (s *Server) receiveCreate(r *http.Request) (*createRequest, error) {
	c := &createRequest{path: s.newFile("", "").path, fields: map[string]jsontext.Value{}}
	size, err := writeFile(c.path, func(w io.Writer) error {
		_, err := io.Copy(w, io.LimitReader(r.Body, createBodyCap+1))
		return err
	})
	c.size = size
	if err != nil || size > createBodyCap {
		return c, err
	}
	c.invalid = c.readTop() != nil
	return c, nil
}

// discard removes the body from disk.
func (c *createRequest) discard() { _ = os.Remove(c.path) }

func (c *createRequest) readTop() error {
	return c.walk(func(name string, d *jsontext.Decoder) error {
		if !rowSource(name) {
			value, err := d.ReadValue()
			c.fields[name] = value.Clone()
			return err
		}
		c.sources = append(c.sources, name)
		if d.PeekKind() != '[' {
			return d.SkipValue()
		}
		return eachElement(d, func() error {
			c.rows++
			return d.SkipValue()
		})
	})
}

// eachRow gives the rows of the call again, in order; the value is valid until use returns.
func (c *createRequest) eachRow(use func(number int, row jsontext.Value) error) error {
	number := 0
	return c.walk(func(name string, d *jsontext.Decoder) error {
		if !rowSource(name) {
			return d.SkipValue()
		}
		return eachElement(d, func() error {
			value, err := d.ReadValue()
			if err != nil {
				return err
			}
			number++
			return use(number, value)
		})
	})
}

func rowSource(name string) bool { return name == "requests" || name == "prompts" || name == "items" }

// walk visits the names of the body's object; visit must consume the value.
func (c *createRequest) walk(visit func(name string, d *jsontext.Decoder) error) error {
	source, err := os.Open(c.path)
	if err != nil {
		return err
	}
	defer func() { _ = source.Close() }()
	d := jsontext.NewDecoder(source, lenient...)
	if token, err := d.ReadToken(); err != nil || token.Kind() != '{' {
		return errors.Join(errors.New("not an object"), err)
	}
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return err
		}
		if err := visit(name.String(), d); err != nil {
			return err
		}
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return errors.New("data after the object")
	}
	return nil
}

func eachElement(d *jsontext.Decoder, use func() error) error {
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() != ']' {
		if err := use(); err != nil {
			return err
		}
	}
	_, err := d.ReadToken()
	return err
}

// text gives a string field, or "" when it is absent or something else.
func (c *createRequest) text(names ...string) string {
	for _, name := range names {
		if value, found := stringOf(c.fields[name]); found && value != "" {
			return value
		}
	}
	return ""
}

func stringOf(v jsontext.Value) (string, bool) {
	if v.Kind() != '"' {
		return "", false
	}
	var text string
	err := json.Unmarshal(v, &text, json.JoinOptions(lenient...))
	return text, err == nil
}

func isNull(v jsontext.Value) bool { return len(v) == 0 || v.Kind() == 'n' }

// metadata gives the pairs, or false where the provider would refuse them.
func (c *createRequest) metadata() (map[string]string, bool) {
	raw := c.fields["metadata"]
	if isNull(raw) {
		return map[string]string{}, true
	}
	pairs := map[string]string{}
	if err := json.Unmarshal(raw, &pairs, json.JoinOptions(lenient...)); err != nil || len(pairs) > 16 {
		return nil, false
	}
	for k, v := range pairs {
		if len([]rune(k)) > 64 || len([]rune(v)) > 512 {
			return nil, false
		}
	}
	return pairs, true
}

// normalEndpoint takes off host, query and trailing slash, lowers the case and puts /v1 in front where it is missing.
func normalEndpoint(raw string) string {
	if _, rest, found := strings.Cut(raw, "://"); found {
		_, path, _ := strings.Cut(rest, "/")
		raw = "/" + path
	}
	raw, _, _ = strings.Cut(raw, "?")
	raw = "/" + strings.Trim(strings.ToLower(raw), "/")
	if raw != "/v1" && !strings.HasPrefix(raw, "/v1/") {
		raw = "/v1" + raw
	}
	return raw
}
