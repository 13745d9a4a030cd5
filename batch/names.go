package batch

// Names that other programs use. They are part of the product's interface and
// of every recorded history: they do not change.
const (
	WorkflowBatch    = "BatchWorkflow"
	WorkflowBulk     = "BulkWorkflow"
	WorkflowGovernor = "GovernorWorkflow"
	WorkflowSweep    = "SweepWorkflow"
	ScheduleSweep    = "batchkeeper-sweep" // id of the Schedule that sweeps
	DefaultTaskQueue = "batchkeeper"

	QueryState    = "state"
	UpdateCancel  = "cancel"
	UpdateSettle  = "settle"
	UpdateRefresh = "refresh"
	SignalCancel  = "cancel"
	SignalWebhook = "webhook"

	// Of a bulk run alone.
	UpdatePause    = "pause"
	UpdateResume   = "resume"
	UpdateSet      = "set"
	SignalFinished = "finished" // a batch of it has ended: the notify of its children
)

// Signals between a governor and the bulk runs: a run asks, returns and reports;
// the governor grants.
const (
	SignalLease        = "lease"
	SignalRelease      = "release"
	SignalRefused      = "refused"
	SignalLeaseGranted = "lease_granted"
)

// Names of the search attributes.
const (
	AttrLifecycleStatus = "BatchLifecycleStatus"
	AttrOutcome         = "BatchOutcome"
	AttrBatchID         = "BatchId"
	AttrProvider        = "BatchProvider"
	AttrModel           = "BatchModel"
	AttrRows            = "BatchRows"
	AttrProgress        = "BatchProgress"
)

// MemoJob is the memo key under which a start leaves the job's fingerprint.
const MemoJob = "batchkeeper_job"

// Files of a result, below its prefix.
const (
	FileResults   = "results.jsonl"
	FileFailures  = "failures.jsonl"
	FileUnmatched = "unmatched.jsonl"
	FileManifest  = "manifest.json"
)

// Classes of a line in failures.jsonl.
const (
	ClassRowError  = "row_error"
	ClassExpired   = "expired"
	ClassMissing   = "missing"
	ClassCancelled = "cancelled"
	ClassInvalid   = "invalid" // never sent: the row itself is bad
)
