package batch

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Defaults of a Job. Each has its reason in the field's comment.
const (
	DefaultCompletionWindow = "24h"
	DefaultCreateTimeout    = 24 * time.Hour
	DefaultSettleTimeout    = 24 * time.Hour
	DefaultCancelGrace      = 30 * time.Minute
)

// CreateMode says how the rows reach the gateway.
type CreateMode string

// The ways to create a batch.
const (
	CreateFile   CreateMode = "file"   // upload a file, create from its id
	CreateInline CreateMode = "inline" // the rows travel in the create call
	CreateAuto   CreateMode = "auto"   // inline where the profile's upload quota would be the bottleneck
)

// Range is a contiguous part of the input, in bytes.
type Range struct {
	Offset int64 `json:"offset"`
	Length int64 `json:"length"`
}

// Notify names the workflow to signal with a reference to the result before
// the run closes.
type Notify struct {
	WorkflowID string `json:"workflow_id"`
	Signal     string `json:"signal"`
}

// Job is the input of BatchWorkflow and of BulkWorkflow. One of Input,
// InputFileID and BatchID is needed; everything else has a default.
type Job struct {
	// Input is the URL or store key of the JSONL; InputRange selects a part.
	Input      string `json:"input,omitempty"`
	InputRange *Range `json:"input_range,omitempty"`
	// InputFileID is a file already uploaded: the upload is skipped.
	InputFileID string `json:"input_file_id,omitempty"`
	// BatchID is a batch already created: it is adopted.
	BatchID string `json:"batch_id,omitempty"`

	// Endpoint, Model, CompletionWindow, Metadata and Provider go to the gateway.
	Endpoint         string            `json:"endpoint,omitempty"`
	Model            string            `json:"model,omitempty"`
	CompletionWindow string            `json:"completion_window,omitempty"`
	Metadata         map[string]string `json:"metadata,omitempty"`
	Provider         string            `json:"provider,omitempty"`
	// CreateMode defaults to CreateFile.
	CreateMode CreateMode `json:"create_mode,omitempty"`
	// CreateTimeout bounds how long a create that may pass later is tried.
	CreateTimeout Duration `json:"create_timeout,omitempty"`
	// SettleTimeout bounds how long an ambiguous create waits for proof.
	SettleTimeout Duration `json:"settle_timeout,omitempty"`
	// Profile names the limits that apply; empty: the worker's default.
	Profile string `json:"profile,omitempty"`
	// WebhookEndpointID is the gateway's managed webhook endpoint.
	WebhookEndpointID string `json:"webhook_endpoint_id,omitempty"`
	// StaleAfter cancels a batch that is not terminal after this long; zero: never.
	StaleAfter Duration `json:"stale_after,omitempty"`
	// CancelGrace bounds how long a cancelling batch may take.
	CancelGrace Duration `json:"cancel_grace,omitempty"`
	// Poll is the schedule of reads.
	Poll PollPolicy `json:"poll,omitzero"`
	// ResultsPrefix is the store key prefix of the results.
	ResultsPrefix string `json:"results_prefix,omitempty"`
	// Notify names a workflow to tell about the end.
	Notify *Notify `json:"notify,omitempty"`

	// BulkJob are the fields that only BulkWorkflow takes.
	BulkJob

	// Carried is what continue-as-new hands to the next run; a start has none.
	Carried *Carried `json:"carried,omitempty"`
}

// ParseJob reads a Job from JSON. A field that it does not know is refused by
// name: a mistyped stale_after would bill in silence.
func ParseJob(raw []byte) (Job, error) {
	var job Job
	if len(bytes.TrimSpace(raw)) == 0 {
		return job, errors.New("job: no input: want a JSON object such as {\"input\":\"file:///data/requests.jsonl\"}")
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&job); err != nil {
		return job, fmt.Errorf("job: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return job, errors.New("job: more than one JSON value")
	}
	return job, nil
}

// WithDefaults returns the job with every unset field that has a default set.
// Poll stays as given: an explicit bound means something else than a default.
func (j Job) WithDefaults() Job {
	if j.CompletionWindow == "" {
		j.CompletionWindow = DefaultCompletionWindow
	}
	if j.CreateMode == "" {
		j.CreateMode = CreateFile
	}
	j.CreateTimeout = Duration(j.CreateTimeout.Or(DefaultCreateTimeout))
	j.SettleTimeout = Duration(j.SettleTimeout.Or(DefaultSettleTimeout))
	j.CancelGrace = Duration(j.CancelGrace.Or(DefaultCancelGrace))
	return j
}

// Fingerprint identifies what a job asks for: two starts with the same
// fingerprint are the same job. What continue-as-new carries does not count.
func (j Job) Fingerprint() string {
	j = j.WithDefaults()
	j.Carried = nil
	raw, err := json.Marshal(j) // maps are written in key order
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}
