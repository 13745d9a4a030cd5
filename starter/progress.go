package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"batchkeeper/batch"
)

// line is the live progress: one line rewritten on a terminal, a new line for
// each change elsewhere.
type line struct {
	w     io.Writer
	width func() int
	began time.Time

	mu   sync.Mutex
	last string
	open bool // something stands on the terminal's line
}

func (a app) newLine() *line { return &line{w: a.stderr, width: a.width, began: time.Now()} }

// show displays a state.
func (l *line) show(s batch.State) {
	now := time.Now()
	elapsed := now.Sub(l.began).Round(time.Second)
	if l.width() > 0 {
		l.rewrite(progressText(s, elapsed, now))
		return
	}
	change := changeText(s)
	l.mu.Lock()
	defer l.mu.Unlock()
	if change != l.last {
		l.last = change
		_, _ = fmt.Fprintln(l.w, strings.TrimRight(fmt.Sprintf("%6s  %s  %s", elapsed, change, pace(s, now)), " "))
	}
}

// rewrite replaces the terminal's line; elsewhere it does nothing.
func (l *line) rewrite(text string) {
	columns := l.width()
	if columns <= 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if runes := []rune(text); len(runes) >= columns {
		text = string(runes[:columns-1])
	}
	l.open = true
	_, _ = fmt.Fprintf(l.w, "\r\x1b[K%s", text)
}

// clear empties the terminal's line, for what comes next.
func (l *line) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open {
		_, _ = io.WriteString(l.w, "\r\x1b[K")
		l.open = false
	}
}

// notice writes a line that stays.
func (l *line) notice(text string) {
	l.clear()
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = fmt.Fprintln(l.w, text)
}

// changeText is what is worth a new line when it changes.
func changeText(s batch.State) string { return strings.Join(append(where(s), beside(s)...), "  ") }

// progressText is the whole line for a terminal: what may be cut off stands last.
func progressText(s batch.State, elapsed time.Duration, now time.Time) string {
	parts := append([]string{fmt.Sprintf("%6s", elapsed)}, where(s)...)
	if text := pace(s, now); text != "" {
		parts = append(parts, text)
	}
	if s.Polls > 0 && s.Outcome == "" {
		reads := fmt.Sprintf("poll %d", s.Polls)
		if s.NextPollAt != nil {
			reads += ", next " + s.NextPollAt.Local().Format(time.TimeOnly)
		}
		parts = append(parts, reads)
	}
	return strings.Join(append(parts, beside(s)...), "  ")
}

// where is how far a run is.
func where(s batch.State) []string {
	parts := []string{string(s.Stage)}
	if s.Status != "" {
		parts = append(parts, string(s.Status))
	}
	switch c := s.RequestCounts; {
	case s.Outcome != "":
		parts = append(parts, string(s.Outcome))
	case s.Bulk != nil && s.Bulk.Units > 0:
		parts = append(parts, whereBulk(s.Bulk)...)
	case c != nil && c.Total > 0:
		parts = append(parts, fmt.Sprintf("%d/%d rows", c.Done(), c.Total), fmt.Sprintf("%d %%", s.Progress))
	case s.Input != nil:
		parts = append(parts, fmt.Sprintf("%d rows", s.Input.Rows))
	}
	return parts
}

// beside is what else there is to know.
func beside(s batch.State) []string {
	var parts []string
	if s.Submission != nil && s.Submission.Ambiguous {
		parts = append(parts, "create ambiguous")
	}
	if s.Problem != "" {
		parts = append(parts, "problem: "+oneLine(s.Problem))
	}
	if s.BatchID != "" && s.Outcome == "" {
		parts = append(parts, s.BatchID)
	}
	return parts
}
