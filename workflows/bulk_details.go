package workflows

import (
	"fmt"
	"strings"

	"batchkeeper/batch"
)

// shownLive bounds the live batches that the status page lists.
const shownLive = 20

// bulkDetails is the status page of a bulk run, in Markdown, for the Web UI.
func bulkDetails(s batch.State) string {
	var b strings.Builder
	at := s.Bulk
	b.WriteString(heading(s))
	row := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "| %s | %s |\n", name, cell(fmt.Sprintf(format, args...)))
	}
	if s.Input != nil {
		row("Input", "%d rows, %d bytes, %d shards", s.Input.Rows, s.Input.Bytes, at.Shards)
		row("Round", "%s", at.RoundText())
		c := at.Counts
		row("Rows", "%d answered, %d failed, %d invalid, %d cancelled, %d open", c.Answered, c.Failed(), c.Invalid, c.Cancelled, c.Open)
		row("Money", "%s", at.Spend())
		row("Governor", "%s", code(at.Governor))
	}
	bulkTroubles(s, row)
	for _, c := range at.Causes {
		row("No answer", "%d rows: %s", c.Rows, c.Cause)
	}
	if r := s.Results; r != nil {
		row("Files", "%s", code(r.Prefix))
	}
	liveTable(&b, at.Live)
	return b.String()
}

// bulkTroubles are the rows that most runs do not have.
func bulkTroubles(s batch.State, row func(name, format string, args ...any)) {
	if s.Bulk.Budget > 0 {
		row("Budget", "%s", batch.USD(s.Bulk.Budget))
	}
	if text := s.Bulk.PausedText(); text != "" {
		row("Paused", "**%s**", text)
	}
	if c := s.Cancellation; c != nil {
		row("Cancel", "requested by %s: %s · %s", c.RequestedBy, c.Reason, c.Result)
	}
	if c := s.Bulk.Cancelled; c != nil {
		row("Cancelled", "%s", c)
	}
	if p := s.Bulk.Pages; p != nil {
		row("Pages", "%s", p)
	}
	if s.Problem != "" {
		row("Problem", "%s", s.Problem)
	}
	failureRows(s.Failure, row)
}

func liveTable(b *strings.Builder, live []batch.LiveBatch) {
	if len(live) == 0 {
		return
	}
	b.WriteString("\n| Batch | Stage | Rows | |\n|---|---|---|---|\n")
	for _, l := range live[:min(len(live), shownLive)] {
		fmt.Fprintf(b, "| %s | %s | %d | %s |\n", code(l.WorkflowID), l.Stage, l.Rows, cell(l.Problem))
	}
	if more := len(live) - shownLive; more > 0 {
		fmt.Fprintf(b, "| and %d more | | | |\n", more)
	}
}
