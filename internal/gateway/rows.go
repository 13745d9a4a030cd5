package gateway

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxRow is the longest line of rows sent inside a create call, in bytes: 16 MiB
// and its line end.
const maxRow = 16<<20 + 2

// rowList turns JSONL into the elements of a JSON array as it is read. A row
// that is no JSON object ends it with an error: it could otherwise close the
// array and add fields to the request.
type rowList struct {
	lines   *bufio.Scanner
	line    int
	any     bool   // a row was returned
	buffer  []byte // one row with its comma
	pending []byte // what of it is still to be read
}

func newRowList(rows io.Reader) *rowList {
	lines := bufio.NewScanner(rows)
	lines.Buffer(make([]byte, 0, 64<<10), maxRow)
	return &rowList{lines: lines}
}

// Read returns the next bytes of the list.
func (l *rowList) Read(p []byte) (int, error) {
	for len(l.pending) == 0 {
		if !l.lines.Scan() {
			return 0, l.end()
		}
		if err := l.take(l.lines.Bytes()); err != nil {
			return 0, err
		}
	}
	n := copy(p, l.pending)
	l.pending = l.pending[n:]
	return n, nil
}

func (l *rowList) end() error {
	if err := l.lines.Err(); err != nil {
		return fmt.Errorf("read row %d: %w", l.line+1, err)
	}
	if !l.any {
		return errors.New("read rows: there is none")
	}
	return io.EOF
}

func (l *rowList) take(line []byte) error {
	l.line++
	row := bytes.TrimSpace(line)
	if len(row) == 0 {
		return nil
	}
	if row[0] != '{' || !json.Valid(row) {
		return fmt.Errorf("read row %d: it is not a JSON object", l.line)
	}
	l.buffer = l.buffer[:0]
	if l.any {
		l.buffer = append(l.buffer, ',')
	}
	l.buffer = append(l.buffer, row...)
	l.pending, l.any = l.buffer, true
	return nil
}
