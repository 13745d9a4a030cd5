package batch

import "time"

// CancelRequest is the argument of the update and of the signal "cancel".
type CancelRequest struct {
	Reason      string `json:"reason"`
	RequestedBy string `json:"requested_by"`
}

// SettleRequest is an operator's word on an ambiguous create: adopt BatchID,
// or post again. Exactly one of the two is set.
type SettleRequest struct {
	BatchID  string `json:"batch_id,omitempty"`
	Resubmit bool   `json:"resubmit,omitempty"`
}

// Delivery is the payload of the signal "webhook": a hint that something may
// have changed, never trusted as state.
type Delivery struct {
	SessionID       string          `json:"session_id,omitempty"`
	DeliveryKey     string          `json:"delivery_key,omitempty"`
	EventID         string          `json:"event_id"`
	EventType       string          `json:"event_type"`
	BatchID         string          `json:"batch_id"`
	LifecycleStatus LifecycleStatus `json:"lifecycle_status,omitempty"`
	Attempt         int             `json:"attempt,omitempty"`
	ReceivedAt      time.Time       `json:"received_at"`
}

// Finished is the argument of the notify signal: a reference to the result,
// never the rows.
type Finished struct {
	WorkflowID string   `json:"workflow_id"`
	RunID      string   `json:"run_id"`
	BatchID    string   `json:"batch_id,omitempty"`
	Outcome    Outcome  `json:"outcome"`
	Failure    *Failure `json:"failure,omitempty"`
	Results    *Results `json:"results,omitempty"`
}

// Manifest is the last file of a result: where there is none, there is no result.
type Manifest struct {
	Version    int             `json:"version"`
	WorkflowID string          `json:"workflow_id"`
	RunID      string          `json:"run_id"` // the first run of the chain
	SessionID  string          `json:"session_id"`
	Outcome    Outcome         `json:"outcome"`
	BatchIDs   []string        `json:"batch_ids"`
	Status     Status          `json:"status"`
	Input      ManifestInput   `json:"input"`
	Counts     ManifestCounts  `json:"counts"`
	Files      []ManifestFile  `json:"files"`
	Usage      ManifestUsage   `json:"usage"`
	Gateway    ManifestGateway `json:"gateway"`
}

// ManifestInput identifies the input that the rows came from.
type ManifestInput struct {
	Source string `json:"source"` // as the job gave it, or the gateway's file id
	Rows   int64  `json:"rows"`
	SHA256 string `json:"sha256,omitempty"`
}

// ManifestCounts says where every row went:
// Rows = Succeeded + RowErrors + Expired + Cancelled + Missing.
type ManifestCounts struct {
	Rows       int64 `json:"rows"`
	Succeeded  int64 `json:"succeeded"`
	RowErrors  int64 `json:"row_errors"`
	Expired    int64 `json:"expired"`
	Cancelled  int64 `json:"cancelled"`
	Missing    int64 `json:"missing"`
	Duplicates int64 `json:"duplicates"`
	Unmatched  int64 `json:"unmatched"`
	Malformed  int64 `json:"malformed"`
}

// ManifestFile is one file of the result, named relative to the prefix.
type ManifestFile struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// ManifestUsage is summed from the answered rows.
type ManifestUsage struct {
	InputTokens  int64 `json:"input_tokens"`
	OutputTokens int64 `json:"output_tokens"`
	TotalTokens  int64 `json:"total_tokens"`
}

// ManifestGateway repeats the gateway's own figures, as last read.
type ManifestGateway struct {
	Usage   any `json:"usage,omitempty"`
	Billing any `json:"billing,omitempty"`
}
