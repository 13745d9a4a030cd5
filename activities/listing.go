package activities

import (
	"context"
	"time"

	"batchkeeper/batch"
	"batchkeeper/internal/gateway"
)

// listLimit is the most that one list call shows.
const listLimit = 100

// listing reads the gateway's list of batches, and notes how much of it can have
// been seen.
type listing struct {
	client  *gateway.Client
	dialect batch.Dialect
	reach   time.Time // how far back a cursor is followed; zero: to its end
	most    int       // items after which a cursor is given up; zero: none
	take    func([]gateway.Batch)

	date     time.Time // the server's clock, when it answered first
	items    int       // of the unfiltered list
	oldest   time.Time // among them
	complete bool      // the unfiltered list hides nothing
}

// all reads the unfiltered list, which alone can prove absence.
func (l *listing) all(ctx context.Context) error {
	req := gateway.ListRequest{Limit: listLimit}
	for {
		page, err := l.client.List(ctx, req)
		if err != nil {
			return err
		}
		if l.date.IsZero() {
			l.date = page.Date
		}
		l.items += len(page.Batches)
		l.oldest = l.oldestOf(page, l.oldest)
		l.take(page.Batches)
		if l.dialect == batch.DialectPhaseo { // no cursor; has_more is always false
			l.complete = l.items < batch.ProofItems
			return nil
		}
		l.complete = !page.HasMore
		if !page.HasMore || page.LastID == "" || l.reached() || l.most > 0 && l.items >= l.most {
			return nil
		}
		req.After = page.LastID
	}
}

// reached tells whether the list goes further back than was asked for.
func (l *listing) reached() bool {
	return !l.reach.IsZero() && !l.oldest.IsZero() && l.oldest.Before(l.reach)
}

// byStatus reads the pages by status, which find what the unfiltered list hides
// and can prove nothing: a batch that is being submitted is on none of them. It
// names the statuses whose page may hide something.
func (l *listing) byStatus(ctx context.Context) (cut []string, err error) {
	if l.dialect != batch.DialectPhaseo {
		return nil, nil // no filter
	}
	for _, status := range []string{"pending", "in_progress", "completed", "failed", "cancelled", "expired"} {
		page, err := l.client.List(ctx, gateway.ListRequest{Limit: listLimit, Statuses: []string{status}})
		if err != nil {
			return cut, err
		}
		oldest := l.oldestOf(page, time.Time{})
		if len(page.Batches) >= batch.ProofItems && (l.reach.IsZero() || !oldest.Before(l.reach)) {
			cut = append(cut, status)
		}
		l.take(page.Batches)
	}
	return cut, nil
}

// oldestOf is the earliest of the times by which the list is ordered: that of
// the last change on the gateway, of the creation at OpenAI, who tells no other.
func (l *listing) oldestOf(page gateway.Page, oldest time.Time) time.Time {
	for _, b := range page.Batches {
		at := b.UpdatedAt
		if l.dialect == batch.DialectOpenAI {
			at = b.CreatedAt
		}
		if !at.IsZero() && (oldest.IsZero() || at.Before(oldest)) {
			oldest = at
		}
	}
	return oldest
}
