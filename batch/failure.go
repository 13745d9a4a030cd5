package batch

// FailureKind classes what went wrong. It is the type of the Temporal error
// that carries it, in activities as in a failed run.
type FailureKind string

// How a run fails.
const (
	KindBatchFailed        FailureKind = "BatchFailed"
	KindBatchExpired       FailureKind = "BatchExpired"
	KindCancelUnconfirmed  FailureKind = "CancelUnconfirmed"
	KindBatchRejected      FailureKind = "BatchRejected"
	KindSubmissionUnknown  FailureKind = "SubmissionUnknown"
	KindResultsUnavailable FailureKind = "ResultsUnavailable"
	KindBudgetExhausted    FailureKind = "BudgetExhausted" // a bulk run: budget_usd was reached
)

// How a step fails.
const (
	KindInputInvalid        FailureKind = "InputInvalid"        // the rows or the job: tell the user
	KindInputUnavailable    FailureKind = "InputUnavailable"    // the input is not there, or may not be read
	KindGatewayRefused      FailureKind = "GatewayRefused"      // for good
	KindGatewayUnavailable  FailureKind = "GatewayUnavailable"  // may pass later
	KindGatewayNotFound     FailureKind = "GatewayNotFound"     // 404 on a read
	KindDownloadTruncated   FailureKind = "DownloadTruncated"   // fewer bytes than promised, or a cut last line
	KindStoreUnavailable    FailureKind = "StoreUnavailable"    // the store failed; may pass later
	KindTemporalUnavailable FailureKind = "TemporalUnavailable" // the Temporal server failed; may pass later
	KindMisconfigured       FailureKind = "Misconfigured"       // the worker lacks something; may be mended while we wait
)

// Fault is whose move it is after a failure.
type Fault string

// Whose move it is.
const (
	FaultUser     Fault = "user"
	FaultGateway  Fault = "gateway"
	FaultOperator Fault = "operator"
)

// Treatment is what a failure kind means: whether trying again can help, whose
// move it is, and what to do.
type Treatment struct {
	Retryable bool
	Fault     Fault
	Advice    string
}

// Treat looks a kind up; an unknown kind is retried, since giving up loses more.
func (k FailureKind) Treat() Treatment {
	if t, ok := treatments()[k]; ok {
		return t
	}
	return Treatment{Retryable: true, Fault: FaultOperator, Advice: "see the worker's log"}
}

func treatments() map[FailureKind]Treatment {
	return map[FailureKind]Treatment{
		KindBatchFailed:        {false, FaultGateway, "read upstream_errors, mend the input and start a new run"},
		KindBatchExpired:       {false, FaultGateway, "the answered rows are collected; send the others again"},
		KindCancelUnconfirmed:  {false, FaultOperator, "look at the batch at the provider: it may still be billing"},
		KindBatchRejected:      {false, FaultUser, "mend what the message names and start a new run"},
		KindSubmissionUnknown:  {false, FaultOperator, "look for the session id at the provider before starting again"},
		KindBudgetExhausted:    {false, FaultUser, "the answered rows are collected; send the others with a larger budget_usd"},
		KindResultsUnavailable: {false, FaultOperator, "collect again later: starter results ID --refetch; a bulk run: mend what is named and reset it"},

		KindInputInvalid:        {false, FaultUser, "mend the named lines"},
		KindInputUnavailable:    {false, FaultUser, "check the path, the store and BATCHKEEPER_INPUTS"},
		KindGatewayRefused:      {false, FaultUser, "the gateway will not accept this request"},
		KindGatewayUnavailable:  {true, FaultGateway, "it is tried again"},
		KindGatewayNotFound:     {true, FaultGateway, "it is tried again"},
		KindDownloadTruncated:   {true, FaultGateway, "it is fetched again"},
		KindStoreUnavailable:    {true, FaultOperator, "check the store; it is tried again"},
		KindTemporalUnavailable: {true, FaultOperator, "check the Temporal server; it is tried again"},
		KindMisconfigured:       {true, FaultOperator, "mend the worker's configuration; it is tried again"},
	}
}

// FailureKinds lists every kind that Treat knows, in no order.
func FailureKinds() []FailureKind { return sortedKeys(treatments()) }

// Kind is the failure that an outcome carries; empty where it is none.
func (o Outcome) Kind() FailureKind {
	switch o {
	case OutcomeUpstreamFailed:
		return KindBatchFailed
	case OutcomeExpired:
		return KindBatchExpired
	case OutcomeCancelUnconfirmed:
		return KindCancelUnconfirmed
	case OutcomeRejected:
		return KindBatchRejected
	case OutcomeSubmissionUnknown:
		return KindSubmissionUnknown
	case OutcomeResultsUnavailable:
		return KindResultsUnavailable
	case OutcomeBudgetExhausted:
		return KindBudgetExhausted
	case OutcomeCompleted, OutcomeCompletedWithFailures, OutcomeCancelled:
		return ""
	default:
		return ""
	}
}
