package batch

import (
	"fmt"
	"time"
)

// Action is what the tracking loop does after a read.
type Action string

// The actions.
const (
	KeepTracking Action = "keep_tracking"
	ReadAgain    Action = "read_again" // terminal, but without the files it should name
	AskCancel    Action = "ask_cancel"
	Collect      Action = "collect"
	GiveUp       Action = "give_up"
)

// Decision is an action, its reason for people, and the outcome of a GiveUp.
type Decision struct {
	Action  Action
	Reason  string
	Outcome Outcome
}

// MinBareReads is how often a completed batch without an output file is read
// again before that is believed.
const MinBareReads = 5

// MissingGrace is how long a 404 for a batch that was read before is transient.
const MissingGrace = 10 * time.Minute

// Sight is everything a decision of the tracking loop looks at.
type Sight struct {
	Now    time.Time
	Status Status
	// HasOutput tells whether the batch names an output file.
	HasOutput bool
	Counts    *RequestCounts
	BareReads int
	// Unread tells that the last read failed: the status is an older one.
	Unread bool
	// CancelAskedAt is when the gateway was first asked to cancel; zero: not yet.
	CancelRequested bool
	CancelAskedAt   time.Time
	CancelSettled   bool // the gateway will not be asked again
	CancelGrace     time.Duration
	// StaleAt is the deadline of stale_after; zero: none.
	StaleAt time.Time
	// MissingSince is when the gateway began to answer 404; zero: it does not.
	MissingSince time.Time
	// Fetched tells whether a read ever succeeded; until then a missing batch is
	// ambiguous, and SettleBy bounds the wait.
	Fetched  bool
	SettleBy time.Time
	// Given tells that the batch's id is the job's word, of which no create is proof.
	Given bool
}

// Decide says what to do after a read, successful or not.
func Decide(s Sight) Decision {
	if s.Status.IsTerminal() && !s.Unread {
		return decideTerminal(s)
	}
	if !s.MissingSince.IsZero() {
		if d, done := decideMissing(s); done {
			return d
		}
	}
	switch {
	case s.Status.IsTerminal():
		return Decision{Action: KeepTracking, Reason: "terminal, but not read again yet"}
	case s.CancelRequested && !s.CancelAskedAt.IsZero() && !s.Now.Before(s.CancelAskedAt.Add(s.CancelGrace)):
		return Decision{GiveUp, fmt.Sprintf("not terminal %s after the gateway was asked to cancel", s.CancelGrace), OutcomeCancelUnconfirmed}
	case s.CancelRequested && !s.CancelSettled:
		return Decision{Action: AskCancel, Reason: "a cancel was requested"}
	case !s.CancelRequested && !s.StaleAt.IsZero() && !s.Now.Before(s.StaleAt):
		return Decision{Action: AskCancel, Reason: "not terminal within stale_after"}
	}
	return Decision{Action: KeepTracking, Reason: "not terminal"}
}

func decideTerminal(s Sight) Decision {
	answered := s.Counts != nil && s.Counts.Completed > 0
	if s.HasOutput || (s.Status != StatusCompleted && !answered) {
		return Decision{Action: Collect, Reason: "terminal: " + string(s.Status)}
	}
	if s.BareReads < MinBareReads {
		return Decision{Action: ReadAgain, Reason: fmt.Sprintf("%s without an output file", s.Status)}
	}
	if answered {
		return Decision{GiveUp, fmt.Sprintf("%s, %d rows answered by its counts, but no output file after %d reads",
			s.Status, s.Counts.Completed, s.BareReads+1), OutcomeResultsUnavailable}
	}
	return Decision{Action: Collect, Reason: "completed, no row answered"}
}

// decideMissing judges a batch that the gateway does not find.
func decideMissing(s Sight) (Decision, bool) {
	if !s.Fetched && s.Given && !s.Now.Before(s.MissingSince.Add(MissingGrace)) {
		return Decision{GiveUp, fmt.Sprintf("the gateway has not found the batch for %s: check its id, and whose key the worker has",
			s.Now.Sub(s.MissingSince).Round(time.Second)), OutcomeRejected}, true
	}
	if !s.Fetched {
		if s.SettleBy.IsZero() || s.Now.Before(s.SettleBy) {
			return Decision{}, false
		}
		return Decision{GiveUp, "the gateway never showed the batch within settle_timeout", OutcomeSubmissionUnknown}, true
	}
	if s.Now.Before(s.MissingSince.Add(MissingGrace)) {
		return Decision{}, false
	}
	return Decision{GiveUp, fmt.Sprintf("the gateway has not found the batch for %s: deleted, or another account's key",
		s.Now.Sub(s.MissingSince).Round(time.Second)), OutcomeResultsUnavailable}, true
}

// OutcomeOf is the outcome of a collected batch. A batch that was cancelled by
// no one here is cancelled all the same.
func OutcomeOf(s Status, r Results) Outcome {
	switch s.Lifecycle("") {
	case Completed:
		if r.Failed+r.Missing > 0 {
			return OutcomeCompletedWithFailures
		}
		return OutcomeCompleted
	case Failed:
		return OutcomeUpstreamFailed
	case Expired:
		return OutcomeExpired
	case Cancelled:
		return OutcomeCancelled
	case Pending, Running:
		return OutcomeResultsUnavailable
	default:
		return OutcomeResultsUnavailable
	}
}

// AbsentClass is the class of a row that the provider never mentioned.
func AbsentClass(s Status) string {
	switch s.Lifecycle("") {
	case Expired:
		return ClassExpired
	case Cancelled:
		return ClassCancelled
	case Completed, Failed, Pending, Running:
		return ClassMissing
	default:
		return ClassMissing
	}
}
