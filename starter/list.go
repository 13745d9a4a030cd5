package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"go.temporal.io/sdk/client"

	"batchkeeper"
	"batchkeeper/batch"
)

type listCmd struct {
	Query   string `help:"Temporal list filter, such as \"BatchLifecycleStatus = 'running'\"." placeholder:"FILTER"`
	Status  string `help:"Only runs with this lifecycle status." placeholder:"pending|running|completed|failed|cancelled|expired"`
	Outcome string `help:"Only runs with this outcome."`
	All     bool   `help:"Also the batches of bulk runs."`
	Limit   int    `help:"At most this many." default:"50"`
	JSON    bool   `help:"Print the runs as a JSON array."`
}

// Run lists runs.
func (c *listCmd) Run(ctx context.Context, a *app) error {
	query, err := c.filter()
	if err != nil {
		return err
	}
	cl, err := a.dial(ctx)
	if err != nil {
		return err
	}
	defer cl.Close()
	runs, hidden, err := c.find(ctx, cl, query)
	switch {
	case err != nil:
		return err
	case c.JSON:
		err = a.printJSON(runs)
	case len(runs) == 0:
		a.say("no runs")
	default:
		err = a.print("%s", listTable(runs))
	}
	if hidden > 0 {
		a.say("%s of bulk runs not shown: --all shows them", count(int64(hidden), "batch", "batches"))
	}
	return err
}

// find reads the newest runs, and counts the batches of bulk runs among them,
// which would bury the runs that somebody started.
func (c *listCmd) find(ctx context.Context, cl client.Client, query string) (runs []batchkeeper.Listed, hidden int, err error) {
	runs = []batchkeeper.Listed{}
	for r, err := range batchkeeper.List(ctx, cl, query) {
		if err != nil {
			return nil, 0, err
		}
		if !c.All && batch.IsChildID(r.ID) {
			hidden++
			continue
		}
		if runs = append(runs, r); len(runs) == c.Limit {
			break
		}
	}
	return runs, hidden, nil
}

func (c *listCmd) filter() (string, error) {
	if c.Limit <= 0 {
		return "", usage("--limit: want a positive number")
	}
	var parts []string
	for _, f := range []struct{ flag, attr, value string }{
		{"--status", "BatchLifecycleStatus", c.Status}, {"--outcome", "BatchOutcome", c.Outcome},
	} {
		if strings.ContainsAny(f.value, `'"\`) {
			return "", usage("%s: %q is none", f.flag, f.value)
		}
		if f.value != "" {
			parts = append(parts, fmt.Sprintf("%s = '%s'", f.attr, f.value))
		}
	}
	if s := batch.LifecycleStatus(c.Status); s == batch.Pending || s == batch.Running {
		parts = append(parts, "ExecutionStatus = 'Running'") // one that was ended from outside still says so
	}
	if c.Query != "" {
		parts = append(parts, "("+c.Query+")")
	}
	return strings.Join(parts, " AND "), nil
}

func listTable(runs []batchkeeper.Listed) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "WORKFLOW ID\tSTATUS\tOUTCOME\tPROGRESS\tROWS\tMODEL\tBATCH\tSTARTED")
	for _, r := range runs {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%d %%\t%d\t%s\t%s\t%s\n", oneLine(r.ID), dash(statusOf(r)), dash(string(r.Outcome)),
			r.Progress, r.Rows, dash(r.Model), dash(r.BatchID), r.StartedAt.UTC().Format(time.DateTime))
	}
	_ = w.Flush()
	return strings.TrimRight(b.String(), "\n")
}

// statusOf is a run's own status, unless Temporal alone knows how it ended.
func statusOf(r batchkeeper.Listed) string {
	switch r.TemporalStatus {
	case "Terminated":
		return "terminated"
	case "TimedOut":
		return "timed out"
	}
	if r.LifecycleStatus != "" {
		return string(r.LifecycleStatus)
	}
	return strings.ReplaceAll(strings.ToLower(r.TemporalStatus), "canceled", "cancelled")
}

func dash(text string) string {
	if text = oneLine(text); text == "" {
		return "-"
	}
	return text
}
