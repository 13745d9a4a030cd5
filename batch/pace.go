package batch

import "time"

// Pace is how fast a bulk run accounts for its rows, and how long it will take at
// that pace; ok is false while there is nothing to judge by. Rows come in whole
// batches, so it says little before several have ended.
func (b Bulk) Pace(now time.Time) (rowsPerHour float64, left time.Duration, ok bool) {
	done := b.Counts.Answered + b.Counts.Failed() + b.Counts.Cancelled
	elapsed := now.Sub(b.StartedAt)
	if done <= 0 || elapsed <= 0 {
		return 0, 0, false
	}
	rowsPerHour = float64(done) / elapsed.Hours()
	return rowsPerHour, time.Duration(float64(b.Counts.Open) / rowsPerHour * float64(time.Hour)), true
}
