package main

import (
	"fmt"

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
		parts = append(parts, fmt.Sprintf("%.2f USD", at.Money.USD()))
	}
	if at.Paused != "" {
		parts = append(parts, oneLine(at.Paused))
	}
	return parts
}

// addBulk says how a bulk run went so far.
func addBulk(t *table, at *batch.Bulk) {
	if at == nil {
		return
	}
	t.add("shards", "%d", at.Shards)
	for _, r := range at.Past {
		t.add(fmt.Sprintf("round %d", r.Round), "%d batches, %d rows: %d answered, %d worth another try, %.4f USD",
			r.Batches, r.Rows, r.Answered, r.Again, r.Money.USD())
	}
	c := at.Counts
	t.add("counts", "%d answered, %d failed, %d invalid, %d cancelled, %d open", c.Answered, c.Failed(), c.Invalid, c.Cancelled, c.Open)
	t.add("money", "%.4f USD, %d tokens", at.Money.USD(), at.Money.TotalTokens)
	if at.Budget > 0 {
		t.add("budget", "%.2f USD", at.Budget)
	}
	t.addText("paused", at.Paused)
	for _, l := range at.Live {
		t.add("live", "%s: %s, %d rows %s", l.WorkflowID, l.Stage, l.Rows, l.Problem)
	}
	for _, cause := range at.Causes {
		t.add("failed for good", "%d rows: %s", cause.Rows, cause.Cause)
	}
}
