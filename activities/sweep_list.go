package activities

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"batchkeeper/batch"
	"batchkeeper/internal/gateway"
)

// maxListed bounds how far a cursor is followed: far more than an account makes
// in a week.
const maxListed = 20_000

// sweepFetchers is how many batches are fetched at a time: enough to be done
// soon, few enough to leave the account's rate limit to the runs.
const sweepFetchers = 4

// maxFetchTroubles is after how many failed fetches the gateway is left alone.
const maxFetchTroubles = 5

// ListAccountInput says what of the account to list.
type ListAccountInput struct {
	Profile string    `json:"profile,omitempty"` // empty: the worker's default
	Since   time.Time `json:"since"`             // batches that ended and were created before are left out
}

// ListAccountOutput is what the account shows.
type ListAccountOutput struct {
	Account batch.Account `json:"account"`
}

// ListAccount lists the account's batches and fetches those of ours that live or
// whose cost is not known yet. It only reads, so it may be repeated. A list that
// cannot be read is an error; a batch that cannot be fetched stays as listed.
func (a *Activities) ListAccount(ctx context.Context, in ListAccountInput) (ListAccountOutput, error) {
	profile, rejected := a.profileFor(batch.Job{Profile: in.Profile})
	if rejected != "" {
		return ListAccountOutput{}, fault(batch.KindInputInvalid, errors.New(rejected))
	}
	client, err := a.gateway(profile.Dialect)
	if err != nil {
		return ListAccountOutput{}, err
	}
	_, stop := startHeart(ctx)
	defer stop()
	s := census{client: client, profile: profile, since: in.Since, seen: map[string]bool{}}
	if err := s.list(ctx); err != nil {
		return ListAccountOutput{}, translate(err)
	}
	s.fetch(ctx)
	if err := ctx.Err(); err != nil {
		return ListAccountOutput{}, err
	}
	return ListAccountOutput{Account: s.account}, nil
}

// census is one ListAccount under way.
type census struct {
	client  *gateway.Client
	profile batch.Profile
	since   time.Time
	seen    map[string]bool
	ours    []gateway.Batch
	left    int // of ours, beyond the bound
	account batch.Account
}

// list reads everything that the gateway's list can be made to show.
func (s *census) list(ctx context.Context) error {
	l := listing{client: s.client, dialect: s.profile.Dialect, reach: s.since, most: maxListed, take: s.take}
	if err := l.all(ctx); err != nil {
		return err
	}
	s.account.Complete = l.complete || l.reached()
	if s.account.Complete {
		return nil
	}
	if l.dialect == batch.DialectOpenAI {
		s.incomplete("more than %d batches since %s", maxListed, s.since.UTC().Format(time.RFC3339))
		return nil
	}
	cut, err := l.byStatus(ctx)
	if err != nil {
		return err
	}
	s.incomplete("the gateway lists the batches touched last: those still being submitted may be hidden")
	if len(cut) > 0 {
		s.incomplete("and the older ones that are %s", strings.Join(cut, ", "))
	}
	return nil
}

func (s *census) incomplete(format string, args ...any) {
	s.account.Complete = false
	if s.account.Incomplete != "" {
		s.account.Incomplete += "; "
	}
	s.account.Incomplete += fmt.Sprintf(format, args...)
}

// take sorts a page: what is foreign is counted, and never looked at again.
func (s *census) take(page []gateway.Batch) {
	for _, b := range page {
		ended := batch.Status(b.Status).IsTerminal()
		if s.seen[b.ID] || ended && !b.CreatedAt.IsZero() && b.CreatedAt.Before(s.since) {
			continue
		}
		s.seen[b.ID] = true
		s.account.Listed++
		if _, _, ok := batch.SplitSessionID(b.SessionID); !ok {
			s.account.Foreign++
			continue
		}
		if len(s.ours) == batch.MaxSweptBatches {
			s.left++
			continue
		}
		s.ours = append(s.ours, b)
	}
}

// fetch reads the batches of ours one by one where the list does not tell all.
func (s *census) fetch(ctx context.Context) {
	read := make([]*batch.AccountBatch, len(s.ours))
	var next, troubles atomic.Int64
	var fetchers sync.WaitGroup
	for range sweepFetchers {
		fetchers.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(read) && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				read[i] = s.read(ctx, s.ours[i], &troubles)
			}
		})
	}
	fetchers.Wait()
	for _, b := range read {
		switch {
		case b != nil:
			s.account.Batches = append(s.account.Batches, *b)
		case ctx.Err() == nil:
			s.account.Refused++
		}
	}
	if n := troubles.Load(); n >= maxFetchTroubles {
		s.incomplete("the gateway failed %d times: the other batches are as listed", n)
	}
	if s.left > 0 {
		s.incomplete("%d batches beyond %d", s.left, batch.MaxSweptBatches)
	}
}

// read is one batch as it is now; nil: its provider refused it.
func (s *census) read(ctx context.Context, listed gateway.Batch, troubles *atomic.Int64) *batch.AccountBatch {
	b := s.swept(listed)
	if b.Status.IsTerminal() && b.Source == batch.CostBilled || troubles.Load() >= maxFetchTroubles {
		return &b
	}
	now, err := s.client.Batch(ctx, listed.ID)
	ge, isGateway := gateway.AsError(err)
	switch {
	case err == nil:
		fetched := s.swept(now)
		fetched.SessionID = listed.SessionID
		if fetched.CreatedAt.IsZero() {
			fetched.CreatedAt = listed.CreatedAt
		}
		return &fetched
	case refusedByProvider(listed, err):
		return nil
	case isGateway && ge.Status == 404:
		b.Lost, b.Problem = true, short(err)
	default:
		troubles.Add(1)
		b.Problem = "as listed: " + short(err)
	}
	return &b
}

func (s *census) swept(b gateway.Batch) batch.AccountBatch {
	out := batch.AccountBatch{
		BatchID: b.ID, SessionID: b.SessionID, Status: batch.Status(b.Status), CreatedAt: b.CreatedAt.UTC(),
		Cost: batch.CostOf(s.profile.Prices, b.Usage, b.Billing),
	}
	if b.RequestCounts != nil {
		out.Rows = b.RequestCounts.Total
	}
	return out
}

// maxProblem keeps the answer of a whole account far below what the server takes.
const maxProblem = 160

func short(err error) string {
	text := err.Error()
	return strings.ToValidUTF8(text[:min(len(text), maxProblem)], "")
}
