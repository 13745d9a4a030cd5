package batch

import (
	"encoding/json"
	"slices"
	"time"
)

// State is the public state of a run: what the query answers and, at the end,
// the result.
type State struct {
	Stage           Stage           `json:"stage"`
	SessionID       string          `json:"session_id"`
	InputFileID     string          `json:"input_file_id,omitempty"`
	BatchID         string          `json:"batch_id,omitempty"`
	NativeBatchID   string          `json:"native_batch_id,omitempty"`
	Provider        string          `json:"provider,omitempty"`
	Model           string          `json:"model,omitempty"`
	Endpoint        string          `json:"endpoint,omitempty"`
	RequestID       string          `json:"request_id,omitempty"` // the gateway's own id of the create call
	Status          Status          `json:"status,omitempty"`     // raw, as last fetched
	LifecycleStatus LifecycleStatus `json:"lifecycle_status,omitempty"`
	Progress        int             `json:"progress"` // percent
	RequestCounts   *RequestCounts  `json:"request_counts,omitempty"`
	Polls           int             `json:"polls"`
	NextPollAt      *time.Time      `json:"next_poll_at,omitempty"`
	OutputFileID    string          `json:"output_file_id,omitempty"`
	ErrorFileID     string          `json:"error_file_id,omitempty"`
	Usage           json.RawMessage `json:"usage,omitempty"`   // the gateway's figures, at most 16 KiB
	Billing         json.RawMessage `json:"billing,omitempty"` // the same
	UpstreamErrors  string          `json:"upstream_errors,omitempty"`

	Input        *InputFacts   `json:"input,omitempty"`
	Submission   *Submission   `json:"submission,omitempty"` // how the create went
	Webhook      Webhook       `json:"webhook"`
	Cancellation *Cancellation `json:"cancellation,omitempty"`
	// Problem is what last went wrong and is being tried again; empty when all is well.
	Problem string   `json:"problem,omitempty"`
	Outcome Outcome  `json:"outcome,omitempty"`
	Failure *Failure `json:"failure,omitempty"`
	Results *Results `json:"results,omitempty"`
	// Bulk is set on a bulk run alone; its batch fields are then empty.
	Bulk *Bulk `json:"bulk,omitempty"`
}

// Result is what a run ends with: the state at its end.
type Result = State

// InputFacts is what the inspection found.
type InputFacts struct {
	Rows    int64  `json:"rows"`
	Bytes   int64  `json:"bytes"`
	SHA256  string `json:"sha256,omitempty"`
	BadRows int64  `json:"bad_rows,omitempty"`
}

// Submission is the record of the create: everything an operator needs to
// settle an ambiguous one.
type Submission struct {
	// Posts is how many create calls were allowed to leave; Lookups how often
	// the gateway was searched for this run's session.
	Posts   int `json:"posts"`
	Lookups int `json:"lookups"`
	// FirstPostAfter is the gateway's clock just before the first post, and
	// PostDeadline the wall clock after which the last one cannot be written.
	FirstPostAfter *time.Time `json:"first_post_after,omitempty"`
	PostDeadline   *time.Time `json:"post_deadline,omitempty"`
	// Ambiguous is set while it is unknown whether a batch exists.
	Ambiguous      bool       `json:"ambiguous,omitempty"`
	AmbiguousSince *time.Time `json:"ambiguous_since,omitempty"`
	// Hints are batch ids that may be ours: from an error body or a delivery.
	Hints []string `json:"hints,omitempty"`
	// Duplicates are other batches of this session: reported, never tracked.
	Duplicates []string `json:"duplicates,omitempty"`
	LastAnswer string   `json:"last_answer,omitempty"`
}

// Webhook is what is known of deliveries: ours first, then the gateway's view.
type Webhook struct {
	Deliveries     int        `json:"deliveries"` // accepted by this run, duplicates not counted
	LastEventType  string     `json:"last_event_type,omitempty"`
	LastReceivedAt *time.Time `json:"last_received_at,omitempty"`
	GatewayWebhook
}

// GatewayWebhook is the gateway's own account of its deliveries. Trouble here
// never changes an outcome.
type GatewayWebhook struct {
	TotalAttempts      int64      `json:"total_attempts"`
	PendingRetries     int64      `json:"pending_retries"`
	LastResponseStatus *int       `json:"last_response_status,omitempty"`
	LastFailureAt      *time.Time `json:"last_failure_at,omitempty"`
	LastErrorMessage   string     `json:"last_error_message,omitempty"`
}

// CancelResult is what became of a request to cancel.
type CancelResult string

// What can become of a request to cancel.
const (
	CancelAccepted     CancelResult = "accepted"
	CancelTooLate      CancelResult = "too_late"
	CancelNotSupported CancelResult = "not_supported"
	CancelUnconfirmed  CancelResult = "unconfirmed"
)

