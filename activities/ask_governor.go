package activities

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"

	"batchkeeper/batch"
)

// AskGovernorInput is a request and the governor to ask.
type AskGovernorInput struct {
	Account  string             `json:"account"`
	Profile  string             `json:"profile"`
	Capacity batch.Capacity     `json:"capacity"`
	Request  batch.LeaseRequest `json:"request"`
}

// AskGovernorOutput names the governor that was asked.
type AskGovernorOutput struct {
	Governor string `json:"governor"` // workflow id
	// Waiting says what the request waits for; empty: nothing, or it was not told.
	Waiting string `json:"waiting,omitempty"`
}

// whyPatience bounds how long a reason is waited for: it is for people only.
const whyPatience = 3 * time.Second

// AskGovernor asks for a lease and starts the governor where none is open. The
// answer comes as a signal. It may be repeated: a governor knows a holder again.
func (a *Activities) AskGovernor(ctx context.Context, in AskGovernorInput) (AskGovernorOutput, error) {
	if err := in.Request.Validate(); err != nil {
		return AskGovernorOutput{}, fault(batch.KindInputInvalid, err)
	}
	runs, err := a.server()
	if err != nil {
		return AskGovernorOutput{}, err
	}
	_, stop := startHeart(ctx)
	defer stop()
	id := batch.GovernorID(in.Account, in.Profile)
	err = runs.SignalWithStart(ctx, id, batch.WorkflowGovernor, activity.GetInfo(ctx).TaskQueue, batch.SignalLease,
		batch.LeaseAsk{LeaseRequest: in.Request, Capacity: &in.Capacity},
		batch.GovernorInput{Account: in.Account, Profile: in.Profile, Capacity: in.Capacity})
	if err != nil {
		return AskGovernorOutput{}, fault(batch.KindTemporalUnavailable, fmt.Errorf("ask %s: %w", id, err))
	}
	return AskGovernorOutput{Governor: id, Waiting: why(ctx, runs, id, in.Request.Holder)}, nil
}

// why asks what a request waits for. A query comes after the signal, and leaves
// nothing in any history.
func why(ctx context.Context, runs Runs, governor, holder string) string {
	ctx, stop := context.WithTimeout(ctx, whyPatience)
	defer stop()
	state, err := runs.Governor(ctx, governor)
	if err != nil {
		return ""
	}
	for _, w := range state.Waiting {
		if w.Holder == holder {
			return w.Reason
		}
	}
	return ""
}
