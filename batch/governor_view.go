package batch

import (
	"fmt"
	"strings"
	"time"
)

// GovernorState is what a governor answers to the query "state".
type GovernorState struct {
	Account  string    `json:"account"`
	Profile  string    `json:"profile"`
	Capacity Capacity  `json:"capacity"`
	Meters   []Meter   `json:"meters"`
	Leases   []Lease   `json:"leases,omitempty"`
	Waiting  []Waiting `json:"waiting,omitempty"`
}

// Meter is one resource: how much of it is used, and the limit that applies.
type Meter struct {
	Resource Resource `json:"resource"`
	Used     int64    `json:"used"`
	Limit    int64    `json:"limit,omitempty"` // 0: none
	// Learned tells that the limit is not the profile's but comes from refusals.
	Learned      bool       `json:"learned,omitempty"`
	BlockedUntil *time.Time `json:"blocked_until,omitempty"`
}

// Waiting is a request that waits, and why.
type Waiting struct {
	RunID   string    `json:"run_id"`
	Holder  string    `json:"holder"`
	AskedAt time.Time `json:"asked_at"`
	Reason  string    `json:"reason"`
}

// Meters are the resources at a time.
func (l *Ledger) Meters(now time.Time) []Meter {
	var out []Meter
	for _, g := range l.gauges(now) {
		m := Meter{Resource: g.resource, Used: g.used, Limit: g.limit, Learned: g.limit != g.profile}
		if g.blocked() {
			until := g.window.BlockedUntil
			m.BlockedUntil = &until
		}
		out = append(out, m)
	}
	return out
}

// Waiting are the requests of a run, or of all where it is empty, in the order
// of the turns, each with what it waits for.
func (l *Ledger) Waiting(run string, now time.Time) []Waiting {
	var out []Waiting
	gauges := l.gauges(now)
	for _, turn := range l.Turns {
		reason := turn.Requests[0].why(gauges)
		for _, q := range turn.Requests {
			if run == "" || run == turn.RunID {
				out = append(out, Waiting{RunID: q.RunID, Holder: q.Holder, AskedAt: q.AskedAt, Reason: reason})
			}
			reason = "after " + q.Holder + " of the same run"
		}
		turn.Requests[0].keep(gauges)
	}
	return out
}

// why says what the first request of a run waits for.
func (r LeaseRequest) why(gauges []gauge) string {
	var short, kept []string
	for _, g := range gauges {
		switch amount := r.need(g.resource); {
		case !g.fits(amount):
			short = append(short, g.why(amount))
		case !g.spares(amount):
			kept = append(kept, g.resource.words())
		}
	}
	switch {
	case len(short) > 0:
		return strings.Join(short, "; ")
	case len(kept) > 0:
		return fmt.Sprintf("%s: kept for runs whose turn is before", strings.Join(kept, ", "))
	default:
		return "next in turn"
	}
}

// NextFree is when time alone makes room for what a first request waits for;
// zero: only a returned lease can.
func (l *Ledger) NextFree(now time.Time) time.Time {
	var next time.Time
	gauges := l.gauges(now)
	for _, turn := range l.Turns {
		for _, g := range gauges {
			amount := turn.Requests[0].need(g.resource)
			if g.spares(amount) {
				continue
			}
			if at := g.freeAt(g.owed + amount); at.After(now) && (next.IsZero() || at.Before(next)) {
				next = at
			}
		}
		turn.Requests[0].keep(gauges)
	}
	return next
}

// LastsUntil is when what the ledger remembers stops to matter: until then it
// would be missed, even while nobody uses it.
func (l *Ledger) LastsUntil() time.Time {
	var last time.Time
	later := func(at time.Time) {
		if at.After(last) {
			last = at
		}
	}
	remember := func(w Window, span time.Duration, limit int64) {
		if later(w.BlockedUntil); limit > 0 {
			later(w.lastsUntil(span))
		}
	}
	remember(l.Uploads, hourSpan, int64(l.Capacity.UploadsPerHour))
	remember(l.UploadBytes, daySpan, l.Capacity.UploadBytesPerDay)
	remember(l.Creates, hourSpan, int64(l.Capacity.CreatesPerHour))
	for _, c := range []Ceiling{l.Live, l.Tokens} {
		if c.Learned > 0 {
			later(c.At.Add(ceilingLasts))
		}
	}
	return last
}
