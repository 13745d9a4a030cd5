package activities

import (
	"context"
	"net/http"
	"time"

	"batchkeeper/batch"
	"batchkeeper/internal/gateway"
)

// CancelInput names the batch to cancel.
type CancelInput struct {
	Dialect batch.Dialect `json:"dialect"`
	BatchID string        `json:"batch_id"`
}

// CancelOutput is the gateway's answer: accepted, refused (which only means
// "read it again"), not supported, or none of these, in which case it is asked again.
type CancelOutput struct {
	Accepted     bool            `json:"accepted,omitempty"`
	Refused      bool            `json:"refused,omitempty"`
	NotSupported bool            `json:"not_supported,omitempty"`
	Batch        *batch.Snapshot `json:"batch,omitempty"`
	Message      string          `json:"message,omitempty"`
	RetryAfter   time.Duration   `json:"retry_after,omitempty"`
}

// Cancel asks the gateway to cancel. Asking twice is harmless.
func (a *Activities) Cancel(ctx context.Context, in CancelInput) (CancelOutput, error) {
	client, err := a.gateway(in.Dialect)
	if err != nil {
		return CancelOutput{Message: err.Error()}, nil
	}
	_, stop := startHeart(ctx)
	defer stop()
	b, err := client.Cancel(ctx, in.BatchID)
	if err == nil {
		s := snapshot(b)
		return CancelOutput{Accepted: true, Batch: &s}, nil
	}
	out := CancelOutput{Message: err.Error()}
	if ge, ok := gateway.AsError(err); ok {
		out.RetryAfter = ge.RetryAfter
		out.NotSupported, out.Refused = cancelRefusal(ge)
	}
	return out, nil
}

// cancelRefusal reads a refusal: the call does not exist, or the batch is in no
// state to be cancelled. Keys, quotas and a missing batch may mend themselves.
func cancelRefusal(ge *gateway.Error) (notSupported, refused bool) {
	switch ge.Status {
	case http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return true, false
	case http.StatusBadRequest, http.StatusConflict, http.StatusGone, http.StatusUnprocessableEntity:
		return false, true
	default:
		return false, false
	}
}
