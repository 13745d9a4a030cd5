package batch_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"batchkeeper/batch"
)

// market is a ledger under random use, and an account of its own of what was
// granted, kept without a look into the ledger.
type market struct {
	t     *rapid.T
	b     *bench
	asked map[string][]string // by run: the holders still waiting, in order
	live  []batch.Lease
	past  []batch.Lease // all that was granted
	n     int
}

var marketRuns = []string{"a", "b", "c", "d"}

func newMarket(t *rapid.T) *market {
	limit := func(name string, most int) int { return rapid.IntRange(0, most).Draw(t, name) }
	b := newBench(batch.Capacity{
		UploadsPerHour: limit("uploads", 5), UploadBytesPerDay: int64(limit("bytes", 50)), CreatesPerHour: limit("creates", 8),
		MaxLive: limit("live", 5), MaxEnqueuedTokens: int64(limit("tokens", 50)),
	})
	return &market{t: t, b: b, asked: map[string][]string{}}
}

func (m *market) ask(*rapid.T) {
	run := rapid.SampledFrom(marketRuns).Draw(m.t, "run")
	m.n++
	r := ask(run, m.n)
	if rapid.Bool().Draw(m.t, "by file") {
		r.Uploads, r.UploadBytes = 1, rapid.Int64Range(0, 60).Draw(m.t, "bytes")
	}
	r.Tokens = rapid.Int64Range(0, 60).Draw(m.t, "tokens")
	m.b.ask(r)
	m.asked[run] = append(m.asked[run], r.Holder)
	m.grant()
}

func (m *market) tick(*rapid.T) {
	m.b.after(time.Duration(rapid.IntRange(1, 7200).Draw(m.t, "seconds")) * time.Second)
	m.grant()
}

// wake lets time pass to what NextFree promises.
func (m *market) wake(*rapid.T) {
	if at := m.b.NextFree(m.b.now); !at.IsZero() {
		require.True(m.t, at.After(m.b.now))
		m.b.now = at
		m.grant()
	}
}

// end takes a live lease away by one of the ways there are.
func (m *market) end(*rapid.T) {
	if len(m.live) == 0 {
		return
	}
	i := rapid.IntRange(0, len(m.live)-1).Draw(m.t, "lease")
	lease := m.live[i]
	switch rapid.IntRange(0, 2).Draw(m.t, "how") {
	case 0:
		require.True(m.t, m.b.Release(lease.Holder, 0))
	case 1:
		require.True(m.t, m.b.Refused(batch.Refusal{Holder: lease.Holder, Reason: "token_limit_exceeded"}, m.b.now))
	case 2:
		require.Len(m.t, m.b.Reap(map[string]batch.RunStatus{lease.Holder: batch.RunClosed}, m.b.now), 1)
	}
	m.live = append(m.live[:i:i], m.live[i+1:]...)
	m.grant()
}

// grant checks each grant against the account.
func (m *market) grant() {
	limits := m.b.Meters(m.b.now)
	for _, lease := range m.b.Grant(m.b.now) {
		require.Equal(m.t, m.asked[lease.RunID][0], lease.Holder, "order within a run")
		m.asked[lease.RunID] = m.asked[lease.RunID][1:]
		m.live, m.past = append(m.live, lease), append(m.past, lease)
		m.checkLimits(limits, lease)
	}
	for _, run := range marketRuns {
		waits := m.b.Waiting(run, m.b.now)
		require.Len(m.t, waits, len(m.asked[run]))
		for _, w := range waits {
			require.NotEqual(m.t, "next in turn", w.Reason, "what fits is granted")
		}
	}
	require.Len(m.t, m.b.Leases, len(m.live))
}

