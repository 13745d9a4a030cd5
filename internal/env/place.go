package env

import (
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
)

// store is BATCHKEEPER_STORE or the user's data directory, the same for every
// program of that user.
func (r *reader) store() string {
	const name = "BATCHKEEPER_STORE"
	if value := r.text(name, ""); value != "" {
		r.checkURL(name, value)
		return value
	}
	data := r.text("XDG_DATA_HOME", "")
	if !filepath.IsAbs(data) { // the XDG specification: a relative path is ignored
		home := r.text("HOME", "")
		if !filepath.IsAbs(home) {
			r.failf("%s: neither it nor XDG_DATA_HOME nor HOME is set: want a URL such as file:///var/lib/batchkeeper", name)
			return ""
		}
		data = filepath.Join(home, ".local", "share")
	}
	return (&url.URL{Scheme: "file", Path: filepath.Join(data, "batchkeeper")}).String()
}

func (r *reader) inputs() []string {
	const name = "BATCHKEEPER_INPUTS"
	var out []string
	for part := range strings.SplitSeq(r.text(name, ""), ",") {
		if part = strings.TrimSpace(part); part != "" {
			r.checkURL(name, part)
			out = append(out, part)
		}
	}
	return out
}

// checkURL does not repeat a refused value: it may hold a credential.
func (r *reader) checkURL(name, value string) {
	u, err := url.Parse(value)
	switch {
	case err != nil || u.Scheme == "" || u.Opaque != "":
		r.failf("%s: want URLs such as file:///var/lib/batchkeeper or s3://bucket", name)
	case u.User != nil:
		r.failf("%s: user and password are not allowed in the URL", name)
	case u.Scheme == "file" && (u.Host != "" && u.Host != "localhost" || !filepath.IsAbs(u.Path)):
		r.failf("%s: a file URL has three slashes and an absolute path, such as file:///var/lib/batchkeeper", name)
	}
}

func (r *reader) address(name, def string) string {
	value := r.text(name, def)
	_, port, err := net.SplitHostPort(value)
	if err != nil {
		r.failf("%s: %q: want host:port, such as %s", name, value, def)
		return value
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		r.failf("%s: %q: want a port from 0 to 65535", name, value)
	}
	return value
}
