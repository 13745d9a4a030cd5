package batch

import (
	"cmp"
	"slices"
	"time"
)

// Verdict is what a create call came to.
type Verdict string

// The verdicts.
const (
	VerdictCreated Verdict = "created" // the answer names the batch
	VerdictRefused Verdict = "refused" // for good
	VerdictLater   Verdict = "later"   // no batch; may be tried again
	VerdictUnknown Verdict = "unknown" // a batch may exist
)

// The rule of absence: a list proves that no batch of ours exists when it was
// read ProofDelay after the last post could have been written and reaches back
// ProofReach before the first one, or holds fewer than ProofItems items. The
// gateway's list shows the 100 rows touched last, of 300 read, files included.
const (
	ProofDelay = 10 * time.Minute
	ProofReach = 5 * time.Minute
	ProofItems = 50
)

// Found is one batch of this run's session in a list.
type Found struct {
	BatchID   string    `json:"batch_id"`
	Status    Status    `json:"status"`
	CreatedAt time.Time `json:"created_at,omitzero"`
}

// Look is one search of the gateway for a session.
type Look struct {
	Found []Found `json:"found,omitempty"`
	// Items is how many items the unfiltered list had, OldestAt the oldest
	// update among them, Complete whether the list hides nothing: fewer than
	// ProofItems items in all, or a cursor followed to its end.
	Items    int       `json:"items"`
	OldestAt time.Time `json:"oldest_at,omitzero"`
	Complete bool      `json:"complete,omitempty"`
	// ReadAt is the worker's clock when the list was asked for, Date the gateway's.
	ReadAt time.Time `json:"read_at"`
	Date   time.Time `json:"date"`
}

// ProvesAbsence tells whether the look proves that no batch of the session
// exists, although one was posted.
func (s Submission) ProvesAbsence(l Look) bool {
	if len(l.Found) > 0 {
		return false
	}
	if s.PostDeadline == nil || s.FirstPostAfter == nil {
		return false
	}
	if l.ReadAt.Before(s.PostDeadline.Add(ProofDelay)) {
		return false
	}
	return l.Complete || !l.OldestAt.IsZero() && l.OldestAt.Before(s.FirstPostAfter.Add(-ProofReach))
}

// Oldest orders what was found: the first is tracked, the others are duplicates.
func Oldest(found []Found) (first Found, duplicates []string) {
	if len(found) == 0 {
		return Found{}, nil
	}
	sorted := slices.SortedStableFunc(slices.Values(found), func(a, b Found) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.BatchID, b.BatchID))
	})
	for _, f := range sorted[1:] {
		if f.BatchID != sorted[0].BatchID {
			duplicates = append(duplicates, f.BatchID)
		}
	}
	return sorted[0], duplicates
}

// maxHints bounds the batch ids that deliveries can make a run look up.
const maxHints = 8

// Hint notes a batch id that may be ours.
func (s *Submission) Hint(batchID string) {
	if batchID == "" || slices.Contains(s.Hints, batchID) || len(s.Hints) >= maxHints {
		return
	}
	s.Hints = append(s.Hints, batchID)
}

// RetryAt is when a create that may pass later is tried again: when the gateway
// asked to, else by the ladder.
func RetryAt(now time.Time, tries int, retryAfter time.Duration) time.Time {
	if retryAfter > 0 {
		return now.Add(retryAfter)
	}
	return now.Add(NextTry(tries))
}
