package batch

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Defaults of a bulk run.
const (
	DefaultRounds = 3
	// DefaultMaxInFlight is how many batches a run keeps going where neither the
	// job nor the profile says; what the account allows in all is the governor's.
	DefaultMaxInFlight = 20
	MaxRounds          = 20
	maxMaxInFlight     = 1000
	maxBudgetUSD       = 1_000_000_000
)

// OnBadRows says what becomes of an input with bad rows.
type OnBadRows string

// What can become of an input with bad rows.
const (
	RejectBadRows     OnBadRows = "reject"     // the run ends before anything is sent
	QuarantineBadRows OnBadRows = "quarantine" // they land in the failures, the others are sent
)

// BulkJob are the fields of a job that only BulkWorkflow takes.
type BulkJob struct {
	// MaxRowsPerBatch and MaxBytesPerBatch lower the profile's limits.
	MaxRowsPerBatch  int64 `json:"max_rows_per_batch,omitempty"`
	MaxBytesPerBatch int64 `json:"max_bytes_per_batch,omitempty"`
	// MaxInFlight is how many batches the run keeps going at a time.
	MaxInFlight int `json:"max_in_flight,omitempty"`
	// Rounds is how often a row is sent at most.
	Rounds int `json:"rounds,omitempty"`
	// BudgetUSD stops new batches once what was spent, and what the live ones are
	// expected to cost, reaches it; 0: no limit.
	BudgetUSD  float64     `json:"budget_usd,omitempty"`
	OnBadRows  OnBadRows   `json:"on_bad_rows,omitempty"`
	Downstream *Downstream `json:"downstream,omitempty"`
}

// Downstream starts a workflow of the user's for each page of answered rows.
type Downstream struct {
	Workflow    string `json:"workflow"`   // its registered name
	TaskQueue   string `json:"task_queue"` // where a worker polls that knows it
	RowsPerPage int64  `json:"rows_per_page,omitempty"`
	MaxParallel int    `json:"max_parallel,omitempty"`
	// PageTimeout bounds the workflow of one page: the run waits for it.
	PageTimeout Duration `json:"page_timeout,omitempty"`
}

// Defaults and bounds of a downstream.
const (
	DefaultRowsPerPage = 1000
	DefaultMaxParallel = 10
	DefaultPageTimeout = 24 * time.Hour
	minRowsPerPage     = 10
)

// names are the fields that are set and that only BulkWorkflow takes.
func (b BulkJob) names() []string {
	var out []string
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"max_rows_per_batch", b.MaxRowsPerBatch != 0}, {"max_bytes_per_batch", b.MaxBytesPerBatch != 0},
		{"max_in_flight", b.MaxInFlight != 0}, {"rounds", b.Rounds != 0}, {"budget_usd", b.BudgetUSD != 0},
		{"on_bad_rows", b.OnBadRows != ""}, {"downstream", b.Downstream != nil},
	} {
		if f.set {
			out = append(out, f.name)
		}
	}
	return out
}

// ValidateSingle refuses what only BulkWorkflow takes.
func (b BulkJob) ValidateSingle() error {
	if names := b.names(); len(names) > 0 {
		return fmt.Errorf("%s: only %s takes it", strings.Join(names, ", "), WorkflowBulk)
	}
	return nil
}

// ValidateBulk says all that keeps the job from running as a bulk run.
func (j Job) ValidateBulk() error {
	var errs []error
	if j.Input == "" {
		errs = append(errs, errors.New("input: a bulk run needs it: the rows are cut from it"))
	}
	if j.InputFileID != "" || j.BatchID != "" || j.InputRange != nil {
		errs = append(errs, errors.New("input_file_id, batch_id, input_range: a bulk run makes its own batches from input"))
	}
	b := j.BulkJob
	for _, f := range []struct {
		name   string
		value  int64
		lo, hi int64
	}{
		{"max_rows_per_batch", b.MaxRowsPerBatch, 0, 1 << 40}, {"max_bytes_per_batch", b.MaxBytesPerBatch, 0, 1 << 50},
		{"max_in_flight", int64(b.MaxInFlight), 0, maxMaxInFlight}, {"rounds", int64(b.Rounds), 0, MaxRounds},
	} {
		if f.value < f.lo || f.value > f.hi {
			errs = append(errs, fmt.Errorf("%s: %d: want 0 (the default) to %d", f.name, f.value, f.hi))
		}
	}
	if !isBudget(b.BudgetUSD) {
		errs = append(errs, fmt.Errorf("budget_usd: %g: want 0 (no limit) to %d", b.BudgetUSD, maxBudgetUSD))
	}
	if !slices.Contains([]OnBadRows{"", RejectBadRows, QuarantineBadRows}, b.OnBadRows) {
		errs = append(errs, fmt.Errorf("on_bad_rows: %q is neither reject nor quarantine", b.OnBadRows))
	}
	return errors.Join(append(errs, b.Downstream.validate())...)
}

// isBudget tells whether a number can be a budget: neither NaN nor Inf, which
// JSON has not, and small enough to be counted in billionths.
func isBudget(usd float64) bool { return usd >= 0 && usd <= maxBudgetUSD }

func (d *Downstream) validate() error {
	switch {
	case d == nil:
		return nil
	case d.Workflow == "":
		return errors.New("downstream: workflow, the name of the workflow to start for each page, is needed")
	case d.TaskQueue == "":
		return errors.New("downstream: task_queue, where a worker polls that knows the workflow, is needed")
	case d.PageTimeout < 0:
		return fmt.Errorf("downstream: page_timeout %s is negative", d.PageTimeout)
	case d.RowsPerPage != 0 && d.RowsPerPage < minRowsPerPage:
		return fmt.Errorf("downstream: rows_per_page %d: want at least %d", d.RowsPerPage, minRowsPerPage)
	case d.MaxParallel < 0 || d.MaxParallel > maxMaxInFlight:
		return fmt.Errorf("downstream: max_parallel %d: want 1 to %d", d.MaxParallel, maxMaxInFlight)
	}
	return nil
}
