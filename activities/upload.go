package activities

import (
	"cmp"
	"context"

	"go.temporal.io/sdk/activity"

	"batchkeeper/batch"
	"batchkeeper/internal/gateway"
)

// UploadInput names the rows to upload.
type UploadInput struct {
	Dialect  batch.Dialect `json:"dialect"`
	Input    string        `json:"input"`
	Range    *batch.Range  `json:"range,omitempty"`
	SHA256   string        `json:"sha256,omitempty"` // of the rows as inspected
	Filename string        `json:"filename"`
	Provider string        `json:"provider,omitempty"`
	Model    string        `json:"model,omitempty"`
	// Metered tells that somebody hands out the account's quota: that it is used up
	// is an answer then, not a trouble to be waited out here.
	Metered bool `json:"metered,omitempty"`
}

// UploadOutput is the gateway's file.
type UploadOutput struct {
	FileID string `json:"file_id"`
	Bytes  int64  `json:"bytes"`
}

// Upload streams the rows to the gateway. An upload is not idempotent and a
// lost answer leaves a file that nobody can list; so the id goes into a
// heartbeat the moment it is known, and a later attempt takes it from there.
func (a *Activities) Upload(ctx context.Context, in UploadInput) (UploadOutput, error) {
	var known UploadOutput
	if activity.HasHeartbeatDetails(ctx) && activity.GetHeartbeatDetails(ctx, &known) == nil && known.FileID != "" {
		return known, nil
	}
	client, err := a.gateway(in.Dialect)
	if err != nil {
		return UploadOutput{}, err
	}
	h, stop := startHeart(ctx)
	defer stop()
	rows, err := a.openRows(ctx, in.Input, in.Range, in.SHA256)
	if err != nil {
		return UploadOutput{}, translate(err)
	}
	defer rows.Close()
	file, err := client.Upload(ctx, gateway.UploadRequest{
		Filename: in.Filename, Body: rows, Size: rows.size, Provider: in.Provider, Model: in.Model,
	})
	if err = cmp.Or(rows.err, err); err != nil {
		if in.Metered && isQuota(err) {
			return UploadOutput{}, fault(batch.KindGatewayRefused, err)
		}
		return UploadOutput{}, translate(err)
	}
	out := UploadOutput{FileID: file.ID, Bytes: file.Bytes}
	h.note(out)
	return out, nil
}

// isQuota tells that a gateway had no room for an upload.
func isQuota(err error) bool {
	ge, ok := gateway.AsError(err)
	if !ok {
		return false
	}
	_, byCode := batch.RefusedResource(ge.Code)
	_, byReason := batch.RefusedResource(ge.Reason)
	return byCode || byReason
}
