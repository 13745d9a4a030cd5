package batch

import (
	"errors"
	"fmt"
	"time"
)

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

// PauseRequest is the argument of the update "pause".
type PauseRequest struct {
	Reason string `json:"reason,omitempty"`
}

// SetRequest is the argument of the update "set": what it names changes, for
// what a bulk run has still to start.
type SetRequest struct {
	MaxInFlight *int      `json:"max_in_flight,omitempty"`
	BudgetUSD   *float64  `json:"budget_usd,omitempty"` // 0: no limit
	StaleAfter  *Duration `json:"stale_after,omitempty"`
	Rounds      *int      `json:"rounds,omitempty"`
}

// Validate refuses a request that names nothing or a value out of bounds.
func (s SetRequest) Validate() error {
	switch {
	case s == SetRequest{}:
		return errors.New("set: nothing to set: give max_in_flight, budget_usd, stale_after or rounds")
	case s.MaxInFlight != nil && (*s.MaxInFlight < 1 || *s.MaxInFlight > maxMaxInFlight):
		return fmt.Errorf("set: max_in_flight %d: want 1 to %d", *s.MaxInFlight, maxMaxInFlight)
	case s.BudgetUSD != nil && !isBudget(*s.BudgetUSD):
		return fmt.Errorf("set: budget_usd %g: want 0 (no limit) to %d", *s.BudgetUSD, maxBudgetUSD)
	case s.StaleAfter != nil && *s.StaleAfter < 0:
		return fmt.Errorf("set: stale_after %s is negative", *s.StaleAfter)
	case s.Rounds != nil && (*s.Rounds < 1 || *s.Rounds > MaxRounds):
		return fmt.Errorf("set: rounds %d: want 1 to %d", *s.Rounds, MaxRounds)
	}
	return nil
}

// Page is the input of a downstream workflow: a reference to answered rows,
// which are lines of the object at Key.
type Page struct {
	RunID  string `json:"run_id"` // workflow id of the bulk run
	Prefix string `json:"prefix"` // of its results
	Round  int    `json:"round"`
	Unit   int    `json:"unit"`
	// BatchID is the gateway's batch that answered the rows.
	BatchID string `json:"batch_id,omitempty"`
	Number  int    `json:"page"` // within the unit, from 1
	Key     string `json:"key"`  // in the store
	Offset  int64  `json:"offset"`
	Length  int64  `json:"length"`
	Rows    int64  `json:"rows"`
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
	Bulk       *ManifestBulk   `json:"bulk,omitempty"` // bulk runs alone
}

// ManifestBulk is how a bulk run went.
type ManifestBulk struct {
	Shards int            `json:"shards"`
	Rounds []RoundSummary `json:"rounds"`
	Money  Money          `json:"money"`
	Causes []Cause        `json:"causes,omitempty"`
	// Downstream is how the pages went, where there are any.
	Downstream *DownstreamState `json:"downstream,omitempty"`
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
	Invalid    int64 `json:"invalid,omitempty"` // bulk runs: never sent
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
