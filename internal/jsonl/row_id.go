package jsonl

import "github.com/go-json-experiment/json/jsontext"

// idReader reads the custom_id of a row and nothing behind it: whoever sends a
// row has checked all of it before.
type idReader struct {
	walker
	id []byte
}

func newIDReader() *idReader {
	r := &idReader{}
	r.opts = []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}
	return r
}

// read gives the id of one line, valid until the next.
func (r *idReader) read(line []byte) ([]byte, error) {
	if err := r.open(line); err != nil {
		return nil, err
	}
	for r.more() {
		name, err := r.name()
		if err != nil {
			return nil, err
		}
		isID := string(name) == "custom_id"
		raw, err := r.dec.ReadValue()
		switch {
		case err != nil:
			return nil, err
		case !isID:
			continue
		case raw.Kind() != jsontext.KindString:
			return nil, errNoCustomID
		}
		text, err := r.text(raw)
		if err != nil || len(text) == 0 {
			return nil, errNoCustomID
		}
		r.id = append(r.id[:0], text...)
		return r.id, nil
	}
	if err := r.close(); err != nil {
		return nil, err
	}
	return nil, errNoCustomID
}