// Cancellation is the request to cancel and what became of it.
type Cancellation struct {
	RequestedBy        string       `json:"requested_by"`
	Reason             string       `json:"reason"`
	RequestedAt        time.Time    `json:"requested_at"`
	AskedAt            *time.Time   `json:"asked_at,omitempty"` // when the gateway was first asked
	CancelURLAvailable *bool        `json:"cancel_url_available,omitempty"`
	Result             CancelResult `json:"result,omitempty"`
	LastAnswer         string       `json:"last_answer,omitempty"`
}

// Failure says why a run did not complete.
type Failure struct {
	Type     FailureKind `json:"type"`
	Message  string      `json:"message"`
	Problems []Problem   `json:"problems,omitempty"` // the first bad rows of a rejected input
}

// Problem is one bad line of the input.
type Problem struct {
	Line     int64  `json:"line"`
	CustomID string `json:"custom_id,omitempty"`
	Message  string `json:"message"`
}

// Results is where the rows went. Rows = Succeeded + Failed + Missing: Failed
// are rows with an answer that is an error, an expiry or a cancellation,
// Missing those that the provider never mentioned.
type Results struct {
	Prefix     string `json:"prefix"`
	Rows       int64  `json:"rows"`
	Succeeded  int64  `json:"succeeded"`
	Failed     int64  `json:"failed"`
	Missing    int64  `json:"missing"`
	Duplicates int64  `json:"duplicates"`
	Unmatched  int64  `json:"unmatched"`
	Malformed  int64  `json:"malformed,omitempty"` // provider lines that could not be read
	Manifest   *Ref   `json:"manifest,omitempty"`
}

// Carried is the whole memory of a run: continue-as-new hands it on.
type Carried struct {
	Token string `json:"token"`
	State State  `json:"state"`
	Book  Book   `json:"book"`
	// Bulk is the book of a bulk run.
	Bulk *BulkBook `json:"bulk,omitempty"`
}

// Book is what a run remembers beside its public state.
type Book struct {
	Profile   Profile   `json:"profile,omitzero"`
	StartedAt time.Time `json:"started_at"` // of the first run in the chain
	// Inspected, Created and Tracked mark the steps that are behind us; an upload
	// is known by its file id.
	Inspected bool `json:"inspected,omitempty"`
	Created   bool `json:"created,omitempty"`
	Tracked   bool `json:"tracked,omitempty"`

	// CreateSince is when creating began; NextAskAt when the gateway may be asked again.
	CreateSince time.Time `json:"create_since,omitzero"`
	NextAskAt   time.Time `json:"next_post_at,omitzero"`
	PostTries   int       `json:"post_tries,omitempty"` // for the backoff
	// Mode is how the rows travel; Looks counts the looks since the create became
	// ambiguous.
	Mode  CreateMode `json:"mode,omitempty"`
	Looks int        `json:"looks,omitempty"`
	// TrackedSince is when the batch became ours; Fetched whether a read of it
	// ever succeeded; MissingSince when the gateway began to answer 404.
	TrackedSince time.Time   `json:"tracked_since,omitzero"`
	Fetched      bool        `json:"fetched,omitempty"`
	MissingSince time.Time   `json:"missing_since,omitzero"`
	LastFetchAt  time.Time   `json:"last_fetch_at,omitzero"`
	History      PollHistory `json:"history,omitzero"`
	BareReads    int         `json:"bare_reads,omitempty"` // terminal reads without the files they should name
	CancelURL    bool        `json:"cancel_url,omitempty"` // whether the last read offered one
	CancelTries  int         `json:"cancel_tries,omitempty"`
	// TerminalHint is set once a delivery said terminal and until a fetch agrees;
	// HintTries counts the fetches that did not.
	TerminalHint bool `json:"terminal_hint,omitempty"`
	HintTries    int  `json:"hint_tries,omitempty"`
	// ResetSeen is the reset copy of this run whose past was already doubted.
	ResetSeen string `json:"reset_seen,omitempty"`
	// Seen are the last event ids accepted; what continue-as-new forgets at the
	// server's own deduplication is still known here.
	Seen []string `json:"seen,omitempty"`
}

// maxSeen bounds the set of event ids: about 17 events can exist for a batch.
const maxSeen = 64

// Remember adds an event id and tells whether it is new.
func (b *Book) Remember(eventID string) bool {
	if slices.Contains(b.Seen, eventID) {
		return false
	}
	b.Seen = append(b.Seen, eventID)
	if len(b.Seen) > maxSeen {
		b.Seen = slices.Delete(b.Seen, 0, len(b.Seen)-maxSeen)
	}
	return true
}
