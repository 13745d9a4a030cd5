package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"batchkeeper/batch"
	"batchkeeper/internal/blobstore"
	"batchkeeper/internal/jsonl"
)

// table is names and values, one a line; what has no value is left out.
type table struct{ rows [][2]string }

func (t *table) add(name, format string, args ...any) {
	t.rows = append(t.rows, [2]string{name, fmt.Sprintf(format, args...)})
}

func (t *table) addText(name, value string) {
	if value != "" {
		t.add(name, "%s", value)
	}
}

func (t *table) String() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, row := range t.rows {
		_, _ = fmt.Fprintf(w, "%s\t%s\n", row[0], oneLine(row[1]))
	}
	_ = w.Flush()
	return strings.TrimRight(b.String(), "\n")
}

// oneLine keeps what others wrote from breaking, or painting on, a terminal.
func oneLine(text string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < 0x20 || r >= 0x7f && r < 0xa0 {
			return ' '
		}
		return r
	}, text))
}

// outcomeTable is how a run ended, and what to do next.
func outcomeTable(s batch.Result, id string, store *blobstore.Store, output string) string {
	var t table
	t.addText("run", id)
	t.addText("outcome", string(s.Outcome))
	if r := s.Results; r != nil {
		t.add("rows", "%d: %d succeeded, %d failed, %d missing", r.Rows, r.Succeeded, r.Failed, r.Missing)
		if r.Duplicates+r.Unmatched+r.Malformed > 0 {
			t.add("odd lines", "%d duplicates, %d that nobody asked for, %d unreadable", r.Duplicates, r.Unmatched, r.Malformed)
		}
	}
	t.addText("batch", batchText(s))
	if r := s.Results; r != nil && r.Manifest != nil {
		t.addText("results", store.URL(r.Prefix))
	}
	if s.Results != nil {
		t.addText("copied to", output)
	}
	addBulk(&t, s)
	addTrouble(&t, s)
	addFailure(&t, s)
	t.addText("next", nextStep(s, id, output))
	return t.String()
}

func nextStep(s batch.Result, id, output string) string {
	switch {
	case s.Outcome == batch.OutcomeResultsUnavailable && s.Bulk != nil:
		return resumeBulk(id)
	case s.Outcome == batch.OutcomeResultsUnavailable:
		return "starter results " + id + " --output DIR --refetch"
	case s.Results != nil && output == "":
		return "starter results " + id + " --output DIR"
	default:
		return ""
	}
}

// statusTable is where a run stands, and why it waits.
func statusTable(s batch.State, id string, store *blobstore.Store, now time.Time) string {
	if s.Outcome != "" {
		return outcomeTable(s, id, store, "")
	}
	var t table
	t.addText("run", id)
	t.addText("stage", string(s.Stage))
	t.addText("batch", batchText(s))
	t.addText("status", statusText(s))
	if c := s.RequestCounts; c != nil && c.Total > 0 {
		t.add("progress", "%d %%: %s", s.Progress, c)
	}
	if in := s.Input; in != nil {
		t.add("input", "%d rows, %s", in.Rows, size(in.Bytes))
	}
	if s.NextPollAt != nil {
		t.add("polls", "%d, the next in %s", s.Polls, max(0, s.NextPollAt.Sub(now).Round(time.Second)))
	}
	addBulk(&t, s)
	t.addText("pace", pace(s, now))
	addTrouble(&t, s)
	addAmbiguity(&t, s, id)
	return t.String()
}

func statusText(s batch.State) string {
	if s.Status == "" {
		return ""
	}
	return fmt.Sprintf("%s (%s)", s.Status, s.LifecycleStatus)
}

func batchText(s batch.State) string {
	if s.BatchID == "" {
		return ""
	}
	about := strings.Join(strings.Fields(s.Provider+" "+s.Model+" "+s.Endpoint), ", ")
	if about != "" {
		about = " (" + about + ")"
	}
	return s.BatchID + about
}

// addTrouble says what goes on beside the batch itself.
func addTrouble(t *table, s batch.State) {
	if w := s.Webhook; w.Deliveries > 0 {
		t.add("webhook", "%d deliveries, the last %s", w.Deliveries, w.LastEventType)
	}
	if w := s.Webhook; w.LastErrorMessage != "" || w.PendingRetries > 0 {
		t.add("webhook trouble", "%d attempts, %d retries pending: %s (the run does not depend on it)", w.TotalAttempts, w.PendingRetries, w.LastErrorMessage)
	}
	if c := s.Cancellation; c != nil {
		result := string(c.Result)
		if result == "" {
			result = "no answer yet"
		}
		t.add("cancel", "requested by %s: %s (%s)", c.RequestedBy, c.Reason, result)
	}
	if sub := s.Submission; sub != nil && len(sub.Duplicates) > 0 {
		t.add("duplicates", "other batches of this run: %s", strings.Join(sub.Duplicates, ", "))
	}
	t.addText("problem", s.Problem)
	t.addText("upstream", s.UpstreamErrors)
}

func addFailure(t *table, s batch.State) {
	f := s.Failure
	if f == nil {
		return
	}
	t.add("failure", "%s: %s", f.Type, f.Message)
	for _, p := range f.Problems {
		t.add("", "%s", problemText(jsonl.Problem(p)))
	}
	t.addText("what to do", f.Type.Treat().Advice)
	if s.Outcome == batch.OutcomeSubmissionUnknown {
		t.addText("session", s.SessionID)
	}
}

// addAmbiguity gives an operator all that is needed to settle a create.
func addAmbiguity(t *table, s batch.State, id string) {
	sub := s.Submission
	if sub == nil || !sub.Ambiguous {
		return
	}
	t.add("create", "it is unknown whether a batch was created (%d posts, %d looks): %s", sub.Posts, sub.Lookups, sub.LastAnswer)
	t.addText("session", s.SessionID)
	if sub.FirstPostAfter != nil && sub.PostDeadline != nil {
		t.add("posted", "between %s and %s", sub.FirstPostAfter.UTC().Format(time.RFC3339), sub.PostDeadline.UTC().Format(time.RFC3339))
	}
	t.addText("may be", strings.Join(sub.Hints, ", "))
	t.add("to settle", "look for the session at the gateway, then: starter settle %s --batch-id ID, or --resubmit if there is none", id)
}
