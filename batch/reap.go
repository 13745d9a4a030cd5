package batch

import (
	"slices"
	"time"
)

// ReapEvery is how often a governor looks whether its holders still live. It
// bounds how long a lease is lost whose holder was killed.
const ReapEvery = 10 * time.Minute

// RunStatus is what the server says of a workflow.
type RunStatus string

// What the server can say of a workflow.
const (
	RunOpen    RunStatus = "open"
	RunClosed  RunStatus = "closed"
	RunMissing RunStatus = "missing" // never started, or no longer retained
)

// Watched are the workflows that reaping asks about, sorted: the holders, their
// bulk runs, and the runs that wait.
func (l *Ledger) Watched() []string {
	var ids []string
	for _, lease := range l.Leases {
		ids = append(ids, lease.Holder, lease.RunID)
	}
	for _, turn := range l.Turns {
		ids = append(ids, turn.RunID)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// Reap takes the answers of the server to a question asked at a time, returns
// the leases that nobody will return any more and drops what closed runs wait
// for. A workflow without an answer, and what came after the question, stays.
func (l *Ledger) Reap(seen map[string]RunStatus, asked time.Time) []Lease {
	over := func(id string) bool { return seen[id] == RunClosed || seen[id] == RunMissing }
	var returned, held []Lease
	for _, lease := range l.Leases {
		lease.Seen = lease.Seen || seen[lease.Holder] == RunOpen
		ended := seen[lease.Holder] == RunClosed ||
			seen[lease.Holder] == RunMissing && (lease.Seen || over(lease.RunID))
		if ended && !lease.GrantedAt.After(asked) {
			returned = append(returned, lease)
		} else {
			held = append(held, lease)
		}
	}
	l.Leases = held
	l.Turns = slices.DeleteFunc(l.Turns, func(t Turn) bool {
		return over(t.RunID) && !t.Requests[len(t.Requests)-1].AskedAt.After(asked)
	})
	return returned
}
