package batch

import "time"

// BulkBook is what a bulk run remembers beside its public state; continue-as-new
// carries it. It is bounded by max_in_flight, whatever the size of the input.
type BulkBook struct {
	Profile   Profile    `json:"profile,omitzero"`
	Account   string     `json:"account,omitempty"`
	Mode      CreateMode `json:"mode,omitempty"`
	Endpoint  string     `json:"endpoint,omitempty"`
	Model     string     `json:"model,omitempty"`
	Surveyed  bool       `json:"surveyed,omitempty"`
	RoundsRun bool       `json:"rounds_run,omitempty"`
	// Cursor is where in the round's plan the next units are read, PlanSize its end.
	Cursor   int64 `json:"cursor,omitempty"`
	PlanSize int64 `json:"plan_size,omitempty"`
	// Queue are units that were read and not yet begun; Units those under way.
	Queue []Unit     `json:"queue,omitempty"`
	Units []OpenUnit `json:"units,omitempty"`
	// RoundCounts and RoundCauses are of this round's settled units.
	RoundCounts BulkCounts `json:"round_counts"`
	RoundCauses []Cause    `json:"round_causes,omitempty"`
	AgainCauses []Cause    `json:"again_causes,omitempty"` // of rows worth another try
	// Reset tells that this run was reset: what it has sent before must be found
	// again, even where nothing new is sent.
	Reset bool `json:"reset,omitempty"`
	// BeginAt is when the round may begin to send.
	BeginAt    time.Time `json:"begin_at,omitzero"`
	RoundMoney Money     `json:"round_money"`
	RowsSpent  int64     `json:"rows_spent,omitempty"` // that Money paid for, over all rounds
	Unsent     int64     `json:"unsent,omitempty"`     // rows that no batch of round 1 carried
	Passed     []string  `json:"passed,omitempty"`     // causes that a resume let pass
	PauseCause string    `json:"pause_cause,omitempty"`
	// BudgetReached is set once no batch may be started any more.
	BudgetReached bool `json:"budget_reached,omitempty"`
	// Undone tells that a stop left something unsent, or not sent again.
	Undone bool `json:"undone,omitempty"`
	// Broken is the failure of a step that cannot succeed: nothing new is sent, and
	// the run ends with it.
	Broken        string      `json:"broken,omitempty"`
	FinalsPlanned bool        `json:"finals_planned,omitempty"`
	Final         BulkCounts  `json:"final"`
	PageQueue     []UnitPages `json:"page_queue,omitempty"`
	StaleAfter    *Duration   `json:"stale_after,omitempty"`
	// CheckAt is when to look for notifications that were lost.
	CheckAt time.Time `json:"check_at,omitzero"`
}

// OpenUnit is a unit under way.
type OpenUnit struct {
	Unit
	Stage      UnitStage `json:"stage"`
	Try        int       `json:"try"`
	Ask        int       `json:"ask,omitempty"` // of its request for capacity
	WorkflowID string    `json:"workflow_id"`
	Since      time.Time `json:"since"`
	// NotBefore is when it may ask for capacity, or ask again.
	NotBefore time.Time `json:"not_before,omitzero"`
	Told      bool      `json:"told,omitempty"` // that it is cancelled
	Finished  *Finished `json:"finished,omitempty"`
	Problem   string    `json:"problem,omitempty"`
}

// UnitPages are the pages of a settled unit that have not been started.
type UnitPages struct {
	Round   int    `json:"round"`
	Unit    int    `json:"unit"`
	Try     int    `json:"try"`
	BatchID string `json:"batch_id,omitempty"`
	Next    int    `json:"next"`  // the first of them, from 1
	Count   int    `json:"count"` // of all pages of the unit
}
