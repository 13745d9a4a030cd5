package batch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Defaults of a SweepJob.
const (
	// DefaultSweepAge is a window of 24 hours plus what a gateway takes to notice
	// that it is over.
	DefaultSweepAge = 26 * time.Hour
	// DefaultSweepSince is a week: answers are kept longer than that, and what was
	// not found by then is better looked for by hand.
	DefaultSweepSince = 7 * 24 * time.Hour
)

// The bounds of one sweep, which keep its history and its report small. What is
// beyond them is counted, and the next sweep comes to it.
const (
	MaxSweptBatches  = 2000 // of ours that are looked at
	MaxSweepFindings = 500  // that are reported one by one
	MaxSweepMoves    = 200  // runs started or asked to cancel
)

// SweepCaller is who asks, where a sweep asks a run to cancel.
const SweepCaller = "sweep"

// SweepJob is the input of SweepWorkflow. Every field has a default.
type SweepJob struct {
	// Cancel has orphans, duplicates and over-age batches cancelled, each by a run
	// that confirms it. Without it they are reported.
	Cancel bool `json:"cancel,omitempty"`
	// MaxAge is how old a live batch may become; DefaultSweepAge where zero.
	MaxAge Duration `json:"max_age,omitempty"`
	// Since is how far back batches that have ended are looked at, by their
	// creation; DefaultSweepSince where zero. Live ones always are.
	Since Duration `json:"since,omitempty"`
	// Profile names the gateway's dialect and prices; empty: the worker's default.
	Profile string `json:"profile,omitempty"`
}

// ParseSweepJob reads a SweepJob from JSON; no input at all asks for the
// defaults. A field that it does not know is refused by name: a mistyped cancel
// would bill in silence.
func ParseSweepJob(raw []byte) (SweepJob, error) {
	var job SweepJob
	if len(bytes.TrimSpace(raw)) == 0 {
		return job, nil
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&job); err != nil {
		return job, fmt.Errorf("sweep: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return job, errors.New("sweep: more than one JSON value")
	}
	return job, job.Validate()
}

// Validate refuses spans that make no sense.
func (j SweepJob) Validate() error {
	switch {
	case j.MaxAge < 0:
		return fmt.Errorf("sweep: max_age %s is negative", j.MaxAge)
	case j.Since < 0:
		return fmt.Errorf("sweep: since %s is negative", j.Since)
	}
	return nil
}

// WithDefaults returns the job with every unset span set.
func (j SweepJob) WithDefaults() SweepJob {
	j.MaxAge = Duration(j.MaxAge.Or(DefaultSweepAge))
	j.Since = Duration(j.Since.Or(DefaultSweepSince))
	return j
}

// AdoptID is the workflow id under which a batch is adopted: made from the
// batch's, so that two adoptions of one batch are one run.
func AdoptID(batchID string) string { return "adopt-" + batchID }

// AdoptJob is the job that adopts a batch: the same that the command line makes.
func (j SweepJob) AdoptJob(batchID string) Job { return Job{BatchID: batchID, Profile: j.Profile} }
