package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
)

const (
	defaultWindow    = "24h"
	maxMetadataPairs = 16
)

// createBody is what a create call says besides its rows.
type createBody struct {
	InputFileID       string            `json:"input_file_id,omitempty"`
	Endpoint          string            `json:"endpoint,omitempty"`
	Model             string            `json:"model,omitempty"`
	CompletionWindow  string            `json:"completion_window,omitempty"`
	Provider          string            `json:"provider,omitempty"`
	SessionID         string            `json:"session_id,omitempty"`
	WebhookEndpointID string            `json:"webhook_endpoint_id,omitempty"`
	Metadata          map[string]string `json:"metadata,omitempty"`
}

// Create asks for one batch with exactly one request on a connection of its own.
// The gateway knows no idempotency key: after an error of class Unknown or
// Accepted the batch may exist and must be looked up before anybody asks again.
func (c *Client) Create(ctx context.Context, req CreateRequest) (Batch, error) {
	const op = "create batch"
	fields, err := c.createBody(req)
	if err != nil {
		return Batch{}, invalid(op, err)
	}
	head, err := json.Marshal(fields)
	if err != nil {
		return Batch{}, invalid(op, err)
	}
	r := &call{op: op, method: http.MethodPost, path: "batches", guard: &guard{notAfter: req.NotAfter}}
	if req.Rows == nil {
		r.body, r.length = bytes.NewReader(head), int64(len(head))
	} else {
		r.body, r.length = newRowsBody(head, req.Rows), -1
	}
	if r.guard.expired() {
		return Batch{}, r.unsent(errTooLate)
	}
	return c.batchOf(ctx, r)
}

func (c *Client) createBody(req CreateRequest) (createBody, error) {
	if (req.InputFileID == "") == (req.Rows == nil) {
		return createBody{}, errors.New("either an input file or rows are needed")
	}
	b := createBody{
		InputFileID: req.InputFileID, Endpoint: req.Endpoint, CompletionWindow: req.CompletionWindow,
		Metadata: maps.Clone(req.Metadata),
	}
	setDefault(&b.CompletionWindow, defaultWindow)
	if c.config.Dialect == Phaseo {
		b.Model, b.Provider = req.Model, req.Provider
		b.SessionID, b.WebhookEndpointID = req.SessionID, req.WebhookEndpointID
	} else {
		if req.Rows != nil {
			return createBody{}, errors.New("rows inside the request are not part of this dialect: upload a file")
		}
		if req.SessionID != "" {
			if b.Metadata == nil {
				b.Metadata = map[string]string{}
			}
			b.Metadata[MetadataSession] = req.SessionID
		}
	}
	if len(b.Metadata) > maxMetadataPairs {
		return createBody{}, errors.New("there are more than 16 pairs of metadata")
	}
	return b, nil
}

// newRowsBody returns {…head…,"requests":[row,row,…]} without holding more than
// one row of it.
func newRowsBody(head []byte, rows io.Reader) io.Reader {
	open := bytes.Clone(bytes.TrimSuffix(head, []byte("}"))) // head stays the caller's
	if len(open) > len("{") {
		open = append(open, ',')
	}
	open = append(open, `"requests":[`...)
	return io.MultiReader(bytes.NewReader(open), newRowList(rows), bytes.NewReader([]byte("]}")))
}
