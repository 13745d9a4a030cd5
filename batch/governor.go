package batch

import (
	"slices"
	"time"
)

// Ledger is who may use an account, and who waits to: the whole memory of a
// governor. Within a run leases are granted in the order they were asked for,
// between runs in turns. A request that does not fit keeps what it waits for
// from those behind it, so that none is overtaken for ever.
//
// It grows with the leases and with the waiting requests. Each run asks only for
// as many as it would use at once, so there are at most as many as the runs'
// windows add up to; the rolling windows have bounds of their own.
type Ledger struct {
	Capacity Capacity `json:"capacity"`
	// Turns are the runs with waiting requests; the first is the next in turn.
	Turns  []Turn  `json:"turns,omitempty"`
	Leases []Lease `json:"leases,omitempty"` // in the order they were granted

	Uploads     Window  `json:"uploads,omitzero"`
	UploadBytes Window  `json:"upload_bytes,omitzero"`
	Creates     Window  `json:"creates,omitzero"`
	Live        Ceiling `json:"live,omitzero"`
	Tokens      Ceiling `json:"tokens,omitzero"`
}

// Turn is one run and its waiting requests, in its order; there is always one.
type Turn struct {
	RunID    string   `json:"run_id"`
	Requests []Queued `json:"requests"`
}

// Queued is a request that waits.
type Queued struct {
	LeaseRequest
	AskedAt time.Time `json:"asked_at"`
}

// Lease is a granted request; it is held until it is returned.
type Lease struct {
	LeaseRequest
	GrantedAt time.Time `json:"granted_at"`
	// Told is set once the bulk run has been told, Retell when it asks again; Seen
	// once the holder was found open.
	Told   bool `json:"told,omitempty"`
	Retell bool `json:"retell,omitempty"`
	Seen   bool `json:"seen,omitempty"`
}

// Ask queues a request. Repeating it changes nothing, but a lease that was
// granted is announced once more: the answer may have been lost. A later ask of
// the same holder ends the one before.
func (l *Ledger) Ask(req LeaseRequest, now time.Time) {
	l.Release(req.Holder, req.Ask-1)
	if i := l.lease(req.Holder); i >= 0 {
		l.Leases[i].Retell = l.Leases[i].Retell || l.Leases[i].Ask == req.Ask
		return
	}
	if turn, _ := l.queued(req.Holder); turn >= 0 {
		return
	}
	q := Queued{LeaseRequest: req, AskedAt: now}
	for i := range l.Turns {
		if l.Turns[i].RunID == req.RunID {
			l.Turns[i].Requests = append(l.Turns[i].Requests, q)
			return
		}
	}
	l.Turns = append(l.Turns, Turn{RunID: req.RunID, Requests: []Queued{q}})
}

// Grant leases out what there is room for and returns what it granted, in order.
func (l *Ledger) Grant(now time.Time) []Lease {
	l.Uploads.forget(hourSpan, now)
	l.UploadBytes.forget(daySpan, now)
	l.Creates.forget(hourSpan, now)
	var granted []Lease
	for i := l.nextTurn(now); i >= 0; i = l.nextTurn(now) {
		granted = append(granted, l.grant(i, now))
	}
	return granted
}

// nextTurn is the first run in turn whose first request fits beside what those
// before it are owed; -1: none. What a request waits for is kept for it, and of
// the rest as much as it needs: with only the former kept, two resources could
// be taken from it by turns for ever.
func (l *Ledger) nextTurn(now time.Time) int {
	gauges := l.gauges(now)
	for i, turn := range l.Turns {
		if turn.Requests[0].fits(gauges) {
			return i
		}
		turn.Requests[0].keep(gauges)
	}
	return -1
}

// grant gives a run its first request and sends the run to the back.
func (l *Ledger) grant(i int, now time.Time) Lease {
	turn := l.Turns[i]
	lease := Lease{LeaseRequest: turn.Requests[0].LeaseRequest, GrantedAt: now}
	l.Leases = append(l.Leases, lease)
	l.Uploads.use(hourSpan, now, lease.need(ResourceUploads))
	l.UploadBytes.use(daySpan, now, lease.need(ResourceUploadBytes))
	l.Creates.use(hourSpan, now, lease.need(ResourceCreates))
	l.Turns = slices.Delete(l.Turns, i, i+1)
	if turn.Requests = slices.Delete(turn.Requests, 0, 1); len(turn.Requests) > 0 {
		l.Turns = append(l.Turns, turn)
	}
	return lease
}

// Release returns the lease of a holder, or withdraws its request, where it
// comes of the given ask or of one before. It tells whether there was either;
// repeating it is harmless. What the holder used up in the rolling windows stays
// used.
func (l *Ledger) Release(holder string, ask int) bool {
	if i := l.lease(holder); i >= 0 && l.Leases[i].Ask <= ask {
		l.Leases = slices.Delete(l.Leases, i, i+1)
		return true
	}
	i, j := l.queued(holder)
	if i < 0 || l.Turns[i].Requests[j].Ask > ask {
		return false
	}
	l.Turns[i].Requests = slices.Delete(l.Turns[i].Requests, j, j+1)
	if len(l.Turns[i].Requests) == 0 {
		l.Turns = slices.Delete(l.Turns, i, i+1)
	}
	return true
}

// Told notes that the bulk run knows of its lease.
func (l *Ledger) Told(holder string) {
	if i := l.lease(holder); i >= 0 {
		l.Leases[i].Told, l.Leases[i].Retell = true, false
	}
}

// Gone is the answer to a lease that could not be announced: its bulk run is no
// more. What the run waits for is dropped, and the lease taken back with what it
// would have used. A lease announced before may be in use: reaping judges it.
func (l *Ledger) Gone(lease Lease) {
	l.drop(lease.RunID)
	i := l.lease(lease.Holder)
	switch {
	case i < 0 || !l.Leases[i].GrantedAt.Equal(lease.GrantedAt):
		return
	case l.Leases[i].Told:
		l.Leases[i].Retell = false
		return
	}
	l.Leases = slices.Delete(l.Leases, i, i+1)
	l.Uploads.undo(lease.GrantedAt, lease.need(ResourceUploads))
	l.UploadBytes.undo(lease.GrantedAt, lease.need(ResourceUploadBytes))
	l.Creates.undo(lease.GrantedAt, lease.need(ResourceCreates))
}

func (l *Ledger) drop(run string) {
	l.Turns = slices.DeleteFunc(l.Turns, func(t Turn) bool { return t.RunID == run })
}

// Untold are the leases whose bulk run has still to be told, in order.
func (l *Ledger) Untold() []Lease {
	var out []Lease
	for _, lease := range l.Leases {
		if !lease.Told || lease.Retell {
			out = append(out, lease)
		}
	}
	return out
}

// Idle tells whether nobody holds or waits for anything.
func (l *Ledger) Idle() bool { return len(l.Leases) == 0 && len(l.Turns) == 0 }

func (l *Ledger) lease(holder string) int {
	return slices.IndexFunc(l.Leases, func(lease Lease) bool { return lease.Holder == holder })
}

func (l *Ledger) queued(holder string) (turn, place int) {
	for i, t := range l.Turns {
		if j := slices.IndexFunc(t.Requests, func(q Queued) bool { return q.Holder == holder }); j >= 0 {
			return i, j
		}
	}
	return -1, -1
}

func (l *Ledger) enqueued() int64 {
	sum := int64(0)
	for _, lease := range l.Leases {
		sum += lease.Tokens
	}
	return sum
}
