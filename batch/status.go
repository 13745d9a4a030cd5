package batch

import "fmt"

// Stage is where a run stands; ours, not the gateway's.
type Stage string

// The stages of a run, in order; cancelling replaces tracking once the gateway
// was asked to cancel.
const (
	StageInspecting Stage = "inspecting"
	StageUploading  Stage = "uploading"
	StageCreating   Stage = "creating"
	StageTracking   Stage = "tracking"
	StageCancelling Stage = "cancelling"
	StageCollecting Stage = "collecting"
	StageDone       Stage = "done"
)

// Status is the gateway's raw status of a batch. A value that is not listed
// here stays visible and reads as not terminal.
type Status string

// The raw statuses known.
const (
	StatusSubmitting        Status = "submitting"
	StatusSubmissionUnknown Status = "submission_unknown"
	StatusValidating        Status = "validating"
	StatusInProgress        Status = "in_progress"
	StatusFinalizing        Status = "finalizing"
	StatusCancelling        Status = "cancelling"
	StatusCompleted         Status = "completed"
	StatusFailed            Status = "failed"
	StatusExpired           Status = "expired"
	StatusCancelled         Status = "cancelled"
)

// LifecycleStatus is the coarse status that people and dashboards see.
type LifecycleStatus string

// The lifecycle statuses.
const (
	Pending   LifecycleStatus = "pending"
	Running   LifecycleStatus = "running"
	Completed LifecycleStatus = "completed"
	Failed    LifecycleStatus = "failed"
	Cancelled LifecycleStatus = "cancelled"
	Expired   LifecycleStatus = "expired"
)

// IsTerminal tells whether a batch in this raw status is never left again.
func (s Status) IsTerminal() bool { return s.Lifecycle("").IsTerminal() }

// IsTerminal tells whether the status is one of completed, failed, cancelled
// and expired.
func (l LifecycleStatus) IsTerminal() bool {
	return l == Completed || l == Failed || l == Cancelled || l == Expired
}

// Lifecycle derives the lifecycle status of raw status s for a run that showed
// before until now. Only raw terminal statuses are terminal; finalizing and
// cancelling, which the gateway calls pending, never move a run backwards, and
// an unknown status changes nothing.
func (s Status) Lifecycle(before LifecycleStatus) LifecycleStatus {
	switch s {
	case StatusCompleted:
		return Completed
	case StatusFailed:
		return Failed
	case StatusExpired:
		return Expired
	case StatusCancelled, "canceled":
		return Cancelled
	case StatusInProgress, StatusFinalizing, "processing", "running":
		return Running
	case StatusCancelling, StatusSubmitting, StatusSubmissionUnknown, StatusValidating, "queued", "pending":
		if before == Running {
			return Running
		}
		return Pending
	default:
		if before == "" || before.IsTerminal() {
			return Pending
		}
		return before
	}
}

// BulkLifecycle derives the lifecycle status of a bulk run, which has no batch of
// its own at the gateway: from its stage and, once it has ended, its outcome.
func BulkLifecycle(s Stage, o Outcome) LifecycleStatus {
	switch o {
	case "":
		if s == StageInspecting {
			return Pending
		}
		return Running
	case OutcomeCompleted, OutcomeCompletedWithFailures:
		return Completed
	case OutcomeExpired:
		return Expired
	case OutcomeCancelled:
		return Cancelled
	case OutcomeUpstreamFailed, OutcomeCancelUnconfirmed, OutcomeRejected, OutcomeSubmissionUnknown, OutcomeResultsUnavailable,
		OutcomeBudgetExhausted:
	}
	return Failed
}

// Outcome is how a run ended.
type Outcome string

// The outcomes of a run.
const (
	OutcomeCompleted             Outcome = "completed"
	OutcomeCompletedWithFailures Outcome = "completed_with_failures"
	OutcomeUpstreamFailed        Outcome = "upstream_failed"
	OutcomeExpired               Outcome = "expired"
	OutcomeCancelled             Outcome = "cancelled"
	OutcomeCancelUnconfirmed     Outcome = "cancel_unconfirmed"
	OutcomeRejected              Outcome = "rejected"
	OutcomeSubmissionUnknown     Outcome = "submission_unknown"
	OutcomeResultsUnavailable    Outcome = "results_unavailable"
	OutcomeBudgetExhausted       Outcome = "budget_exhausted" // bulk runs alone
)

// Outcomes lists every outcome, for metric labels and exhaustive tests.
func Outcomes() []Outcome {
	return []Outcome{
		OutcomeCompleted, OutcomeCompletedWithFailures, OutcomeUpstreamFailed, OutcomeExpired,
		OutcomeCancelled, OutcomeCancelUnconfirmed, OutcomeRejected, OutcomeSubmissionUnknown,
		OutcomeResultsUnavailable, OutcomeBudgetExhausted,
	}
}

// RequestCounts is how far the gateway says a batch is, in rows.
type RequestCounts struct {
	Total     int64 `json:"total"`
	Completed int64 `json:"completed"`
	Failed    int64 `json:"failed"`
}

// Done is the number of rows that have an answer, good or bad.
func (c RequestCounts) Done() int64 { return c.Completed + c.Failed }

// Percent is the progress from 0 to 100; 0 where the total is unknown.
func (c RequestCounts) Percent() int {
	if c.Total <= 0 {
		return 0
	}
	return int(min(100, max(0, c.Done()*100/c.Total)))
}

// String formats the counts for people.
func (c RequestCounts) String() string {
	return fmt.Sprintf("%d of %d rows, %d failed", c.Done(), c.Total, c.Failed)
}
