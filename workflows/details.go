package workflows

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"batchkeeper/batch"
)

// details is the status page of a run, in Markdown, for the Web UI.
func details(s batch.State) string {
	var b strings.Builder
	b.WriteString(heading(s))
	row := func(name, format string, args ...any) {
		if text := fmt.Sprintf(format, args...); strings.Trim(text, " ·") != "" {
			fmt.Fprintf(&b, "| %s | %s |\n", name, cell(text))
		}
	}
	row("Batch", "%s", code(s.BatchID))
	row("Status", "%s", s.Status)
	if c := s.RequestCounts; c != nil {
		row("Progress", "%d %% · %s", s.Progress, c)
	}
	if s.Input != nil {
		row("Input", "%d rows, %d bytes", s.Input.Rows, s.Input.Bytes)
	}
	row("Model", "%s · %s", s.Model, s.Provider)
	if s.NextPollAt != nil {
		row("Reads", "%d, next at %s", s.Polls, s.NextPollAt.UTC().Format(time.TimeOnly+" MST"))
	}
	if s.Webhook.Deliveries > 0 || s.Webhook.LastErrorMessage != "" {
		row("Webhook", "%d deliveries %s %s", s.Webhook.Deliveries, s.Webhook.LastEventType, s.Webhook.LastErrorMessage)
	}
	if c := s.Cancellation; c != nil {
		row("Cancel", "requested by %s: %s · %s", c.RequestedBy, c.Reason, c.Result)
	}
	if sub := s.Submission; sub != nil && sub.Ambiguous {
		row("Create", "**ambiguous** after %d posts, %d looks: %s", sub.Posts, sub.Lookups, sub.LastAnswer)
	}
	if s.Submission != nil && len(s.Submission.Duplicates) > 0 {
		row("Duplicates", "%s", strings.Join(s.Submission.Duplicates, ", "))
	}
	row("Problem", "%s", s.Problem)
	failureRows(s.Failure, row)
	if r := s.Results; r != nil {
		row("Results", "%d rows: %d succeeded, %d failed, %d missing", r.Rows, r.Succeeded, r.Failed, r.Missing)
		row("Files", "%s", code(r.Prefix))
	}
	return b.String()
}

// heading names the stage, or the outcome, and begins the table.
func heading(s batch.State) string {
	return fmt.Sprintf("### %s\n\n| | |\n|---|---|\n", cmp.Or(string(s.Outcome), string(s.Stage)))
}

func failureRows(f *batch.Failure, row func(name, format string, args ...any)) {
	if f != nil {
		row("Failure", "**%s** %s", f.Type, f.Message)
		row("What to do", "%s", f.Type.Treat().Advice)
	}
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}

// cell keeps a text inside its table cell.
func cell(s string) string {
	return strings.NewReplacer("|", "\\|", "\n", " ", "\r", " ").Replace(s)
}
