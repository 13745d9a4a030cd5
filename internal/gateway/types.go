package gateway

import (
	"encoding/json"
	"io"
	"net/http"
	"time"

	"batchkeeper/internal/secret"
)

// Dialect says which fields and headers the other side understands.
type Dialect string

// The dialects.
const (
	Phaseo Dialect = "phaseo"
	OpenAI Dialect = "openai"
)

// MetadataSession is the metadata key that carries the session id where the API
// has no field for it.
const MetadataSession = "batchkeeper_session_id"

// Config is what a Client needs.
type Config struct {
	// BaseURL is the API's root, such as https://api.phaseo.app/v1: http or
	// https, without credentials, query or fragment.
	BaseURL string
	// Key is asked before each request, so that a rotated key is picked up.
	Key func() (secret.Value, error)
	// Dialect is Phaseo when empty.
	Dialect Dialect
	// Transport replaces the client's own; tests may inject one.
	Transport http.RoundTripper
	// UserAgent is sent with each request.
	UserAgent string
	// ConnectTimeout bounds dialing and, again, the TLS handshake (default 10 s);
	// HeaderTimeout the wait for an answer once the request is written (default
	// 60 s); IdleTimeout each silence while a body is sent or read (default 60 s).
	ConnectTimeout, HeaderTimeout, IdleTimeout time.Duration
}

// File is an uploaded file's metadata.
type File struct {
	ID                        string
	Bytes                     int64
	Filename, Purpose, Status string
	CreatedAt                 time.Time
}

// UploadRequest is one input file on its way to the gateway.
type UploadRequest struct {
	Filename string
	Body     io.Reader
	// Size is the length of Body in bytes, -1 when it is unknown.
	Size int64
	// Provider and Model tell the Phaseo gateway who is to hold the file.
	Provider, Model string
}

// Content is a file's bytes. Body ends with io.ErrUnexpectedEOF when fewer than
// Length bytes came, and with an error after IdleTimeout of silence.
type Content struct {
	Body io.ReadCloser
	// Length is the announced length in bytes, -1 when it is unknown.
	Length int64
}

// CreateRequest asks for one batch, from an uploaded file or from rows.
type CreateRequest struct {
	// InputFileID names an uploaded file; or Rows holds the rows themselves as
	// JSONL, streamed inside the request (Phaseo dialect only).
	InputFileID string
	Rows        io.Reader

	Endpoint, Model, CompletionWindow, Provider, SessionID, WebhookEndpointID string

	// Metadata is passed on as it is; in the OpenAI dialect the session id is
	// added under MetadataSession.
	Metadata map[string]string
	// NotAfter is the wall-clock time after which the request must not be sent
	// any more. It is checked right before the first byte goes out; past it the
	// error is of class NothingSubmitted. Zero: no limit.
	NotAfter time.Time
}

// ListRequest asks for one page of batches.
type ListRequest struct {
	// Limit is 1 to 100, 100 when zero.
	Limit int
	// Statuses filters in the Phaseo dialect; the gateway drops unknown values
	// and, when none is left, the filter. The OpenAI dialect has no filter.
	Statuses []string
	// After is the cursor of the OpenAI dialect; Phaseo has none.
	After string
}

// Page is one page of batches.
type Page struct {
	Batches []Batch
	HasMore bool
	LastID  string
	// Date is the server's clock, zero when it sent none.
	Date time.Time
}

// RequestCounts are the rows of a batch as the gateway counts them; they may be
// stale or add up to less than Total even at the end. What cannot be a number of
// rows reads as 0.
type RequestCounts struct {
	Total, Completed, Failed int64
}

// WebhookView is the gateway's own view of its webhook deliveries for a batch.
type WebhookView struct {
	TotalAttempts, PendingRetries int64
	LastResponseStatus            *int
	LastFailureAt                 time.Time
	LastErrorMessage              string
}

// Batch is one batch as the gateway describes it. Fields that the answer does
// not hold are zero.
type Batch struct {
	// SessionID is read from the metadata in the OpenAI dialect.
	ID, NativeID, Provider, RequestID, SessionID string
	// Status is the raw state; LifecycleStatus is "" where the API has none.
	Status, LifecycleStatus string

	Endpoint, Model, InputFileID, OutputFileID, ErrorFileID string

	// CancelURL says whether a URL for canceling was offered. The URL itself is
	// dropped: requests go to the configured base only.
	CancelURL     bool
	RequestCounts *RequestCounts
	Progress      *int
	// Usage and Billing are valid JSON of at most 16 KiB each, or nil.
	Usage, Billing json.RawMessage
	Webhook        *WebhookView
	// Errors is the list of validation errors as one bounded, readable line.
	Errors   string
	Metadata map[string]string

	CreatedAt, UpdatedAt, ExpiresAt time.Time
	// Date is the server's clock, zero when it sent none.
	Date time.Time
}
