package gateway

import (
	"errors"
	"net/url"
	"strings"
	"unicode"
)

const maxID = 256 // bytes

// below returns collection/id with the id escaped, or an error for an id that
// could mean anything but one path segment: the gateway cuts ids out of the raw
// URL text.
func below(collection, id string) (string, error) {
	switch {
	case id == "" || id == "." || id == "..":
		return "", errors.New("the id is empty or a path step")
	case len(id) > maxID:
		return "", errors.New("the id is longer than 256 bytes")
	case strings.ContainsAny(id, `/\?#`) || strings.ContainsFunc(id, unicode.IsControl):
		return "", errors.New("the id holds a character that ids do not have")
	}
	return collection + "/" + url.PathEscape(id), nil
}
