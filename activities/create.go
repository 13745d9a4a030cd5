package activities

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"

	"batchkeeper/batch"
	"batchkeeper/internal/gateway"
)

// How long one create call may take once its first byte may be written. Both
// are below the activity's start-to-close, so that the call is over before a
// successor begins. Rows that travel inline need their transfer time.
const (
	CreateCallTimeout = time.Minute
	InlineCallTimeout = 15 * time.Minute
)

// CreateInput is one create call.
type CreateInput struct {
	Dialect           batch.Dialect     `json:"dialect"`
	Mode              batch.CreateMode  `json:"mode"`
	InputFileID       string            `json:"input_file_id,omitempty"` // mode file
	Input             string            `json:"input,omitempty"`         // mode inline
	Range             *batch.Range      `json:"range,omitempty"`
	SHA256            string            `json:"sha256,omitempty"` // of the rows as inspected
	SessionID         string            `json:"session_id"`
	Endpoint          string            `json:"endpoint,omitempty"`
	Model             string            `json:"model,omitempty"`
	CompletionWindow  string            `json:"completion_window,omitempty"`
	Metadata          map[string]string `json:"metadata,omitempty"`
	Provider          string            `json:"provider,omitempty"`
	WebhookEndpointID string            `json:"webhook_endpoint_id,omitempty"`
	// NotAfter is the wall clock after which no byte may be written.
	NotAfter time.Time `json:"not_after"`
	// RunID is the Temporal run that decided on this call.
	RunID string `json:"run_id"`
}

// CreateOutput is what one create call came to.
type CreateOutput struct {
	Verdict batch.Verdict   `json:"verdict"`
	Batch   *batch.Snapshot `json:"batch,omitempty"` // verdict created, where the answer was whole
	// BatchID is a batch that the answer named: certain with verdict created, a
	// hint with verdict unknown.
	BatchID    string        `json:"batch_id,omitempty"`
	RetryAfter time.Duration `json:"retry_after,omitempty"`
	Message    string        `json:"message,omitempty"`
}

// Create posts once. It is not idempotent: the gateway reads no idempotency
// key, so every post makes a batch. It therefore runs as a single attempt,
// is never retried by the transport, and writes nothing after NotAfter: a
// paused attempt cannot post behind the back of a successor that looked up.
//
// A reset to a point at which this call was already scheduled makes the server
// hand it out again, in the copy, while the original's may be under way: a call
// that another run decided on sends nothing and leaves the question open.
func (a *Activities) Create(ctx context.Context, in CreateInput) (CreateOutput, error) {
	if here := activity.GetInfo(ctx).WorkflowExecution.RunID; here != in.RunID {
		return CreateOutput{
			Verdict: batch.VerdictUnknown, Message: "the run was reset while this call was under way: run " + in.RunID + " may have made it",
		}, nil
	}
	client, err := a.gateway(in.Dialect)
	if err != nil {
		return CreateOutput{Verdict: batch.VerdictLater, Message: err.Error()}, nil
	}
	_, stop := startHeart(ctx)
	defer stop()
	req := gateway.CreateRequest{
		InputFileID: in.InputFileID, Endpoint: in.Endpoint, Model: in.Model, CompletionWindow: in.CompletionWindow,
		Provider: in.Provider, SessionID: in.SessionID, WebhookEndpointID: in.WebhookEndpointID,
		Metadata: in.Metadata, NotAfter: in.NotAfter,
	}
	if in.Mode == batch.CreateInline {
		return a.createInline(ctx, client, req, in), nil
	}
	ctx, cancel := context.WithTimeout(ctx, CreateCallTimeout)
	defer cancel()
	return verdict(client.Create(ctx, req)), nil
}

// createInline sends the rows along. A failure to read them is never an open
// question: the request's JSON was not closed, so that nothing was submitted.
func (a *Activities) createInline(ctx context.Context, client *gateway.Client, req gateway.CreateRequest, in CreateInput) CreateOutput {
	rows, err := a.openRows(ctx, in.Input, in.Range, in.SHA256)
	if err != nil {
		return unread(err)
	}
	defer rows.Close()
	req.Rows = rows
	ctx, cancel := context.WithTimeout(ctx, InlineCallTimeout)
	defer cancel()
	out := verdict(client.Create(ctx, req))
	if out.Verdict == batch.VerdictLater && rows.err != nil {
		return unread(rows.err)
	}
	return out
}

func unread(err error) CreateOutput {
	out := CreateOutput{Verdict: batch.VerdictLater, Message: "read the rows: " + err.Error()}
	if isKind(translate(err), batch.KindInputInvalid, batch.KindInputUnavailable) {
		out.Verdict = batch.VerdictRefused
	}
	return out
}

// verdict reads the answer of a create call.
func verdict(b gateway.Batch, err error) CreateOutput {
	if err == nil {
		s := snapshot(b)
		return CreateOutput{Verdict: batch.VerdictCreated, Batch: &s, BatchID: b.ID}
	}
	ge, ok := gateway.AsError(err)
	if !ok {
		return CreateOutput{Verdict: batch.VerdictUnknown, Message: err.Error()}
	}
	out := CreateOutput{BatchID: ge.BatchID, RetryAfter: ge.RetryAfter, Message: ge.Error()}
	switch ge.Class {
	case gateway.Refused:
		out.Verdict = batch.VerdictRefused
	case gateway.TryLater, gateway.NothingSubmitted:
		out.Verdict = batch.VerdictLater
	case gateway.Accepted:
		out.Verdict = batch.VerdictCreated
	case gateway.Unknown:
		out.Verdict = batch.VerdictUnknown
	default:
		out.Verdict, out.Message = batch.VerdictUnknown, fmt.Sprintf("unclassed answer: %s", out.Message)
	}
	return out
}
