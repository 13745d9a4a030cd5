package gateway

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"batchkeeper/internal/strictjson"
)

const maxListLimit = 100

var errNoID = errors.New("the answer names no id")

// Batch reads one batch. The id goes without any query, which the gateway would
// take for a part of it.
func (c *Client) Batch(ctx context.Context, id string) (Batch, error) {
	return c.oneBatch(ctx, "read batch", http.MethodGet, id, "")
}

// Cancel asks for a batch to be canceled and returns it as it is then; that it
// ends canceled is not certain before it says so itself. Asking again is harmless.
func (c *Client) Cancel(ctx context.Context, id string) (Batch, error) {
	return c.oneBatch(ctx, "cancel batch", http.MethodPost, id, "/cancel")
}

func (c *Client) oneBatch(ctx context.Context, op, method, id, action string) (Batch, error) {
	path, err := below("batches", id)
	if err != nil {
		return Batch{}, invalid(op, err)
	}
	return c.batchOf(ctx, &call{op: op, method: method, path: path + action})
}

// batchOf sends a request that is answered with a batch.
func (c *Client) batchOf(ctx context.Context, r *call) (Batch, error) {
	a, err := c.do(ctx, r)
	if err != nil {
		return Batch{}, err
	}
	b, err := decodeBatch(c.config.Dialect, a)
	if err == nil && b.ID == "" {
		err = errNoID
	}
	if err != nil {
		return Batch{}, r.unusable(a, err)
	}
	return b, nil
}

// List returns one page of batches. In the Phaseo dialect there is only one: the
// batches touched last, in no stable order, and has_more means nothing.
func (c *Client) List(ctx context.Context, req ListRequest) (Page, error) {
	const op = "list batches"
	setDefault(&req.Limit, maxListLimit)
	if req.Limit < 1 || req.Limit > maxListLimit {
		return Page{}, invalid(op, errors.New("the limit is not between 1 and 100"))
	}
	// Without a limit the gateway answers with a single batch.
	query := url.Values{"limit": {strconv.Itoa(req.Limit)}}
	switch {
	case c.config.Dialect == Phaseo:
		for _, status := range req.Statuses {
			query.Add("status", status)
		}
	case req.After != "":
		query.Set("after", req.After)
	}
	r := &call{op: op, method: http.MethodGet, path: "batches?" + query.Encode()}
	a, err := c.do(ctx, r)
	if err != nil {
		return Page{}, err
	}
	page, err := decodePage(c.config.Dialect, a)
	if err != nil {
		return Page{}, r.unusable(a, err)
	}
	return page, nil
}

func decodePage(dialect Dialect, a *answer) (Page, error) {
	var wire struct {
		Data    *[]wireBatch  `json:"data"`
		HasMore loose[bool]   `json:"has_more"`
		LastID  loose[string] `json:"last_id"`
	}
	if err := strictjson.Unmarshal(a.body, &wire); err != nil {
		return Page{}, err
	}
	if wire.Data == nil {
		// An empty list is proof of absence; a missing one proves nothing.
		return Page{}, errors.New("the answer holds no list")
	}
	page := Page{HasMore: wire.HasMore.V, LastID: wire.LastID.V, Date: a.date()}
	for i := range *wire.Data {
		page.Batches = append(page.Batches, (*wire.Data)[i].batch(dialect, page.Date))
	}
	if n := len(page.Batches); page.LastID == "" && n > 0 {
		page.LastID = page.Batches[n-1].ID
	}
	return page, nil
}
