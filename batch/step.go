package batch

import "time"

// Step is what the create stage does after a look.
type Step string

// The steps.
const (
	StepAdopt   Step = "adopt"   // a batch of ours was found
	StepPost    Step = "post"    // none exists: post
	StepWait    Step = "wait"    // look again later
	StepStop    Step = "stop"    // none exists and none is wanted any more
	StepGiveUp  Step = "give_up" // whether one exists could not be settled in time
	StepTimeout Step = "timeout" // none exists, and create_timeout has passed
)

// Crossroads is everything that the step after a look depends on.
type Crossroads struct {
	Now        time.Time
	Submission Submission
	Look       Look
	// Confirmed tells whether a fetch confirmed the oldest batch found.
	Confirmed       bool
	CancelRequested bool
	// Resubmit is an operator's word that no batch exists.
	Resubmit bool
	SettleBy time.Time
	CreateBy time.Time
}

// Next says what to do after a look. It never posts while a batch may exist.
func Next(c Crossroads) Step {
	switch {
	case len(c.Look.Found) > 0 && c.Confirmed:
		return StepAdopt
	case len(c.Look.Found) > 0 || c.Submission.Ambiguous && !c.Resubmit && !c.Submission.ProvesAbsence(c.Look):
		if !c.Now.Before(c.SettleBy) {
			return StepGiveUp
		}
		return StepWait
	case c.CancelRequested:
		return StepStop
	case !c.Now.Before(c.CreateBy):
		return StepTimeout
	default:
		return StepPost
	}
}
