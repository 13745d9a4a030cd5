package activities

import (
	"context"
	"time"

	"batchkeeper/batch"
	"batchkeeper/internal/gateway"
)

// LookUpInput names the session to look for.
type LookUpInput struct {
	Dialect   batch.Dialect `json:"dialect"`
	SessionID string        `json:"session_id"`
	// Hints are batch ids that may be of this session.
	Hints []string `json:"hints,omitempty"`
	// Wide also reads the gateway's pages by status: they can find, never prove.
	Wide bool `json:"wide,omitempty"`
	// Reach is how far back a cursor is followed.
	Reach time.Time `json:"reach,omitzero"`
}

// LookUpOutput is what the gateway showed.
type LookUpOutput struct {
	Look batch.Look `json:"look"`
	// Batch is the oldest batch of the session that a fetch confirmed.
	Batch *batch.Snapshot `json:"batch,omitempty"`
	// Rejected are listed batches of the session that the provider had refused.
	Rejected []string `json:"rejected,omitempty"`
	// Problem says why the gateway could not be searched; the rest is then empty.
	Problem    string        `json:"problem,omitempty"`
	RetryAfter time.Duration `json:"retry_after,omitempty"`
}

// LookUp searches the gateway for the session. It only reads. Trouble is an
// answer: how long to wait is the workflow's to say, which can be called away.
func (a *Activities) LookUp(ctx context.Context, in LookUpInput) (LookUpOutput, error) {
	client, err := a.gateway(in.Dialect)
	if err != nil {
		return LookUpOutput{Problem: err.Error()}, nil
	}
	_, stop := startHeart(ctx)
	defer stop()
	s := search{client: client, in: in, seen: map[string]bool{}, out: LookUpOutput{Look: batch.Look{ReadAt: a.now()}}}
	if err := s.list(ctx); err != nil {
		return unseen(ctx, err)
	}
	if s.out.Look.Date.IsZero() {
		s.out.Look.Date = a.now()
	}
	if err := s.confirm(ctx); err != nil {
		return unseen(ctx, err)
	}
	return s.out, nil
}

func unseen(ctx context.Context, err error) (LookUpOutput, error) {
	if ctx.Err() != nil {
		return LookUpOutput{}, ctx.Err()
	}
	out := LookUpOutput{Problem: err.Error()}
	if ge, ok := gateway.AsError(err); ok {
		out.RetryAfter = ge.RetryAfter
	}
	return out, nil
}

// search is one LookUp under way.
type search struct {
	client *gateway.Client
	in     LookUpInput
	ours   []gateway.Batch
	seen   map[string]bool
	out    LookUpOutput
}

// list reads the unfiltered list, then, where it showed nothing of ours, the
// pages by status.
func (s *search) list(ctx context.Context) error {
	l := listing{client: s.client, dialect: s.in.Dialect, reach: s.in.Reach, take: s.take}
	err := l.all(ctx)
	look := &s.out.Look
	look.Date, look.Items, look.OldestAt, look.Complete = l.date, l.items, l.oldest, l.complete
	if err == nil && s.in.Wide && len(s.ours) == 0 {
		_, err = l.byStatus(ctx)
	}
	return err
}

// take notes the batches of the session.
func (s *search) take(page []gateway.Batch) {
	for _, b := range page {
		if b.SessionID == s.in.SessionID && !s.seen[b.ID] {
			s.seen[b.ID] = true
			s.ours = append(s.ours, b)
		}
	}
}

// refusedByProvider tells whether a listed batch is one that its provider
// refused, by the error of a fetch of it: it never ran.
func refusedByProvider(listed gateway.Batch, err error) bool {
	ge, ok := gateway.AsError(err)
	return ok && ge.Status == 404 && ge.FromProvider() && listed.Status == string(batch.StatusFailed)
}

// confirm fetches what was listed and the hints. A listed batch stays found
// even where the fetch fails, unless its provider refused it: then it never ran.
func (s *search) confirm(ctx context.Context) error {
	confirmed := map[string]batch.Snapshot{}
	for _, listed := range s.ours {
		b, err := s.client.Batch(ctx, listed.ID)
		_, isGateway := gateway.AsError(err)
		switch {
		case err == nil:
			confirmed[listed.ID] = snapshot(b)
		case !isGateway:
			return err
		case refusedByProvider(listed, err):
			s.out.Rejected = append(s.out.Rejected, listed.ID)
			continue
		}
		s.out.Look.Found = append(s.out.Look.Found, batch.Found{
			BatchID: listed.ID, Status: batch.Status(listed.Status), CreatedAt: listed.CreatedAt,
		})
	}
	for _, id := range s.in.Hints {
		if s.seen[id] {
			continue
		}
		b, err := s.client.Batch(ctx, id) // a 404 is no answer; another trouble is looked at again later
		if err == nil && b.SessionID == s.in.SessionID {
			confirmed[id] = snapshot(b)
			s.out.Look.Found = append(s.out.Look.Found, batch.Found{BatchID: id, Status: batch.Status(b.Status), CreatedAt: b.CreatedAt})
		}
	}
	if first, _ := batch.Oldest(s.out.Look.Found); first.BatchID != "" {
		if snap, ok := confirmed[first.BatchID]; ok {
			s.out.Batch = &snap
		}
	}
	return nil
}
