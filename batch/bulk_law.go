package batch

import (
	"errors"
	"fmt"
)

// Settled is where a run has counted its rows while it settled its batches. The
// final files are made from the records of the same batches, and so must agree.
type Settled struct {
	// Counts is where every row of the input stands; of those still open some may
	// have been sent, but none will be again.
	Counts BulkCounts `json:"counts"`
	// Unsent is how many rows no batch carried.
	Unsent int64 `json:"unsent,omitempty"`
}

// Agree is the law that no row which was paid for is lost on the way from the
// batches to the final files. Sums alone cannot see that: an answer that is lost
// would stand among the rows that were never sent. What was answered or is
// invalid is the same in both; a row that failed stays what it is; and an open
// row has become what was said of it last, or cancelled where that is nothing.
func (s Settled) Agree(final BulkCounts, unsent int64) error {
	var errs []error
	var more int64
	for _, c := range []struct {
		name           string
		settled, final int64
		mayGrow        bool
	}{
		{"answered", s.Counts.Answered, final.Answered, false},
		{"invalid", s.Counts.Invalid, final.Invalid, false},
		{"row_error", s.Counts.RowErrors, final.RowErrors, true},
		{"expired", s.Counts.Expired, final.Expired, true},
		{"missing", s.Counts.Missing, final.Missing, true},
		{"cancelled", s.Counts.Cancelled, final.Cancelled, true},
		{"never sent", s.Unsent, unsent, false},
	} {
		if c.final < c.settled || c.final > c.settled && !c.mayGrow {
			errs = append(errs, fmt.Errorf("%s: %d rows were counted, the final files have %d", c.name, c.settled, c.final))
		}
		if c.mayGrow {
			more += c.final - c.settled
		}
	}
	if more != s.Counts.Open {
		errs = append(errs, fmt.Errorf("%d rows were open, %d are said to have failed at last", s.Counts.Open, more))
	}
	return errors.Join(errs...)
}
