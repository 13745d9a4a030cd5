package main

import (
	"fmt"
	"io"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"batchkeeper"
	"batchkeeper/batch"
	"batchkeeper/devstack/stack"
)

// progress prints a line for each thing that is new in a state.
type progress struct {
	out   io.Writer
	began time.Time
	last  batch.State
}

func (p *progress) note(s batch.State) {
	before := p.last
	p.last = s
	if s.InputFileID != "" && before.InputFileID == "" && s.Input != nil {
		p.say("uploaded", "%d rows, %d bytes, checked line by line: file %s", s.Input.Rows, s.Input.Bytes, s.InputFileID)
	}
	if s.BatchID != "" && before.BatchID == "" {
		p.say("created", "batch %s", s.BatchID)
	}
	if s.Polls != before.Polls && s.Status != "" {
		p.say("polled", "%s, %s", s.Status, counts(s))
	}
	if s.Webhook.Deliveries != before.Webhook.Deliveries {
		p.say("webhook", "%s, its signature verified", s.Webhook.LastEventType)
	}
	if s.Problem != "" && s.Problem != before.Problem {
		p.say("problem", "%s", s.Problem)
	}
	if s.Results != nil && before.Results == nil {
		p.say("collected", "%d rows joined to their answers", s.Results.Rows)
	}
}

func counts(s batch.State) string {
	if s.RequestCounts == nil || s.RequestCounts.Total == 0 {
		return "no counts yet"
	}
	return s.RequestCounts.String()
}

func (p *progress) say(what, format string, args ...any) {
	_, _ = fmt.Fprintf(p.out, "%6.1fs  %-10s %s\n", time.Since(p.began).Seconds(), what, fmt.Sprintf(format, args...))
}

// printOutcome is the table at the end.
func printOutcome(w io.Writer, s *stack.Stack, run *batchkeeper.Run, r batch.Result, took time.Duration) {
	lines := [][2]string{
		{"Outcome", string(r.Outcome)}, {"Took", took.Round(100 * time.Millisecond).String()}, {"Batch", r.BatchID},
		{"Polls", fmt.Sprint(r.Polls)}, {"Webhooks", fmt.Sprint(r.Webhook.Deliveries)},
	}
	if r.Failure != nil {
		lines = append(lines, [2]string{"Failure", r.Failure.Message})
	}
	if n := r.Results; n != nil {
		lines = append(lines, [2]string{"Rows", fmt.Sprintf("%d: %d succeeded, %d failed, %d missing", n.Rows, n.Succeeded, n.Failed, n.Missing)},
			[2]string{"Results", resultsPath(s, n.Prefix)})
	}
	if s.UI != "" {
		lines = append(lines, [2]string{"Web UI", s.UI + "/namespaces/" + url.PathEscape(s.Namespace) + "/workflows/" + url.PathEscape(run.ID())})
	}
	_, _ = fmt.Fprintln(w)
	table := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	for _, l := range lines {
		_, _ = fmt.Fprintf(table, "  %s\t%s\n", l[0], l[1])
	}
	_ = table.Flush()
}

// resultsPath is a path where the store is a directory, else a URL.
func resultsPath(s *stack.Stack, prefix string) string {
	if u, err := url.Parse(s.Config.StoreURL); err == nil && u.Scheme == "file" {
		return strings.TrimSuffix(u.Path, "/") + "/" + prefix
	}
	base, _, _ := strings.Cut(s.Config.StoreURL, "?")
	return strings.TrimSuffix(base, "/") + "/" + prefix
}
