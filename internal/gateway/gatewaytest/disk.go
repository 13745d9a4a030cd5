package gatewaytest

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
)

// countingReader counts what was read.
type countingReader struct {
	from io.Reader
	read int64
}

// Read counts.
func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.read += int64(n)
	return n, err
}

// countingWriter counts what was written.
type countingWriter struct {
	to      io.Writer
	written int64
}

// Write counts.
func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.to.Write(p)
	c.written += int64(n)
	return n, err
}

// writeFile makes a file from what write says and tells its size.
func writeFile(path string, write func(io.Writer) error) (int64, error) {
	target, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	buffered := bufio.NewWriterSize(target, 1<<16)
	counted := &countingWriter{to: buffered}
	err = write(counted)
	return counted.written, errors.Join(err, buffered.Flush(), target.Close())
}

// eachLine calls use with every line that is not blank, without its line end, and its number from 1.
func eachLine(path string, use func(number int, line []byte) error) error {
	source, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = source.Close() }()
	reader := bufio.NewReaderSize(source, 1<<16)
	for number := 1; ; number++ {
		line, err := reader.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		last := err != nil
		if line = bytes.TrimSpace(line); len(line) > 0 {
			if err := use(number, line); err != nil {
				return err
			}
		}
		if last {
			return nil
		}
	}
}
