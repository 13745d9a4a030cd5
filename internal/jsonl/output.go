package jsonl

import (
	"bufio"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

func classOf(a *answer) string {
	switch a.code {
	case "batch_expired":
		return ClassExpired
	case "batch_cancelled":
		return ClassCancelled
	default:
		return ClassRowError
	}
}

// fail writes and counts a row that has no answer.
func (r *joiner) fail(id []byte, class string, line int64, a *answer) error {
	switch class {
	case ClassRowError:
		r.tally.Failed++
	case ClassExpired:
		r.tally.Expired++
	case ClassCancelled:
		r.tally.Cancelled++
	default:
		r.tally.Missing++
	}
	out, err := appendFailure(r.out[:0], id, class, line, a.response, a.err)
	if err != nil {
		return err
	}
	r.out = append(out, '}')
	return writeLine(r.failed, r.out)
}

// appendFailure builds the line of a row without an answer, all but its last brace.
func appendFailure(out, id []byte, class string, line int64, response, cause jsontext.Value) ([]byte, error) {
	out, err := jsontext.AppendQuote(append(out, `{"custom_id":`...), id)
	if err != nil {
		return nil, fmt.Errorf("custom_id: %w", err)
	}
	out = append(append(out, `,"class":"`...), class...)
	out = strconv.AppendInt(append(out, `","line":`...), line, 10)
	out = appendRaw(append(out, `,"response":`...), response)
	return appendRaw(append(out, `,"error":`...), cause), nil
}

// keepStrays writes every line that answers no row, and counts what is left
// over. Most joins have nothing left over and read the answers only once.
func (r *joiner) keepStrays() error {
	if r.lines == r.used {
		return nil
	}
	r.tally.Duplicates = -r.used // the lines that were used are met again
	return r.eachAnswer(func(source int, line Line) error {
		if line.TooLong || r.answers.read(line.Text) != nil {
			r.tally.Malformed++
			return r.keepMalformed(source, line)
		}
		if !r.index[digestOf(r.answers.answer.customID)].asked {
			r.tally.Unmatched++
			return writeLine(r.stray, line.Text)
		}
		r.tally.Duplicates++
		return nil
	})
}

// keepMalformed wraps the beginning of a line, so that the file stays JSONL.
func (r *joiner) keepMalformed(source int, line Line) error {
	text := line.Text[:min(len(line.Text), keptOfLongLine)]
	out, err := jsontext.AppendQuote(append(r.out[:0], `{"custom_id":"","malformed":`...), strings.ToValidUTF8(string(text), "\uFFFD"))
	if err != nil {
		return fmt.Errorf("malformed line %d: %w", line.Number, err)
	}
	out, err = jsontext.AppendQuote(append(out, `,"source":`...), strings.ToValidUTF8(r.Answers[source].Name, "\uFFFD"))
	if err != nil {
		return fmt.Errorf("malformed line %d: %w", line.Number, err)
	}
	out = strconv.AppendInt(append(out, `,"line":`...), line.Number, 10)
	r.out = append(out, '}')
	return writeLine(r.stray, r.out)
}

func appendRaw(out []byte, raw jsontext.Value) []byte {
	if raw == nil {
		return append(out, "null"...)
	}
	return append(out, raw...)
}

func writeLine(w *bufio.Writer, line []byte) error {
	if _, err := w.Write(line); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	if err := w.WriteByte('\n'); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}
