package jsonl

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
)

const markMessage = "the file begins with a UTF-8 byte order mark: save it without one"

// Inspect checks every row of an input against the rules, to its end, whatever
// it finds: what is wrong with the input is in the summary, an error means that
// it could not be read. The progress function may be nil; it is called about once
// a MiB and at the end.
func Inspect(ctx context.Context, r io.Reader, rules Rules, progress func(rows, bytes int64)) (Summary, error) {
	digest := sha256.New()
	in, used := newInspector(rules), map[digest128]int64{}
	meter := &meter{ctx: ctx, r: r}
	if progress != nil {
		meter.tell = func() { progress(in.sum.Rows, meter.read) }
	}
	lines := NewScanner(io.TeeReader(meter, digest), rules.MaxLine)
	for lines.Scan() {
		line := lines.Line()
		in.sum.Rows++
		message := in.check(line)
		if message == "" {
			message = claim(used, in.id, line.Number)
		}
		if message != "" {
			in.sum.note(line.Number, string(in.id), message)
		}
	}
	if err := lines.Err(); err != nil {
		return Summary{}, fmt.Errorf("inspect input: %w", err)
	}
	in.sum.Bytes, in.sum.BlankLines = lines.Offset(), lines.Blank()
	if lines.BOM() {
		in.sum.noteWhole(markMessage)
	}
	in.sum.SHA256 = hex.EncodeToString(digest.Sum(nil))
	if meter.tell != nil {
		meter.tell()
	}
	return in.finish(), nil
}

// finish adds what is wrong with the input as a whole.
func (in *inspector) finish() Summary {
	rules, sum := in.rules, &in.sum
	if sum.Rows == 0 {
		sum.noteWhole("the input has no rows")
	}
	if rules.MaxRows > 0 && sum.Rows > rules.MaxRows {
		sum.noteWhole(fmt.Sprintf("the input has %d rows; a batch may have %d", sum.Rows, rules.MaxRows))
	}
	if rules.MaxBytes > 0 && sum.Bytes > rules.MaxBytes {
		sum.noteWhole(fmt.Sprintf("the input has %d bytes; a batch may have %d", sum.Bytes, rules.MaxBytes))
	}
	sum.Endpoint, sum.Model = in.endpoint, in.model
	if sum.Model == "" {
		sum.Model = rules.Model
	}
	return *sum
}
