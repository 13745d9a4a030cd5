package batch

import (
	"fmt"
	"path"
	"time"
)

// BulkBook is what a bulk run remembers beside its public state; continue-as-new
// carries it. It is bounded by max_in_flight, whatever the size of the input.
type BulkBook struct {
	Profile   Profile    `json:"profile,omitzero"`
	Account   string     `json:"account,omitempty"`
	Mode      CreateMode `json:"mode,omitempty"`
	Endpoint  string     `json:"endpoint,omitempty"`
	Model     string     `json:"model,omitempty"`
	Surveyed  bool       `json:"surveyed,omitempty"`
	Planned   bool       `json:"planned,omitempty"` // the round has its plan
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
	RoundMoney  Money      `json:"round_money"`
	RowsSpent   int64      `json:"rows_spent,omitempty"` // that Money paid for, over all rounds
	Passed      []string   `json:"passed,omitempty"`     // causes that a resume let pass
	PauseCause  string     `json:"pause_cause,omitempty"`
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

// The layout of a bulk run's files below its results prefix.

// PlanKey is where the plan of a round is.
func PlanKey(prefix string, round int) string {
	return path.Join(prefix, "work", fmt.Sprintf("r%d", round), "plan.jsonl")
}

// BadKey is where the list of quarantined lines is.
func BadKey(prefix string) string { return path.Join(prefix, "work", "invalid.jsonl") }

// FinalPlanKey is where the plan of the final files is.
func FinalPlanKey(prefix string) string { return path.Join(prefix, "work", "final.jsonl") }

// FinalKey is where what was published of a shard is recorded.
func FinalKey(prefix string, shard int) string {
	return path.Join(prefix, "work", "final", fmt.Sprintf("s%05d.json", shard))
}

// UnitPrefix is where the results of a unit's own batch go.
func UnitPrefix(prefix string, round, unit, try int) string {
	name := fmt.Sprintf("s%05d", unit)
	if try > 1 {
		name += fmt.Sprintf("-%d", try)
	}
	return path.Join(prefix, "work", fmt.Sprintf("r%d", round), name)
}

// RecordKey is where it is recorded what the settling of a unit found.
func RecordKey(prefix string, round, unit int) string {
	return UnitPrefix(prefix, round, unit, 1) + ".record.json"
}

// LeftKey is where the rows are that a unit left over.
func LeftKey(prefix string, round, unit int) string {
	return UnitPrefix(prefix, round, unit, 1) + ".left.jsonl"
}

// RowsKey is where a unit's rows are that are no clean range of the input.
func RowsKey(prefix string, round, unit int) string {
	return UnitPrefix(prefix, round, unit, 1) + ".rows.jsonl"
}

// PartName is the name of the final file of a shard, relative to the prefix.
func PartName(folder string, shard int) string {
	return path.Join(folder, fmt.Sprintf("%05d.jsonl", shard))
}

// Folders of the final files of a bulk run.
const (
	FolderResults  = "results"
	FolderFailures = "failures"
)
