package batch

import (
	"slices"
	"time"
)

// grains is into how many parts a span is told: uses closer together are
// remembered as one, which frees no sooner than its last. It bounds a window's
// memory whatever the limit is.
const grains = 360

// Use is an amount used up between two times that lie close together.
type Use struct {
	From   time.Time `json:"from"`
	At     time.Time `json:"at"`
	Amount int64     `json:"amount"`
}

// Window remembers the uses of the last span, oldest first: at most one for
// each unit of the limit, and at most about 360.
type Window struct {
	Uses []Use `json:"uses,omitempty"`
	// BlockedUntil is set after a refusal: someone else uses the same account.
	BlockedUntil time.Time `json:"blocked_until,omitzero"`
}

// forget drops the uses that no longer count.
func (w *Window) forget(span time.Duration, now time.Time) {
	w.Uses = slices.DeleteFunc(w.Uses, func(u Use) bool { return !u.At.Add(span).After(now) })
}

// use notes an amount.
func (w *Window) use(span time.Duration, now time.Time, amount int64) {
	if amount <= 0 {
		return
	}
	if n := len(w.Uses); n > 0 && now.Sub(w.Uses[n-1].From) < span/grains {
		w.Uses[n-1].Amount += amount
		w.Uses[n-1].At = now
		return
	}
	w.Uses = append(w.Uses, Use{From: now, At: now, Amount: amount})
}

// undo takes back an amount that was noted at a time and never used.
func (w *Window) undo(at time.Time, amount int64) {
	for i := range w.Uses {
		u := &w.Uses[i]
		if at.Before(u.From) || at.After(u.At) {
			continue
		}
		if u.Amount -= amount; u.Amount <= 0 {
			w.Uses = slices.Delete(w.Uses, i, i+1)
		}
		return
	}
}

// used is the sum over the last span.
func (w *Window) used(span time.Duration, now time.Time) int64 {
	sum := int64(0)
	for _, u := range w.Uses {
		if u.At.Add(span).After(now) {
			sum += u.Amount
		}
	}
	return sum
}

// freeAt is when there will be room for an amount; zero: there is room now. An
// amount above the limit has room in an empty window.
func (w *Window) freeAt(span time.Duration, now time.Time, limit, amount int64) time.Time {
	var at time.Time
	sum := w.used(span, now)
	for _, u := range w.Uses {
		if limit <= 0 || sum == 0 || sum+amount <= limit {
			break
		}
		if u.At.Add(span).After(now) {
			sum -= u.Amount
			at = u.At.Add(span)
		}
	}
	if w.BlockedUntil.After(now) && w.BlockedUntil.After(at) {
		at = w.BlockedUntil
	}
	return at
}

// blockedFor is how long a refusal blocks where nothing better is known.
const blockedFor = time.Hour

// block keeps the resource closed until the oldest use leaves the window: the
// account is full, so nothing frees sooner that we know of.
func (w *Window) block(span time.Duration, now time.Time, retryAfter time.Duration) {
	until := now.Add(blockedFor)
	if retryAfter > 0 {
		until = now.Add(retryAfter)
	} else if w.forget(span, now); len(w.Uses) > 0 {
		until = w.Uses[0].At.Add(span)
	}
	if until.After(w.BlockedUntil) {
		w.BlockedUntil = until
	}
}

// lastsUntil is when the window remembers nothing any more.
func (w *Window) lastsUntil(span time.Duration) time.Time {
	at := w.BlockedUntil
	if n := len(w.Uses); n > 0 && w.Uses[n-1].At.Add(span).After(at) {
		at = w.Uses[n-1].At.Add(span)
	}
	return at
}
