package batch

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// UnitStage is where a unit of a bulk run stands.
type UnitStage string

// The stages of a unit.
const (
	UnitWaiting  UnitStage = "waiting"  // for capacity
	UnitGranted  UnitStage = "granted"  // may be started
	UnitRunning  UnitStage = "running"  // its batch workflow is open
	UnitEnded    UnitStage = "ended"    // to be settled
	UnitDeferred UnitStage = "deferred" // the gateway had no room: asked for again later
)

// RefusalIn finds the gateway's code for a lack of room in the message of a
// batch that ended without any answer.
func RefusalIn(message string) (code string, ok bool) {
	for _, code := range []string{
		"token_limit_exceeded", "batch_limit_exceeded", "batch_file_hourly_quota_exceeded",
		"batch_file_daily_bytes_exceeded", "batch_file_quota_exceeded",
	} {
		if strings.Contains(message, code) {
			return code, true
		}
	}
	return "", false
}

// RoomAgain is the wait before a unit is asked for again, after refusal n (from 1).
// There is no last one: a lack of room is no reason to lose rows.
func RoomAgain(n int) time.Duration {
	if wait, ok := ladder(n-1, 15, 60, 300, 900); ok {
		return wait
	}
	return time.Hour
}

// The breaker: a cause that would fail every row must not be paid for by the
// whole input.
const (
	// BreakerShare is the share of a round's settled rows that one permanent cause
	// may have.
	BreakerShare = 0.25
	// BreakerRows is how many rows must be settled before a share says anything.
	BreakerRows = 100
)

// Breaker gives the reason to pause, empty for none. A cause that was let pass
// by a resume does not trip it again.
func Breaker(settled int64, causes []Cause, passed []string) (reason, cause string) {
	if settled < BreakerRows {
		return "", ""
	}
	for _, c := range causes {
		if float64(c.Rows) <= BreakerShare*float64(settled) || slices.Contains(passed, c.Cause) {
			continue
		}
		return fmt.Sprintf("%d of %d rows of this round failed for good with %q: resume goes on in spite of it", c.Rows, settled, c.Cause), c.Cause
	}
	return "", ""
}

// overloadShare is the share of a round's rows that a provider must have had no
// room or no strength for before the next round waits.
const overloadShare = 0.5

// BetweenRounds is how long the round after round n waits, so that a provider in
// trouble does not use up every round within a minute.
func BetweenRounds(n int, settled int64, again []Cause) time.Duration {
	overloaded := int64(0)
	for _, c := range again {
		if isOverload(c.Cause) {
			overloaded += c.Rows
		}
	}
	if settled < BreakerRows || float64(overloaded) < overloadShare*float64(settled) {
		return 0
	}
	if wait, ok := ladder(n-1, 300, 1800); ok {
		return wait
	}
	return time.Hour
}

// isOverload tells that a row failed since the provider was not up to it.
func isOverload(cause string) bool {
	return strings.HasPrefix(cause, "http_429") || strings.HasPrefix(cause, "http_5") || strings.HasPrefix(cause, "rate_limit") ||
		slices.Contains([]string{"server_error", "internal_error", "overloaded_error", "service_unavailable"}, cause)
}

// AbsenceOf is what becomes of a unit's rows when its batch ended with an
// outcome and without results.
func AbsenceOf(o Outcome, f *Failure) Absence {
	a := Absence{Class: ClassMissing, Cause: string(o)}
	if f != nil {
		a.Cause = string(o) + ": " + cut(oneLine(f.Message), maxCause)
	}
	switch o {
	case OutcomeExpired:
		a.Class = ClassExpired
	case OutcomeCancelled, OutcomeCancelUnconfirmed:
		a.Class = ClassCancelled
	case OutcomeRejected:
		a.Class = ClassRowError
	case OutcomeCompleted, OutcomeCompletedWithFailures, OutcomeUpstreamFailed, OutcomeSubmissionUnknown,
		OutcomeResultsUnavailable, OutcomeBudgetExhausted:
	}
	return a
}

// maxCause keeps causes short enough to be counted and shown.
const maxCause = 120

func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}

// WorthAnother tells whether rows about which a batch said nothing may be sent
// again: not where they may have been paid for, and not where the gateway
// refused them for good.
func WorthAnother(o Outcome) bool {
	switch o {
	case OutcomeExpired, OutcomeUpstreamFailed, OutcomeCompleted, OutcomeCompletedWithFailures:
		return true
	case OutcomeCancelled, OutcomeCancelUnconfirmed, OutcomeRejected, OutcomeSubmissionUnknown, OutcomeResultsUnavailable,
		OutcomeBudgetExhausted:
		return false
	default:
		return false
	}
}

// BulkEnd is what decides the outcome of a bulk run that came to its end.
type BulkEnd struct {
	Counts          BulkCounts
	CancelRequested bool
	Unconfirmed     int // batches whose cancel could not be confirmed
	BudgetReached   bool
	Undone          bool // a stop left something unsent, or not sent again
}

// Outcome is how the run ended.
func (e BulkEnd) Outcome() Outcome {
	switch {
	case e.Unconfirmed > 0:
		return OutcomeCancelUnconfirmed
	case e.CancelRequested && (e.Undone || e.Counts.Cancelled > 0):
		return OutcomeCancelled
	case e.BudgetReached && e.Undone:
		return OutcomeBudgetExhausted
	case e.Counts.Sum() > e.Counts.Answered:
		return OutcomeCompletedWithFailures
	default:
		return OutcomeCompleted
	}
}
