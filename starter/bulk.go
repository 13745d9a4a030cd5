package main

import (
	"fmt"
	"time"

	"batchkeeper/batch"
)

// whereBulk is how far a bulk run is.
func whereBulk(at *batch.Bulk) []string {
	parts := []string{fmt.Sprintf("round %d of %d", at.Round, at.Rounds), fmt.Sprintf("%d/%d batches", at.Ended, at.Units)}
	if c := at.Counts; c.Sum() > 0 {
		parts = append(parts, fmt.Sprintf("%d/%d rows answered", c.Answered, c.Sum()))
		if c.Failed() > 0 {
			parts = append(parts, fmt.Sprintf("%d failed", c.Failed()))
		}
	}
	if at.Money.CostNanos > 0 {
		parts = append(parts, fmt.Sprintf("%.4f USD", at.Money.USD()))
	}
	if at.Paused != "" {
		parts = append(parts, oneLine(at.Paused))
	}
	return parts
}

// pace is how fast a bulk run is and when it will be through; empty while nobody
// can tell.
func pace(s batch.State, now time.Time) string {
	at := s.Bulk
	if at == nil || at.Counts.Open == 0 {
		return ""
	}
	perHour, left, ok := at.Pace(now)
	if !ok {
		return ""
	}
	rate := fmt.Sprintf("%.0f rows/h", perHour)
	if perSecond := perHour / time.Hour.Seconds(); perSecond >= 1 {
		rate = fmt.Sprintf("%.0f rows/s", perSecond)
	}
	if at.Paused != "" || at.Cancelled != nil {
		return rate
	}
	return fmt.Sprintf("%s, about %s left", rate, left.Round(time.Second))
}

// shownLive bounds the live batches that are listed.
const shownLive = 20

// addBulk says how a bulk run went so far and, while it runs, where it stands.
func addBulk(t *table, s batch.State) {
	at := s.Bulk
	if at == nil {
		return
	}
	t.add("shards", "%d", at.Shards)
	for _, r := range at.Past {
		t.add(fmt.Sprintf("round %d", r.Round), "%d batches, %d rows: %d answered, %d worth another try, %.4f USD",
			r.Batches, r.Rows, r.Answered, r.Again, r.Money.USD())
	}
	if s.Outcome == "" && at.Units > 0 {
		t.add("round", "%s", at.RoundText())
	}
	c := at.Counts
	t.add("counts", "%d answered, %d failed, %d invalid, %d cancelled, %d open", c.Answered, c.Failed(), c.Invalid, c.Cancelled, c.Open)
	t.add("money", "%s", at.Spend())
	if at.Budget > 0 {
		t.add("budget", "%s", batch.USD(at.Budget))
	}
	t.addText("paused", at.PausedText())
	if at.Cancelled != nil {
		t.add("cancelled", "%s", at.Cancelled)
	}
	if at.Pages != nil {
		t.add("pages", "%s", at.Pages)
	}
	for _, cause := range at.Causes {
		t.add("no answer", "%d rows: %s", cause.Rows, cause.Cause)
	}
	if s.Outcome == "" {
		t.addText("governor", at.Governor)
		addLive(t, at.Live)
	}
}

func addLive(t *table, live []batch.LiveBatch) {
	for _, l := range live[:min(len(live), shownLive)] {
		text := fmt.Sprintf("%s: %s, %d rows", l.WorkflowID, l.Stage, l.Rows)
		if l.Problem != "" {
			text += ": " + l.Problem
		}
		t.addText("live", text)
	}
	if more := len(live) - shownLive; more > 0 {
		t.add("live", "and %d more", more)
	}
}
