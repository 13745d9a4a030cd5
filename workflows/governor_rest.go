package workflows

import (
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"batchkeeper/batch"
)

// hear takes every signal that is here. It alone receives, and never blocks:
// between it and the end of the run nothing can be lost. Channels do not keep
// the order between them: asks come first, since a holder asks before it returns,
// and a return ends no later ask.
func (g *governor) hear(ctx workflow.Context) {
	now := workflow.Now(ctx)
	for ask := (batch.LeaseAsk{}); g.asks.ReceiveAsync(&ask); ask = (batch.LeaseAsk{}) {
		if err := ask.Validate(); err != nil {
			g.log.Warn("ask", "error", err)
			continue
		}
		if ask.Capacity != nil {
			g.ledger.Capacity = *ask.Capacity
		}
		g.ledger.Ask(ask.LeaseRequest, now)
	}
	for r := (batch.Refusal{}); g.refusals.ReceiveAsync(&r); r = (batch.Refusal{}) {
		if !g.ledger.Refused(r, now) {
			g.log.Warn("a refusal that teaches nothing", "holder", r.Holder, "reason", r.Reason)
		}
	}
	for r := (batch.LeaseRelease{}); g.releases.ReceiveAsync(&r); r = (batch.LeaseRelease{}) {
		g.ledger.Release(r.Holder, r.Ask)
	}
}

func (g *governor) called() bool { return g.asks.Len()+g.releases.Len()+g.refusals.Len() > 0 }

// over tells whether nobody has needed the governor for long enough.
func (g *governor) over(now time.Time) bool {
	switch {
	case !g.ledger.Idle():
		g.idleSince = time.Time{}
		return false
	case g.idleSince.IsZero():
		g.idleSince = now
	}
	return !now.Before(g.endsAt())
}

// endsAt is when an idle governor ends: not while what it remembers, such as the
// bytes of the last day, would be missed by its successor.
func (g *governor) endsAt() time.Time {
	end := g.idleSince.Add(governorLinger)
	if lasts := g.ledger.LastsUntil(); lasts.After(end) {
		return lasts
	}
	return end
}

// rest waits until a signal comes, the reaping has its answer, or the timer fires:
// when a window frees, a reaping is due, or an idle governor ends.
func (g *governor) rest(ctx workflow.Context) error {
	at, what := g.nextWake(workflow.Now(ctx))
	g.setTimer(ctx, at, what)
	return workflow.Await(ctx, func() bool {
		return g.called() || g.timer != nil && g.timer.IsReady() || g.reaping != nil && g.reaping.IsReady()
	})
}

func (g *governor) nextWake(now time.Time) (time.Time, string) {
	if g.ledger.Idle() {
		return g.endsAt(), "nobody needs capacity"
	}
	at, what := g.ledger.NextFree(now), "capacity frees"
	if g.reaping == nil && (at.IsZero() || g.reapAt.Before(at)) {
		at, what = g.reapAt, "do the holders still live"
	}
	return at, what
}

// setTimer keeps a timer that is already right: a signal then costs no timer.
func (g *governor) setTimer(ctx workflow.Context, at time.Time, what string) {
	running := g.timer != nil && !g.timer.IsReady()
	if running && at.Equal(g.timerAt) {
		return
	}
	if running {
		g.stopTimer()
	}
	g.timer, g.timerAt, g.stopTimer = nil, at, nil
	if at.IsZero() {
		return
	}
	timed, stop := workflow.WithCancel(ctx)
	g.timer = workflow.NewTimerWithOptions(timed, max(at.Sub(workflow.Now(ctx)), time.Second), workflow.TimerOptions{Summary: what})
	g.stopTimer = stop
}

// governorDetails is the status page of a governor, in Markdown, for the Web UI.
func governorDetails(s batch.GovernorState) string {
	var b strings.Builder
	fmt.Fprintf(&b, "### %d leases, %d waiting\n\n| Resource | Used | Limit |\n|---|---|---|\n", len(s.Leases), len(s.Waiting))
	for _, m := range s.Meters {
		limit := "none known"
		if m.Limit > 0 {
			limit = fmt.Sprint(m.Limit)
		}
		if m.Learned {
			limit += " (learned from a refusal)"
		}
		if m.BlockedUntil != nil {
			limit += ", blocked until " + m.BlockedUntil.UTC().Format(time.RFC3339)
		}
		fmt.Fprintf(&b, "| %s | %d | %s |\n", m.Resource, m.Used, limit)
	}
	if len(s.Waiting) > 0 {
		fmt.Fprintf(&b, "\nNext in turn: %s, waiting for %s\n", code(cell(s.Waiting[0].Holder)), cell(s.Waiting[0].Reason))
	}
	return b.String()
}
