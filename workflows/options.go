package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"batchkeeper/activities"
	"batchkeeper/batch"
)

// postWindow is how long after its scheduling a create call may still be
// written: long enough for a busy worker to pick it up, short enough that a
// look ten minutes after it is worth something.
const postWindow = 30 * time.Second

// heartbeat is how soon a dead worker is noticed.
const heartbeat = 15 * time.Second

// transferTime bounds one attempt to move or join a batch's bytes.
const transferTime = 6 * time.Hour

// quickRead is for calls that only read, a few requests long. Trouble comes
// back as an answer; what is retried here is a lost worker.
func quickRead(summary string) workflow.ActivityOptions {
	return workflow.ActivityOptions{
		Summary:             summary,
		StartToCloseTimeout: 2 * time.Minute,
		HeartbeatTimeout:    heartbeat,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: 30 * time.Second, MaximumAttempts: 3},
	}
}

// longTransfer is for moving bytes: it is tried until patience ends.
func longTransfer(summary string, patience time.Duration) workflow.ActivityOptions {
	return workflow.ActivityOptions{
		Summary:                summary,
		StartToCloseTimeout:    transferTime,
		ScheduleToCloseTimeout: patience,
		HeartbeatTimeout:       heartbeat,
		RetryPolicy:            &temporal.RetryPolicy{InitialInterval: 2 * time.Second, BackoffCoefficient: 2, MaximumInterval: time.Minute},
	}
}

// submitOnce is for the paid call: one attempt, whatever happens to it.
func submitOnce(summary string, mode batch.CreateMode) workflow.ActivityOptions {
	timeout := activities.CreateCallTimeout
	if mode == batch.CreateInline {
		timeout = activities.InlineCallTimeout
	}
	return workflow.ActivityOptions{
		Summary:             summary,
		StartToCloseTimeout: postWindow + timeout + 15*time.Second,
		HeartbeatTimeout:    heartbeat,
		RetryPolicy:         &temporal.RetryPolicy{MaximumAttempts: 1},
	}
}

// longRead is for reads of many things: as quickRead, with time for them all.
func longRead(summary string) workflow.ActivityOptions {
	o := quickRead(summary)
	o.StartToCloseTimeout = 20 * time.Minute
	return o
}
