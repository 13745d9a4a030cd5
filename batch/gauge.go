package batch

import (
	"fmt"
	"time"
)

// gauge is one resource at one moment.
type gauge struct {
	resource    Resource
	used, limit int64 // limit 0: none
	profile     int64
	now         time.Time
	owed        int64 // kept for requests that are ahead
	// Either a window, for what is used up, or a ceiling, for what is held.
	window  *Window
	span    time.Duration
	ceiling Ceiling
}

// gauges are the resources, in the order in which they are named to people.
func (l *Ledger) gauges(now time.Time) []gauge {
	flow := func(r Resource, w *Window, span time.Duration, limit int64) gauge {
		return gauge{resource: r, used: w.used(span, now), limit: limit, profile: limit, now: now, window: w, span: span}
	}
	stock := func(r Resource, c Ceiling, used, limit int64) gauge {
		return gauge{resource: r, used: used, limit: c.at(now, limit), profile: limit, now: now, ceiling: c}
	}
	c := l.Capacity
	return []gauge{
		flow(ResourceUploads, &l.Uploads, hourSpan, int64(c.UploadsPerHour)),
		flow(ResourceUploadBytes, &l.UploadBytes, daySpan, c.UploadBytesPerDay),
		flow(ResourceCreates, &l.Creates, hourSpan, int64(c.CreatesPerHour)),
		stock(ResourceLive, l.Live, int64(len(l.Leases)), int64(c.MaxLive)),
		stock(ResourceTokens, l.Tokens, l.enqueued(), c.MaxEnqueuedTokens),
	}
}

func (g gauge) blocked() bool { return g.window != nil && g.window.BlockedUntil.After(g.now) }

// fits tells whether there is room for an amount. What is larger than the whole
// limit is let in alone, or it would wait for ever.
func (g gauge) fits(amount int64) bool {
	switch {
	case amount == 0:
		return true
	case g.blocked():
		return false
	default:
		return g.limit == 0 || g.used == 0 || g.used+amount <= g.limit
	}
}

// spares tells whether an amount fits beside what is kept for others. Where one
// of them waits for room itself, there is none to spare.
func (g gauge) spares(amount int64) bool {
	if amount == 0 || g.owed == 0 || g.limit == 0 {
		return g.fits(amount)
	}
	return !g.blocked() && g.used+g.owed+amount <= g.limit
}

// fits tells whether there is room for the request in every gauge.
func (r LeaseRequest) fits(gauges []gauge) bool {
	for _, g := range gauges {
		if !g.spares(r.need(g.resource)) {
			return false
		}
	}
	return true
}

// keep withholds from those behind what a request needs.
func (r LeaseRequest) keep(gauges []gauge) {
	for i := range gauges {
		gauges[i].owed += r.need(gauges[i].resource)
	}
}

// freeAt is when time alone makes room for an amount; zero: it does not.
func (g gauge) freeAt(amount int64) time.Time {
	if g.window != nil {
		return g.window.freeAt(g.span, g.now, g.profile, amount)
	}
	return g.ceiling.reaches(g.now, g.used+amount, g.profile)
}

// why says what a request for an amount waits for.
func (g gauge) why(amount int64) string {
	if g.blocked() {
		return fmt.Sprintf("%s: refused by the gateway%s", g.resource.words(), g.next(amount))
	}
	text := fmt.Sprintf("%s: %d of %d", g.resource.words(), g.used, g.limit)
	switch {
	case g.window == nil && g.limit != g.profile:
		text += " (learned from a refusal)"
	case g.window != nil && g.span == hourSpan:
		text += " used in the last hour"
	case g.window != nil:
		text += " used in the last day"
	}
	if amount > 1 {
		text += fmt.Sprintf(", %d needed", amount)
	}
	return text + g.next(amount)
}

func (g gauge) next(amount int64) string {
	if at := g.freeAt(amount); !at.IsZero() {
		return ", next at " + at.UTC().Format(time.RFC3339)
	}
	return ""
}
