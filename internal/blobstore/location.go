package blobstore

import (
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
)

const (
	schemeFile = "file"
	schemeMem  = "mem"
)

// location is a place that objects can be in, parsed: a prefix or one object.
type location struct {
	scheme, host string
	path         string // decoded, cleaned, without slashes at its ends; of a file: the absolute path less its first slash
	query        url.Values
}

// parseLocation reads a blob URL. A query is kept: only an operator's URL may
// have one, since it can name the endpoint that credentials are sent to.
func parseLocation(raw string) (location, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return location{}, fmt.Errorf("%w: it is not a URL", ErrBadKey)
	}
	loc := location{scheme: strings.ToLower(u.Scheme), host: u.Host, query: u.Query()}
	switch {
	case u.User != nil:
		return location{}, fmt.Errorf("%w: a URL with credentials in it is refused", ErrBadKey)
	case u.Opaque != "" || u.Fragment != "":
		return location{}, fmt.Errorf("%w: want scheme://place/path without a fragment", ErrBadKey)
	case !slices.Contains([]string{schemeFile, schemeMem, "s3", "gs", "azblob"}, loc.scheme):
		return location{}, fmt.Errorf("%w: the scheme is none of file, s3, gs and azblob", ErrBadKey)
	case strings.ContainsAny(u.Path, "\x00\\"):
		return location{}, fmt.Errorf("%w: it has a NUL or a backslash", ErrBadKey)
	}
	if loc.scheme == schemeFile {
		return loc.asFile(u.Path)
	}
	return loc.asBucket(u.Path)
}

// asBucket reads the path of a bucket's URL as a prefix, which the drivers would
// ignore; a prefix in the query means the same.
func (l location) asBucket(p string) (location, error) {
	if l.host == "" && l.scheme != schemeMem {
		return location{}, fmt.Errorf("%w: it names no bucket", ErrBadKey)
	}
	for _, part := range []string{l.query.Get("prefix"), p} {
		if part = strings.Trim(part, "/"); part == "" {
			continue
		}
		if path.Clean(part) != part || part == "." || part == ".." || strings.HasPrefix(part, "../") {
			return location{}, fmt.Errorf("%w: it has an empty, \".\" or \"..\" segment", ErrBadKey)
		}
		l.path = path.Join(l.path, part)
	}
	l.query.Del("prefix")
	return l, nil
}

func (l location) asFile(p string) (location, error) {
	if l.host != "" && l.host != "localhost" {
		return location{}, fmt.Errorf("%w: a file URL has three slashes: file:///%s/…", ErrBadKey, l.host)
	}
	if !strings.HasPrefix(p, "/") {
		return location{}, fmt.Errorf("%w: a file URL needs an absolute path", ErrBadKey)
	}
	if l.query.Has("prefix") {
		return location{}, fmt.Errorf("%w: put the prefix into the path of a file URL", ErrBadKey)
	}
	l.host, l.path = "", strings.TrimPrefix(path.Clean(p), "/")
	return l, nil
}

// below is the key of other within l; ok is false where it is not inside.
func (l location) below(other location) (key string, ok bool) {
	if l.scheme != other.scheme || l.host != other.host {
		return "", false
	}
	if l.path == other.path {
		return "", true
	}
	if l.path == "" {
		return other.path, true
	}
	key, ok = strings.CutPrefix(other.path, l.path+"/")
	return key, ok
}

// dir is the directory of a file location.
func (l location) dir() string { return "/" + l.path }

// String shows where it is, without the query.
func (l location) String() string {
	return (&url.URL{Scheme: l.scheme, Host: l.host, Path: "/" + l.path}).String()
}

// FileURL is the URL of an absolute path.
func FileURL(abs string) string {
	return (&url.URL{Scheme: schemeFile, Path: abs}).String()
}

// PathOf is the path that a file URL names; ok is false for any other URL.
func PathOf(raw string) (abs string, ok bool) {
	loc, err := parseLocation(raw)
	if err != nil || loc.scheme != schemeFile {
		return "", false
	}
	return loc.dir(), true
}
