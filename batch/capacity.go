package batch

import (
	"errors"
	"strings"
	"time"
)

// Capacity is what one account may use at a time, all runs together; zero
// fields mean no limit.
type Capacity struct {
	UploadsPerHour    int   `json:"uploads_per_hour,omitempty"`
	UploadBytesPerDay int64 `json:"upload_bytes_per_day,omitempty"`
	CreatesPerHour    int   `json:"creates_per_hour,omitempty"`
	MaxLive           int   `json:"max_live,omitempty"` // batches that exist and are not terminal
	MaxEnqueuedTokens int64 `json:"max_enqueued_tokens,omitempty"`
}

// Capacity is the part of a profile that its runs share.
func (p Profile) Capacity() Capacity {
	return Capacity{
		UploadsPerHour: p.UploadsPerHour, UploadBytesPerDay: p.UploadBytesPerDay, CreatesPerHour: p.CreatesPerHour,
		MaxLive: p.MaxLiveBatches, MaxEnqueuedTokens: p.MaxEnqueuedTokens,
	}
}

// Resource is one of the things that runs share.
type Resource string

// The resources. The first three are used up for an hour or a day, the others
// are held by a lease until it is returned.
const (
	ResourceUploads     Resource = "uploads"
	ResourceUploadBytes Resource = "upload_bytes"
	ResourceCreates     Resource = "creates"
	ResourceLive        Resource = "live_batches"
	ResourceTokens      Resource = "enqueued_tokens" // #nosec G101 -- tokens of a model
)

// words is the resource as people read it.
func (r Resource) words() string { return strings.ReplaceAll(string(r), "_", " ") }

// How long a use counts against a limit per hour or per day.
const (
	hourSpan = time.Hour
	daySpan  = 24 * time.Hour
)

// LeaseRequest asks for what one batch takes: a create and a live batch always,
// and what is named here.
type LeaseRequest struct {
	// RunID is the workflow id of the bulk run, which is told of the grant.
	RunID string `json:"run_id"`
	// Holder is the workflow id of the child that will use the lease. That of a
	// closed child is taken for its end.
	Holder string `json:"holder"`
	// Ask counts how often the holder has wanted a lease anew, after it gave one
	// back unused: an ask and the release of the one before may be heard in any order.
	Ask int `json:"ask,omitempty"`
	// Uploads and UploadBytes are zero where the rows travel in the create call.
	Uploads     int   `json:"uploads,omitempty"`
	UploadBytes int64 `json:"upload_bytes,omitempty"`
	// Tokens is an estimate of the enqueued tokens; zero: not known.
	Tokens int64 `json:"tokens,omitempty"`
}

// Validate refuses a request that could be neither granted nor returned.
func (r LeaseRequest) Validate() error {
	switch {
	case r.RunID == "":
		return errors.New("lease request: no run_id")
	case r.Holder == "":
		return errors.New("lease request: no holder")
	case r.Uploads < 0 || r.UploadBytes < 0 || r.Tokens < 0:
		return errors.New("lease request: a negative amount")
	}
	return nil
}

// need is how much of a resource the request takes.
func (r LeaseRequest) need(res Resource) int64 {
	switch res {
	case ResourceUploads:
		return int64(r.Uploads)
	case ResourceUploadBytes:
		return r.UploadBytes
	case ResourceCreates, ResourceLive:
		return 1
	case ResourceTokens:
		return r.Tokens
	default:
		return 0
	}
}