func (m *market) checkLimits(limits []batch.Meter, lease batch.Lease) {
	sum := func(span time.Duration, of func(batch.Lease) int64) (total int64) {
		for _, l := range m.past {
			if l.GrantedAt.Add(span).After(m.b.now) {
				total += of(l)
			}
		}
		return total
	}
	held := int64(0)
	for _, l := range m.live {
		held += l.Tokens
	}
	within := func(i int, mine, total int64) {
		limit := limits[i].Limit
		require.True(m.t, mine == 0 || limit == 0 || total <= limit || total == mine, "%s: %d of %d", limits[i].Resource, total, limit)
	}
	uploads := func(l batch.Lease) int64 { return int64(l.Uploads) }
	bytes := func(l batch.Lease) int64 { return l.UploadBytes }
	within(0, uploads(lease), sum(time.Hour, uploads))
	within(1, bytes(lease), sum(24*time.Hour, bytes))
	within(2, 1, sum(time.Hour, func(batch.Lease) int64 { return 1 }))
	within(3, 1, int64(len(m.live)))
	within(4, lease.Tokens, held)
}

// finish ends everything, after which everyone must have been served: waiting
// only for returned leases and for time never lasts.
func (m *market) finish() {
	for steps := 0; !m.b.Idle(); steps++ {
		require.Less(m.t, steps, 10*m.n+10, "someone starves: %v", m.b.reasons())
		if len(m.live) > 0 {
			require.True(m.t, m.b.Release(m.live[0].Holder, 0))
			m.live = m.live[1:]
			m.grant()
			continue
		}
		at := m.b.NextFree(m.b.now)
		require.False(m.t, at.IsZero(), "nothing is held, and no time is named: %v", m.b.reasons())
		m.b.now = at
		m.grant()
	}
}

func TestNoLimitIsExceededAndNobodyStarves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMarket(t)
		t.Repeat(map[string]func(*rapid.T){"ask": m.ask, "tick": m.tick, "wake": m.wake, "end": m.end})
		m.finish()
	})
}

// TestTurnsAreFair: while k runs wait for the same things, each gets one of any
// k grants in a row.
func TestTurnsAreFair(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newBench(batch.Capacity{MaxLive: rapid.IntRange(1, 4).Draw(t, "live")})
		k := rapid.IntRange(2, 4).Draw(t, "runs")
		for i := range rapid.IntRange(1, 60).Draw(t, "eager") { // one asks for all it has before the others come
			b.ask(ask("a", i))
		}
		var order []string
		served := func() {
			for _, lease := range b.Grant(b.now) {
				order = append(order, lease.RunID)
			}
		}
		served()
		for i := range 20 {
			for _, run := range marketRuns[1:k] {
				b.ask(ask(run, i))
			}
		}
		order = nil
		for !b.Idle() {
			waiting := len(b.Turns)
			before := len(order)
			b.Release(b.Leases[rapid.IntRange(0, len(b.Leases)-1).Draw(t, "ends")].Holder, 0)
			served()
			if n := len(order); n > before && waiting == k && n >= k {
				seen := map[string]bool{}
				for _, run := range order[n-k:] {
					seen[run] = true
				}
				require.Len(t, seen, k, "the last %d grants: %v", k, order[n-k:])
			}
		}
	})
}

// TestNobodyIsOvertakenForEver: a request that needs two scarce things gets them
// although others keep asking for one of each.
func TestNobodyIsOvertakenForEver(t *testing.T) {
	b := newBench(batch.Capacity{UploadsPerHour: 1, MaxEnqueuedTokens: 10})
	b.ask(upload(tokens(ask("b", 1), 5), 1)).granted()
	b.ask(upload(tokens(ask("a", 1), 8), 1))
	for i := range 200 {
		b.ask(tokens(ask("c", i), 2), upload(ask("d", i), 1))
		for _, holder := range b.after(time.Minute).granted() {
			if holder == "a1" {
				require.Less(t, i, 61)
				return
			}
		}
		b.Release("b1", 0)
	}
	require.Fail(t, "it never was its turn", "%v", b.reasons()[0])
}
