package batch

import "time"

// Ceiling is a limit learned from refusals: an account's real limit depends on
// its tier and on who else uses it. It recovers by a tenth of what was learned
// for each hour without a refusal, and is never above the profile's.
type Ceiling struct {
	Learned int64     `json:"learned,omitempty"` // 0: none
	At      time.Time `json:"at,omitzero"`       // of the last refusal
}

// ceilingLasts is how long a ceiling is worth remembering: by then it has doubled.
const ceilingLasts = 10 * time.Hour

// at is the limit that applies at a time; zero: none.
func (c Ceiling) at(now time.Time, profile int64) int64 {
	if c.Learned <= 0 {
		return profile
	}
	hours := int64(max(0, now.Sub(c.At)) / time.Hour)
	limit := c.Learned + c.Learned/10*hours + c.Learned%10*hours/10 // in this order nothing overflows
	if profile > 0 {
		return min(limit, profile)
	}
	return limit
}

// reaches is when the ceiling will have recovered to a limit; zero: by time
// alone it never does, or has done so already.
func (c Ceiling) reaches(now time.Time, want, profile int64) time.Time {
	if c.Learned <= 0 || want <= c.Learned || profile > 0 && want > profile {
		return time.Time{}
	}
	hours := ((want-c.Learned)*10 + c.Learned - 1) / c.Learned
	if at := c.At.Add(time.Duration(hours) * time.Hour); at.After(now) {
		return at
	}
	return time.Time{}
}

// lower learns from a refusal that an amount was too much by at least one unit.
// It never rises by it.
func (c *Ceiling) lower(now time.Time, profile, to int64) {
	if before := c.at(now, profile); before > 0 {
		to = min(to, before)
	}
	c.Learned, c.At = max(1, to), now
}
