package gateway

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"batchkeeper/internal/strictjson"
)

// wireBatch is a batch as it is sent: the provider's fields and the gateway's
// beside them.
type wireBatch struct {
	ID              loose[string]   `json:"id"`
	NativeID        loose[string]   `json:"native_batch_id"`
	Provider        loose[string]   `json:"provider"`
	RequestID       loose[string]   `json:"request_id"`
	SessionID       loose[string]   `json:"session_id"`
	Status          loose[string]   `json:"status"`
	LifecycleStatus loose[string]   `json:"lifecycle_status"`
	Endpoint        loose[string]   `json:"endpoint"`
	Model           loose[string]   `json:"model"`
	InputFileID     loose[string]   `json:"input_file_id"`
	OutputFileID    loose[string]   `json:"output_file_id"`
	ErrorFileID     loose[string]   `json:"error_file_id"`
	CancelURL       loose[string]   `json:"cancel_url"`
	Progress        loose[*float64] `json:"progress"`
	Usage           json.RawMessage `json:"usage"`
	Billing         json.RawMessage `json:"billing"`
	Errors          json.RawMessage `json:"errors"`

	RequestCounts loose[*wireCounts]               `json:"request_counts"`
	Webhook       loose[*wireWebhook]              `json:"webhook"`
	Metadata      loose[map[string]loose[*string]] `json:"metadata"`

	CreatedAt stamp `json:"created_at"`
	UpdatedAt stamp `json:"updated_at"`
	ExpiresAt stamp `json:"expires_at"`
}

type wireCounts struct {
	Total     loose[int64] `json:"total"`
	Completed loose[int64] `json:"completed"`
	Failed    loose[int64] `json:"failed"`
}

type wireWebhook struct {
	Delivery loose[*struct {
		TotalAttempts      loose[int64]  `json:"total_attempts"`
		PendingRetries     loose[int64]  `json:"pending_retries"`
		LastResponseStatus loose[*int]   `json:"last_response_status"`
		LastFailureAt      stamp         `json:"last_failure_at"`
		LastErrorMessage   loose[string] `json:"last_error_message"`
	}] `json:"delivery"`
}

func decodeBatch(dialect Dialect, a *answer) (Batch, error) {
	var wire wireBatch
	if err := strictjson.Unmarshal(a.body, &wire); err != nil {
		return Batch{}, err
	}
	return wire.batch(dialect, a.date()), nil
}

func (w *wireBatch) batch(dialect Dialect, date time.Time) Batch {
	b := Batch{
		ID: w.ID.V, NativeID: w.NativeID.V, Provider: w.Provider.V, RequestID: w.RequestID.V, SessionID: w.SessionID.V,
		Status: w.Status.V, LifecycleStatus: w.LifecycleStatus.V,
		Endpoint: w.Endpoint.V, Model: w.Model.V,
		InputFileID: w.InputFileID.V, OutputFileID: w.OutputFileID.V, ErrorFileID: w.ErrorFileID.V,
		CancelURL: w.CancelURL.V != "",
		Usage:     keep(w.Usage), Billing: keep(w.Billing), Errors: describe(w.Errors),
		CreatedAt: w.CreatedAt.Time, UpdatedAt: w.UpdatedAt.Time, ExpiresAt: w.ExpiresAt.Time, Date: date,
	}
	if c := w.RequestCounts.V; c != nil {
		b.RequestCounts = &RequestCounts{Total: count(c.Total.V), Completed: count(c.Completed.V), Failed: count(c.Failed.V)}
	}
	if p := w.Progress.V; p != nil && *p >= 0 && *p <= 100 {
		percent := int(math.Round(*p))
		b.Progress = &percent
	}
	for name, value := range w.Metadata.V {
		if b.Metadata == nil {
			b.Metadata = map[string]string{}
		}
		if value.V != nil {
			b.Metadata[name] = *value.V
		}
	}
	if dialect == OpenAI {
		b.SessionID = b.Metadata[MetadataSession]
	}
	b.Webhook = w.webhook()
	return b
}

// maxCount is above the rows of any batch, and low enough to be counted with.
const maxCount = 1 << 40

// count is n, or 0 for what cannot be a number of rows.
func count(n int64) int64 {
	if n < 0 || n > maxCount {
		return 0
	}
	return n
}

func (w *wireBatch) webhook() *WebhookView {
	if w.Webhook.V == nil || w.Webhook.V.Delivery.V == nil {
		return nil
	}
	d := w.Webhook.V.Delivery.V
	return &WebhookView{
		TotalAttempts: d.TotalAttempts.V, PendingRetries: d.PendingRetries.V,
		LastResponseStatus: d.LastResponseStatus.V, LastFailureAt: d.LastFailureAt.Time,
		LastErrorMessage: clean(d.LastErrorMessage.V, maxErrorText),
	}
}

const maxErrorList = 2 << 10 // bytes

// describe turns the list of validation errors into one readable line.
func describe(data json.RawMessage) string {
	var list struct {
		Data []struct {
			Code    loose[string] `json:"code"`
			Message loose[string] `json:"message"`
			Param   loose[string] `json:"param"`
			Line    loose[*int64] `json:"line"`
		} `json:"data"`
	}
	if strictjson.Unmarshal(data, &list) != nil {
		return ""
	}
	var parts []string
	for _, e := range list.Data {
		text := firstOf(e.Message.V, e.Code.V, "no message")
		if e.Message.V != "" && e.Code.V != "" {
			text = e.Code.V + ": " + e.Message.V // programs go by the code, people by the message
		}
		if e.Param.V != "" {
			text += " (" + e.Param.V + ")"
		}
		if e.Line.V != nil {
			text = fmt.Sprintf("line %d: %s", *e.Line.V, text)
		}
		parts = append(parts, text)
	}
	return clean(strings.Join(parts, "; "), maxErrorList)
}

type wireFile struct {
	ID        loose[string] `json:"id"`
	Bytes     loose[int64]  `json:"bytes"`
	Filename  loose[string] `json:"filename"`
	Purpose   loose[string] `json:"purpose"`
	Status    loose[string] `json:"status"`
	CreatedAt stamp         `json:"created_at"`
}

func decodeFile(a *answer) (File, error) {
	var wire wireFile
	if err := strictjson.Unmarshal(a.body, &wire); err != nil {
		return File{}, err
	}
	return File{
		ID: wire.ID.V, Bytes: wire.Bytes.V, Filename: wire.Filename.V,
		Purpose: wire.Purpose.V, Status: wire.Status.V, CreatedAt: wire.CreatedAt.Time,
	}, nil
}
