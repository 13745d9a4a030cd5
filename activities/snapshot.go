package activities

import (
	"batchkeeper/batch"
	"batchkeeper/internal/gateway"
)

// snapshot translates the gateway's batch into ours.
func snapshot(b gateway.Batch) batch.Snapshot {
	s := batch.Snapshot{
		BatchID: b.ID, NativeBatchID: b.NativeID, SessionID: b.SessionID, RequestID: b.RequestID,
		Provider: b.Provider, Model: b.Model, Endpoint: b.Endpoint, Status: batch.Status(b.Status),
		InputFileID: b.InputFileID, OutputFileID: b.OutputFileID, ErrorFileID: b.ErrorFileID,
		CancelURL: b.CancelURL, Usage: b.Usage, Billing: b.Billing, Errors: b.Errors, CreatedAt: b.CreatedAt,
	}
	if c := b.RequestCounts; c != nil {
		s.RequestCounts = &batch.RequestCounts{Total: c.Total, Completed: c.Completed, Failed: c.Failed}
	}
	if w := b.Webhook; w != nil {
		s.Webhook = &batch.GatewayWebhook{
			TotalAttempts: w.TotalAttempts, PendingRetries: w.PendingRetries,
			LastResponseStatus: w.LastResponseStatus, LastErrorMessage: w.LastErrorMessage,
		}
		if !w.LastFailureAt.IsZero() {
			s.Webhook.LastFailureAt = &w.LastFailureAt
		}
	}
	return s
}
