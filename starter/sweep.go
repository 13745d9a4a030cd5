package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"go.temporal.io/sdk/client"

	"batchkeeper"
	"batchkeeper/batch"
)

type sweepCmd struct {
	Cancel  bool          `help:"Have orphans, duplicates and over-age batches cancelled, each by the run that follows it."`
	MaxAge  time.Duration `help:"How old a live batch may become; by default 26h." placeholder:"26h"`
	Since   time.Duration `help:"How far back batches that have ended are looked at; by default 168h." placeholder:"168h"`
	Profile string        `help:"Profile of the account; by default that of the worker's gateway." placeholder:"phaseo|openai|NAME"`
	Every   time.Duration `help:"Sweep again and again, by a Temporal Schedule; repeated, it changes the Schedule." placeholder:"15m"`
	JSON    bool          `help:"Print the report, or the Schedule, as one JSON object."`
}

// Run looks over the account once, or has it done again and again.
func (c *sweepCmd) Run(ctx context.Context, a *app) error {
	job := batch.SweepJob{
		Cancel: c.Cancel, MaxAge: batch.Duration(c.MaxAge), Since: batch.Duration(c.Since), Profile: c.Profile,
	}
	if err := job.Validate(); err != nil {
		return usage("%w", err)
	}
	if c.Every < 0 {
		return usage("--every: %s is negative", c.Every)
	}
	cfg, err := a.config()
	if err != nil {
		return err
	}
	cl, err := a.dial(ctx)
	if err != nil {
		return err
	}
	defer cl.Close()
	queue := batchkeeper.WithTaskQueue(cfg.TaskQueue)
	if c.Every > 0 {
		s, err := batchkeeper.ScheduleSweep(ctx, cl, job, c.Every, queue)
		if err != nil {
			return err
		}
		return a.printSchedule(s, c.Every, c.JSON)
	}
	late := time.AfterFunc(lateTime, func() {
		a.say("no report yet: is a worker running on task queue %s?", cfg.TaskQueue)
	})
	defer late.Stop()
	return c.once(ctx, a, cl, job, queue)
}

// lateTime is longer than the sweep of a small account takes.
const lateTime = 10 * time.Second

func (c *sweepCmd) once(ctx context.Context, a *app, cl client.Client, job batch.SweepJob, queue batchkeeper.Option) error {
	report, err := batchkeeper.Sweep(ctx, cl, job, queue)
	switch {
	case err != nil && ctx.Err() != nil:
		return fmt.Errorf("%w (the sweep goes on where a worker runs; it may be started again at any time)", err)
	case err != nil:
		return err
	case c.JSON:
		return a.printJSON(report)
	default:
		return a.print("%s", sweepText(report))
	}
}

func (a app) printSchedule(s batchkeeper.Scheduled, every time.Duration, asJSON bool) error {
	if asJSON {
		return a.printJSON(s)
	}
	did := "changed"
	if s.Created {
		did = "created"
	}
	next := ""
	if s.Next != nil {
		next = ", the next at " + s.Next.UTC().Format(time.RFC3339)
	}
	if s.Paused {
		next = ", once it is no longer paused"
	}
	return a.print(`%s the Schedule %[2]s: a sweep every %[3]s%[4]s
to look at it  temporal schedule describe --schedule-id %[2]s
to pause it    temporal schedule toggle --schedule-id %[2]s --pause --reason TEXT
to resume it   temporal schedule toggle --schedule-id %[2]s --unpause --reason TEXT
to delete it   temporal schedule delete --schedule-id %[2]s`, did, s.ID, every, next)
}

// sweepText is a line for each finding, then what they come to.
func sweepText(r batch.SweepReport) string {
	var b strings.Builder
	if len(r.Findings) > 0 {
		w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		_, _ = fmt.Fprintln(w, "CLASS\tBATCH\tRUN\tSTATUS\tAGE\tROWS\tCOST\tDONE\tFOLLOWED BY\tPROBLEM")
		for _, f := range r.Findings {
			_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\n", classText(f), dash(f.BatchID), dash(f.WorkflowID),
				dash(string(f.Status)), f.Age, f.Rows, costText(f.Cost), f.Action, dash(f.FollowedBy), dash(f.Problem))
		}
		_ = w.Flush()
		b.WriteString("\n")
	}
	b.WriteString(sweepTotals(r).String())
	return b.String()
}

func sweepTotals(r batch.SweepReport) *table {
	t := &table{}
	for _, s := range r.Sums {
		t.add(strings.ReplaceAll(string(s.Class), "_", "-"), "%d batches, %d rows, %s", s.Batches, s.Rows, sumText(s))
	}
	t.add("listed", "%d batches: %d followed, %d accounted for, %d not ours", r.Listed, r.Followed, r.Accounted, r.Foreign)
	if r.Refused+r.Elsewhere > 0 {
		t.add("", "%d refused by the provider, %d ended that another namespace made", r.Refused, r.Elsewhere)
	}
	if r.Left > 0 {
		t.add("left out", "%d more findings, for the next sweep", r.Left)
	}
	t.addText("not all seen", r.Incomplete)
	if !r.Cancel && slices.ContainsFunc(r.Findings, cancellable) {
		t.add("next", "starter sweep --cancel has live orphans, duplicates and over-age batches cancelled")
	}
	return t
}

func sumText(s batch.SweepSum) string {
	cost := fmt.Sprintf("about $%.4f", batch.Cost{Nanos: s.CostNanos}.USD())
	switch s.Unpriced {
	case 0:
		return cost
	case s.Batches:
		return "cost unknown"
	default:
		return fmt.Sprintf("%s and %d of unknown cost", cost, s.Unpriced)
	}
}

// cancellable tells whether a sweep that cancels would have done more.
func cancellable(f batch.Finding) bool {
	return f.Class != batch.SweepUnknown && !f.Status.IsTerminal()
}

func classText(f batch.Finding) string {
	text := strings.ReplaceAll(string(f.Class), "_", "-")
	if f.OverAge && f.Class != batch.SweepOverAge {
		text += ",over-age"
	}
	return text
}

func costText(c batch.Cost) string {
	if c.Source == batch.CostUnknown || c.Source == "" {
		return string(batch.CostUnknown)
	}
	return fmt.Sprintf("$%.4f %s", c.USD(), c.Source)
}
