package batch

import (
	"encoding/json"
	"time"
)

// Snapshot is one read of a batch, in our words.
type Snapshot struct {
	BatchID       string          `json:"batch_id"`
	NativeBatchID string          `json:"native_batch_id,omitempty"`
	SessionID     string          `json:"session_id,omitempty"`
	RequestID     string          `json:"request_id,omitempty"`
	Provider      string          `json:"provider,omitempty"`
	Model         string          `json:"model,omitempty"`
	Endpoint      string          `json:"endpoint,omitempty"`
	Status        Status          `json:"status"`
	InputFileID   string          `json:"input_file_id,omitempty"`
	OutputFileID  string          `json:"output_file_id,omitempty"`
	ErrorFileID   string          `json:"error_file_id,omitempty"`
	CancelURL     bool            `json:"cancel_url,omitempty"` // whether one was offered
	RequestCounts *RequestCounts  `json:"request_counts,omitempty"`
	Usage         json.RawMessage `json:"usage,omitempty"`
	Billing       json.RawMessage `json:"billing,omitempty"`
	Webhook       *GatewayWebhook `json:"webhook,omitempty"`
	Errors        string          `json:"errors,omitempty"`
	CreatedAt     time.Time       `json:"created_at,omitzero"`
}

// Observe takes a read into the state. A field that the read leaves out keeps
// its value: views of one batch differ in what they show.
func (s *State) Observe(v Snapshot) {
	s.BatchID = v.BatchID
	for _, f := range []struct {
		to   *string
		from string
	}{
		{&s.NativeBatchID, v.NativeBatchID}, {&s.RequestID, v.RequestID}, {&s.Provider, v.Provider},
		{&s.Model, v.Model}, {&s.Endpoint, v.Endpoint}, {&s.InputFileID, v.InputFileID},
		{&s.OutputFileID, v.OutputFileID}, {&s.ErrorFileID, v.ErrorFileID}, {&s.UpstreamErrors, v.Errors},
	} {
		if f.from != "" {
			*f.to = f.from
		}
	}
	if !s.Status.IsTerminal() || v.Status.IsTerminal() {
		s.Status = v.Status
		s.LifecycleStatus = v.Status.Lifecycle(s.LifecycleStatus)
	}
	if v.RequestCounts != nil {
		counts := *v.RequestCounts
		s.RequestCounts = &counts
		s.Progress = max(s.Progress, counts.Percent())
	}
	if s.LifecycleStatus == Completed {
		s.Progress = 100
	}
	if v.Usage != nil {
		s.Usage = v.Usage
	}
	if v.Billing != nil {
		s.Billing = v.Billing
	}
	if v.Webhook != nil {
		s.Webhook.GatewayWebhook = *v.Webhook
	}
}
