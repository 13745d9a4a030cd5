package jsonl

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// ClassInvalid is the class of a line that is never sent.
const ClassInvalid = "invalid"

// findDoubles walks over the ids in order, where the same ones stand together,
// the first of the input first.
func (c *cutter) findDoubles() error {
	ids, err := c.ids.sorted()
	if err != nil {
		return err
	}
	var first record
	for known := false; ; known = true {
		id, ok, err := ids.next()
		if err != nil {
			return err
		}
		if !ok {
			return c.ids.close()
		}
		if !known || first[0] != id[0] || first[1] != id[1] {
			first = id
			continue
		}
		if err := c.doubles.add(record{id[2], id[3], first[3]}); err != nil {
			return err
		}
	}
}

// settle writes the lines that are bad by themselves and the duplicates in line
// order, and completes the survey.
func (c *cutter) settle() error {
	if err := c.eachBad(c.setAside); err != nil {
		return err
	}
	if err := c.invalid.Flush(); err != nil {
		return fmt.Errorf("write invalid lines: %w", err)
	}
	sum := &c.in.sum
	c.survey.Invalid = sum.Bad
	sum.Bytes, sum.BlankLines = c.lines.Offset(), c.lines.Blank()
	sum.SHA256 = hex.EncodeToString(c.whole.Sum(nil))
	if c.lines.BOM() {
		sum.noteWhole(markMessage)
	}
	c.survey.Summary = c.in.finish()
	for _, s := range c.survey.Shards {
		c.survey.InputTokens += s.InputTokens
		c.survey.MaxOutputTokens += s.MaxOutputTokens
	}
	return nil
}

// eachBad visits the bad lines of both kinds in line order.
func (c *cutter) eachBad(visit func(e entry, shard *Shard) error) error {
	doubles, err := c.newDoubles()
	if err != nil {
		return err
	}
	bad := c.bad.reader()
	single, hasSingle, err := bad.next()
	if err != nil {
		return err
	}
	double, hasDouble, err := doubles.next()
	for shard := 0; err == nil && (hasSingle || hasDouble); {
		isDouble := hasDouble && (!hasSingle || double.line < single.line)
		e := single
		if isDouble {
			e = double
		}
		for s := c.survey.Shards[shard]; e.offset >= s.Offset+s.Length; s = c.survey.Shards[shard] {
			shard++
		}
		if isDouble {
			c.survey.Shards[shard].count(e, -1)
			c.survey.Shards[shard].Invalid++
		}
		if err := errors.Join(visit(e, &c.survey.Shards[shard]), c.pulse()); err != nil {
			return err
		}
		if isDouble {
			double, hasDouble, err = doubles.next()
		} else {
			single, hasSingle, err = bad.next()
		}
	}
	return err
}

// doubles are the duplicates in line order.
type doubles struct {
	places *merger
	good   *journalReader
}

func (c *cutter) newDoubles() (*doubles, error) {
	places, err := c.doubles.sorted()
	if err != nil {
		return nil, err
	}
	return &doubles{places: places, good: c.good.reader()}, nil
}

func (d *doubles) next() (entry, bool, error) {
	place, ok, err := d.places.next()
	if err != nil || !ok {
		return entry{}, false, err
	}
	if err := d.good.goTo(int64(place[0])); err != nil {
		return entry{}, false, fmt.Errorf("find a kept line: %w", err)
	}
	e, ok, err := d.good.next()
	if err == nil && !ok {
		err = errJournal
	}
	e.message = duplicateOf(int64(place[2]), int64(place[1]))
	return e, ok, err
}

// setAside counts a bad line and writes it where the invalid ones go.
func (c *cutter) setAside(e entry, shard *Shard) error {
	c.in.sum.note(e.line, string(e.id), e.message)
	out, err := jsontext.AppendQuote(append(c.out[:0], `{"custom_id":`...), e.id)
	if err != nil {
		return fmt.Errorf("custom_id of line %d: %w", e.line, err)
	}
	out = append(append(append(out, `,"class":"`...), ClassInvalid...), `","line":`...)
	out = append(strconv.AppendInt(out, e.line, 10), `,"offset":`...)
	out = append(strconv.AppendInt(out, e.offset, 10), `,"length":`...)
	out = append(strconv.AppendInt(out, e.size, 10), `,"error":{"code":"invalid_row","message":`...)
	out, err = jsontext.AppendQuote(out, cut(e.message, maxMessage))
	if err != nil {
		return fmt.Errorf("what is wrong with line %d: %w", e.line, err)
	}
	c.out = append(out, "}}"...)
	if err := writeLine(c.invalid, c.out); err != nil {
		return fmt.Errorf("invalid lines: %w", err)
	}
	if shard.InvalidLength == 0 {
		shard.InvalidOffset = c.written
	}
	c.written += int64(len(c.out)) + 1
	shard.InvalidLength = c.written - shard.InvalidOffset
	return nil
}
