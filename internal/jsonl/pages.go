package jsonl

import (
	"context"
	"fmt"
	"io"
)

// Pages finds the byte ranges of every n lines of a file, of which the last may
// have fewer; none of an empty file. The ranges are in order, without gap or
// overlap; blank lines belong to the line after them, those at the end to the last.
func Pages(ctx context.Context, r io.Reader, n int64) ([]Span, error) {
	if n < 1 {
		return nil, fmt.Errorf("find pages: a page of %d rows", n)
	}
	lines := reading{ctx: ctx}.lines(r, DefaultMaxLine)
	if lines == nil {
		return nil, nil
	}
	var pages []Span
	var page Span
	for lines.Scan() {
		if page.Rows == n {
			pages = append(pages, page)
			page = Span{Offset: page.Offset + page.Length}
		}
		page.Rows++
		page.Length = lines.Offset() - page.Offset
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("find pages: %w", err)
	}
	if page.Rows > 0 {
		page.Length = lines.Offset() - page.Offset // blank lines at the end
		pages = append(pages, page)
	}
	return pages, nil
}
