package gatewaytest

import (
	"time"
)

// Statuses of a batch, as the provider and the gateway's database spell them.
const (
	statusSubmissionUnknown = "submission_unknown"
	statusValidating        = "validating"
	statusInProgress        = "in_progress"
	statusFinalizing        = "finalizing"
	statusCancelling        = "cancelling"
	statusCompleted         = "completed"
	statusFailed            = "failed"
	statusExpired           = "expired"
	statusCancelled         = "cancelled"
)

// counts are request_counts.
type counts struct {
	total, completed, failed int
}

// batch is a batch in two views: live is what the provider says now, row what the gateway's database last heard.
type batch struct {
	id, native, providerID string // native is providerID once the gateway knows it
	requestID, sessionID   string
	endpoint, model        string
	inputFile              string
	metadata               map[string]string
	events                 []string // subscribed; nil: no webhook
	rows, failing          int
	problems               []rowProblem // why the provider's validation fails
	sequence               int64

	live     live
	row      dbRow
	plan     plan
	done     chan struct{} // closed once terminal
	closing  bool          // outputs are being written
	expires  time.Time
	recover  time.Time // when a submission_unknown row finds its batch; zero: never, or it is known
	rejected bool      // a hidden row of a submission that the provider refused
	missing  bool      // the provider has no such batch
	settled  bool      // billing was finalized
	delivery delivery
	last     answer // of the last retrieve, for a stale read
}

// live is the provider's view.
type live struct {
	status                                   string
	created, started, finalizing, cancelling time.Time
	ended                                    time.Time
	counts                                   counts
	output, errors                           string
	usage                                    usage
}

// dbRow is the gateway's copy.
type dbRow struct {
	status           string
	counts           counts
	output, errors   string
	created, updated time.Time
	finalized        time.Time
	nextReconcile    time.Time
}

// plan is what the provider will do and when.
type plan struct {
	start, finalize, end time.Time // end zero: never
	outcome              string
	answered             int // rows with an answer; -1: as many as the progress at the end, all when completed
	allFail, noFiles     bool
}

type usage struct {
	input, output int64
}

func terminal(status string) bool {
	switch status {
	case statusCompleted, statusFailed, statusExpired, statusCancelled:
		return true
	default:
		return false
	}
}

// rank orders the statuses of the database, which never goes back to a lower one.
func rank(status string) int {
	switch status {
	case statusCompleted, statusFailed, statusExpired, statusCancelled:
		return 3
	case statusInProgress:
		return 2
	case "queued", "pending":
		return 1
	default:
		return 0
	}
}

// refresh copies the live view into the database's row, as a retrieve, the reconciler and the provider's webhook do.
func (b *batch) refresh(now time.Time) {
	if b.native == "" {
		return
	}
	if rank(b.live.status) >= rank(b.row.status) && !terminal(b.row.status) {
		b.row.status = b.live.status
	}
	b.row.counts, b.row.output, b.row.errors = b.live.counts, b.live.output, b.live.errors
	b.row.updated = now
	if terminal(b.row.status) {
		b.row.finalized = now
	}
}

// reconcileDelay is how long the gateway waits before it looks at a batch of this status by itself.
func reconcileDelay(status string) time.Duration {
	switch status {
	case statusFinalizing, statusCancelling:
		return 2 * time.Minute
	case statusInProgress:
		return 5 * time.Minute
	default:
		return 10 * time.Minute
	}
}

// BatchInfo is a batch as a test looks at it.
type BatchInfo struct {
	ID           string    `json:"id"`
	NativeID     string    `json:"native_id,omitempty"` // as the provider knows it, whether or not the gateway does
	SessionID    string    `json:"session_id,omitempty"`
	Status       string    `json:"status"`
	InputFileID  string    `json:"input_file_id,omitempty"`
	OutputFileID string    `json:"output_file_id,omitempty"`
	ErrorFileID  string    `json:"error_file_id,omitempty"`
	Rows         int       `json:"rows"`
	Completed    int       `json:"completed"`
	Failed       int       `json:"failed"`
	Accepted     bool      `json:"accepted"` // the provider has it: it costs money
	Hidden       bool      `json:"hidden"`   // the row of a submission that the provider refused
	CreatedAt    time.Time `json:"created_at"`
}

// BatchesOf gives the batches of a session, oldest first; of all sessions for an empty one. Those that the provider
// refused are there too and marked: at most one batch exists exactly when at most one is Accepted.
func (s *Server) BatchesOf(sessionID string) []BatchInfo {
	s.settleAll()
	s.mu.Lock()
	defer s.mu.Unlock()
	infos := []BatchInfo{}
	for _, b := range s.sortedBatches() {
		if sessionID == "" || b.sessionID == sessionID {
			infos = append(infos, b.info())
		}
	}
	return infos
}

func (b *batch) info() BatchInfo {
	info := BatchInfo{
		ID: b.id, SessionID: b.sessionID, Status: b.live.status, InputFileID: b.inputFile, OutputFileID: b.live.output,
		ErrorFileID: b.live.errors, Rows: b.rows, Completed: b.live.counts.completed, Failed: b.live.counts.failed,
		Accepted: !b.missing && !b.rejected, Hidden: b.rejected, CreatedAt: b.live.created,
	}
	if info.Accepted {
		info.NativeID = b.providerID
	} else {
		info.Status = b.row.status
	}
	return info
}
