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
	// Finals is how many entries the plan of the final files has been read of.
	FinalsPlanned bool       `json:"finals_planned,omitempty"`
	Final         BulkCounts `json:"final"`
	Pages         []OpenPage `json:"pages,omitempty"`
	StaleAfter    *Duration  `json:"stale_after,omitempty"`
}

// OpenUnit is a unit under way.
type OpenUnit struct {
	Unit
	Stage      UnitStage `json:"stage"`
	Try        int       `json:"try"`
	WorkflowID string    `json:"workflow_id"`
	Since      time.Time `json:"since"`
	Asked      bool      `json:"asked,omitempty"`
	NotBefore  time.Time `json:"not_before,omitzero"`
	Told       bool      `json:"told,omitempty"` // that it is cancelled
	Finished   *Finished `json:"finished,omitempty"`
	Problem    string    `json:"problem,omitempty"`
}

// OpenPage is a page whose workflow has not ended, or not begun.
type OpenPage struct {
	Page
	WorkflowID string `json:"workflow_id"`
	Started    bool   `json:"started,omitempty"`
	Told       bool   `json:"told,omitempty"`
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

// RecordKey, LeftKey and RowsKey are where the record of a settled unit, what
// it left over and the rows that it sends are.
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
