package batch

import (
	"fmt"
	"time"
)

// Defaults of the poll schedule: the gateway's own reconciler looks every five
// to ten minutes, so 15 minutes lose little once a batch is hours old, and half
// an hour nothing while webhooks arrive.
const (
	DefaultPollMin    = 15 * time.Second
	DefaultPollMax    = 15 * time.Minute
	DefaultPollGrowth = 0.05
	WebhookPollMax    = 30 * time.Minute
	// HintGap is the least time between two reads caused by deliveries.
	HintGap = 5 * time.Second
)

// PollPolicy is the schedule of reads; zero fields mean the defaults.
type PollPolicy struct {
	Min    Duration `json:"min,omitempty"`
	Max    Duration `json:"max,omitempty"`
	Growth float64  `json:"growth,omitempty"` // share of the batch's age
}

// Validate refuses bounds below a second, crossed bounds and a growth outside 0 to 1.
func (p PollPolicy) Validate() error {
	lo, hi := p.bounds(false)
	if lo < time.Second {
		return fmt.Errorf("poll.min: %s: want at least 1s", lo)
	}
	if hi < lo {
		return fmt.Errorf("poll.max: %s is below poll.min %s", hi, lo)
	}
	if p.Growth < 0 || p.Growth > 1 {
		return fmt.Errorf("poll.growth: %g: want 0 to 1", p.Growth)
	}
	return nil
}

// bounds are the least and the longest wait. One bound given alone moves the
// default of the other along; a maximum given explicitly holds with webhooks too.
func (p PollPolicy) bounds(webhooks bool) (lo, hi time.Duration) {
	def := DefaultPollMax
	if webhooks {
		def = WebhookPollMax
	}
	lo, hi = p.Min.Or(DefaultPollMin), p.Max.Or(def)
	if p.Min == 0 {
		lo = min(lo, hi)
	}
	if p.Max == 0 {
		hi = max(lo, hi)
	}
	return lo, hi
}

// PollHistory is what the schedule knows of a batch.
type PollHistory struct {
	// Since is when the batch was created, or adopted where that is unknown.
	Since time.Time `json:"since,omitzero"`
	// FirstAt and FirstDone are the first counts seen; LastAt, LastDone and
	// Total the newest; ChangedAt is when Done last grew.
	FirstAt   time.Time `json:"first_at,omitzero"`
	FirstDone int64     `json:"first_done,omitempty"`
	LastAt    time.Time `json:"last_at,omitzero"`
	LastDone  int64     `json:"last_done,omitempty"`
	Total     int64     `json:"total,omitempty"`
	ChangedAt time.Time `json:"changed_at,omitzero"`
	// Webhooks tells that deliveries reach this run.
	Webhooks bool `json:"webhooks,omitempty"`
}

// Note adds the counts of one read.
func (h *PollHistory) Note(now time.Time, c *RequestCounts) {
	if c == nil || c.Total <= 0 {
		return
	}
	if h.FirstAt.IsZero() {
		h.FirstAt, h.FirstDone, h.ChangedAt = now, c.Done(), now
	}
	if c.Done() > h.LastDone {
		h.ChangedAt = now
	}
	h.LastAt, h.LastDone, h.Total = now, c.Done(), c.Total
}

// NextPoll is how long to wait before the next read. The wait grows with the
// batch's age, is pulled forward to the finish that the counts let expect, and
// is never below retryAfter, what the gateway asked for.
func NextPoll(p PollPolicy, h PollHistory, now time.Time, retryAfter time.Duration) time.Duration {
	lo, hi := p.bounds(h.Webhooks)
	growth := p.Growth
	if growth == 0 {
		growth = DefaultPollGrowth
	}
	wait := clamp(time.Duration(float64(max(0, now.Sub(h.Since)))*growth), lo, hi)
	if eta, ok := h.expectedFinish(now); ok {
		wait = min(wait, max(lo, eta))
	}
	return max(wait, retryAfter)
}

// expectedFinish extrapolates the rate since the first counts. Once every row
// is done, the gateway only finalizes: look again after as long as that took.
func (h PollHistory) expectedFinish(now time.Time) (time.Duration, bool) {
	if h.Total <= 0 || h.LastDone <= 0 {
		return 0, false
	}
	if h.LastDone >= h.Total {
		return now.Sub(h.ChangedAt), true
	}
	done, took := h.LastDone-h.FirstDone, h.LastAt.Sub(h.FirstAt)
	if done <= 0 || took <= 0 {
		return 0, false
	}
	perRow := float64(took) / float64(done)
	return time.Duration(perRow * float64(h.Total-h.LastDone)), true
}

// SoonAgain is the wait before read n (from 0) while a delivery says terminal
// and the fetch does not; ok is false when the normal schedule takes over.
func SoonAgain(n int) (wait time.Duration, ok bool) {
	return ladder(n, 1, 2, 5, 10, 20, 30, 60)
}

// NextLook is the wait before look n (from 0) for a batch that may exist: 1, 2,
// 5 and 10 s, every 30 s for the first quarter of an hour, then every 2 and
// later every 5 minutes.
func NextLook(n int) time.Duration {
	if wait, ok := ladder(n, 1, 2, 5, 10); ok {
		return wait
	}
	switch {
	case n < 34:
		return 30 * time.Second
	case n < 64:
		return 2 * time.Minute
	default:
		return 5 * time.Minute
	}
}

// NextTry is the wait before try n (from 0) of a create that may pass later and
// came without Retry-After.
func NextTry(n int) time.Duration {
	if wait, ok := ladder(n, 2, 5, 10, 30, 60, 120); ok {
		return wait
	}
	return 5 * time.Minute
}

func ladder(n int, seconds ...int) (time.Duration, bool) {
	if n < 0 || n >= len(seconds) {
		return 0, false
	}
	return time.Duration(seconds[n]) * time.Second, true
}

func clamp(d, lo, hi time.Duration) time.Duration { return max(lo, min(hi, d)) }
