package jsonl

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"io"
)

// cutter does the work of one Cut: it reads the input once, then searches for
// duplicates, then writes the bad lines and corrects the shards.
type cutter struct {
	Cut
	ctx     context.Context // lives as long as one Run
	scratch scratch
	in      *inspector
	lines   *Scanner
	meter   *meter
	whole   hash.Hash // of the input
	part    hash.Hash // of the last shard
	survey  Survey
	inLong  bool // the bytes of a line that is too long are passing

	good    journal // the good rows, of which some may turn out to be duplicates
	bad     journal // the lines that are bad by themselves
	ids     *sorter // digest, digest, place in good, line
	doubles *sorter // place in good, line, first line
	beats   int

	invalid *bufio.Writer
	written int64
	out     []byte
}

func newCutter(ctx context.Context, c Cut) *cutter {
	if c.Memory <= 0 {
		c.Memory = defaultMemory
	}
	c.Rules.MaxRows, c.Rules.MaxBytes = 0, 0
	run := &cutter{
		Cut: c, ctx: ctx, scratch: scratch{open: c.Spill}, in: newInspector(c.Rules),
		whole: sha256.New(), part: sha256.New(), invalid: buffered(c.Invalid),
	}
	run.in.maxRow = c.MaxBytes
	run.meter = &meter{ctx: ctx, r: c.Input}
	if c.Progress != nil {
		run.meter.tell = func() { c.Progress(run.in.sum.Rows, run.meter.read) }
	}
	run.lines = NewScanner(io.TeeReader(run.meter, run.whole), c.Rules.MaxLine)
	run.lines.over = run.passLong
	// Both sorters are in use together once the input is read; few ids are doubles.
	run.ids = newSorter(c.Memory-c.Memory/4, &run.scratch, run.pulse)
	run.doubles = newSorter(c.Memory/4, &run.scratch, run.pulse)
	for _, j := range []*journal{&run.good, &run.bad} {
		j.spool = run.ids.newSpool()
	}
	return run
}

func (c *cutter) run() error {
	for _, step := range []func() error{c.read, c.findDoubles, c.settle} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// read takes the input in, line by line.
func (c *cutter) read() error {
	for c.lines.step() {
		if err := c.take(c.lines.line); err != nil {
			return err
		}
	}
	if err := c.lines.Err(); err != nil {
		return err
	}
	c.endShard()
	if c.meter.tell != nil {
		c.meter.tell()
	}
	return nil
}

func (c *cutter) take(line Line) error {
	if c.lines.isBlank() {
		c.place(line, tokens{}).Length = c.lines.Offset() - c.last().Offset
		return nil
	}
	c.in.sum.Rows++
	e := entry{line: line.Number, offset: line.Offset, size: line.Size, message: c.in.check(line), id: c.in.id}
	if e.message == "" {
		e.tokens = c.in.rows.row.tokens()
	}
	shard := c.place(line, e.tokens)
	shard.Length = c.lines.Offset() - shard.Offset
	if e.message != "" {
		shard.Invalid++
		_, err := c.bad.append(e)
		return err
	}
	shard.count(e, 1)
	return c.keep(e)
}

// keep remembers a good row until its id is known to be the first of its kind.
func (c *cutter) keep(e entry) error {
	place, err := c.good.append(e)
	if err != nil {
		return err
	}
	digest := digestOf(e.id)
	return c.ids.add(record{
		binary.BigEndian.Uint64(digest[:8]), binary.BigEndian.Uint64(digest[8:]), uint64(place), uint64(e.line),
	})
}

// count adds n good rows like e to a shard.
func (s *Shard) count(e entry, n int64) {
	s.Rows += n
	s.InputTokens += n * e.tokens.input
	s.MaxOutputTokens += n * e.tokens.output
}

func (c *cutter) last() *Shard { return &c.survey.Shards[len(c.survey.Shards)-1] }

// place finds the shard of a line that was just read, and digests the line.
func (c *cutter) place(line Line, t tokens) *Shard {
	if line.TooLong {
		c.inLong = false // passLong has placed and digested it
		return c.last()
	}
	if len(c.survey.Shards) == 0 || c.isFull(c.last(), t) {
		c.beginShard(line.Number)
	}
	c.part.Write(c.lines.raw)
	return c.last()
}

// isFull tells whether the line that was just read must begin another shard.
func (c *cutter) isFull(s *Shard, t tokens) bool {
	return c.MaxRows > 0 && s.Rows+s.Invalid >= c.MaxRows && !c.lines.isBlank() ||
		c.MaxBytes > 0 && c.lines.Offset()-s.Offset > c.MaxBytes ||
		c.MaxTokens > 0 && t.input > 0 && s.Rows > 0 && s.InputTokens+t.input > c.MaxTokens
}

// passLong takes the bytes of a line that is too long to be held, in parts. They
// must be digested before the line's end is known, so it begins a shard.
func (c *cutter) passLong(bytes []byte) {
	if !c.inLong {
		c.inLong = true
		c.beginShard(c.lines.number + 1)
	}
	c.part.Write(bytes)
}

func (c *cutter) beginShard(line int64) {
	c.endShard()
	offset := int64(0)
	if n := len(c.survey.Shards); n > 0 {
		offset = c.last().Offset + c.last().Length
	}
	c.survey.Shards = append(c.survey.Shards, Shard{Number: len(c.survey.Shards) + 1, Offset: offset, FirstLine: line})
	c.part.Reset()
}

func (c *cutter) endShard() {
	if len(c.survey.Shards) > 0 {
		c.last().SHA256 = hex.EncodeToString(c.part.Sum(nil))
	}
}

// pulse is called often while nothing is read: it tells progress now and then,
// and ends the work once the context is done.
func (c *cutter) pulse() error {
	if c.beats++; c.beats%(1<<14) != 0 {
		return nil
	}
	if c.meter.tell != nil {
		c.meter.tell()
	}
	return c.ctx.Err()
}
