package batch_test

import (
	"encoding/json"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper/batch"
)

// ask is a request of a run; its holder is named after both.
func ask(run string, n int) batch.LeaseRequest {
	return batch.LeaseRequest{RunID: run, Holder: run + strconv.Itoa(n)}
}

func (b *bench) ask(reqs ...batch.LeaseRequest) *bench {
	for _, r := range reqs {
		b.Ask(r, b.now)
	}
	return b
}

// bench is a ledger and its clock.
type bench struct {
	batch.Ledger
	now time.Time
}

func newBench(c batch.Capacity) *bench { return &bench{Ledger: batch.Ledger{Capacity: c}, now: t0} }

func (b *bench) after(d time.Duration) *bench { b.now = b.now.Add(d); return b }

func (b *bench) granted() []string {
	names := []string{}
	for _, lease := range b.Grant(b.now) {
		names = append(names, lease.Holder)
	}
	return names
}

func (b *bench) reasons() []string {
	var out []string
	for _, w := range b.Waiting("", b.now) {
		out = append(out, w.Holder+": "+w.Reason)
	}
	return out
}

func upload(r batch.LeaseRequest, bytes int64) batch.LeaseRequest {
	r.Uploads, r.UploadBytes = 1, bytes
	return r
}

func tokens(r batch.LeaseRequest, n int64) batch.LeaseRequest { r.Tokens = n; return r }

func TestGrantsWithoutLimitsInTurns(t *testing.T) {
	b := newBench(batch.Capacity{}).ask(ask("a", 1), ask("a", 2), ask("a", 3), ask("b", 1), ask("c", 1), ask("c", 2))
	require.Equal(t, []string{"a1", "b1", "c1", "a2", "c2", "a3"}, b.granted())
	require.False(t, b.Idle())
	require.True(t, b.NextFree(b.now).IsZero())
}

func TestGrantTables(t *testing.T) {
	type reqs = []batch.LeaseRequest
	for name, tc := range map[string]struct {
		capacity batch.Capacity
		asks     reqs
		want     []string
		free     time.Duration // NextFree after the grants; 0: none
	}{
		"live":    {batch.Capacity{MaxLive: 2}, reqs{ask("a", 1), ask("a", 2), ask("b", 1)}, []string{"a1", "b1"}, 0},
		"creates": {batch.Capacity{CreatesPerHour: 1}, reqs{ask("a", 1), ask("b", 1)}, []string{"a1"}, time.Hour},
		"uploads": {batch.Capacity{UploadsPerHour: 1}, reqs{upload(ask("a", 1), 5), upload(ask("a", 2), 5)}, []string{"a1"}, time.Hour},
		"bytes":   {batch.Capacity{UploadBytesPerDay: 9}, reqs{upload(ask("a", 1), 5), upload(ask("a", 2), 5)}, []string{"a1"}, 24 * time.Hour},
		"tokens": {batch.Capacity{MaxEnqueuedTokens: 9},
			reqs{tokens(ask("a", 1), 4), tokens(ask("a", 2), 5), tokens(ask("a", 3), 1)}, []string{"a1", "a2"}, 0},
		"too big alone": {batch.Capacity{MaxEnqueuedTokens: 9}, reqs{tokens(ask("a", 1), 40), tokens(ask("b", 1), 1)}, []string{"a1"}, 0},
		"too big waits": {batch.Capacity{MaxEnqueuedTokens: 9},
			reqs{tokens(ask("b", 1), 1), tokens(ask("a", 1), 40), tokens(ask("b", 2), 1)}, []string{"b1"}, 0},
		"unknown tokens":     {batch.Capacity{MaxEnqueuedTokens: 9}, reqs{tokens(ask("a", 1), 9), ask("b", 1)}, []string{"a1", "b1"}, 0},
		"bytes too big":      {batch.Capacity{UploadBytesPerDay: 9}, reqs{upload(ask("a", 1), 50), upload(ask("a", 2), 1)}, []string{"a1"}, 24 * time.Hour},
		"order within a run": {batch.Capacity{MaxEnqueuedTokens: 9}, reqs{tokens(ask("a", 1), 8), tokens(ask("a", 2), 8), ask("a", 3)}, []string{"a1"}, 0},
		"inline passes an upload": {batch.Capacity{UploadsPerHour: 1},
			reqs{upload(ask("a", 1), 1), upload(ask("a", 2), 1), ask("b", 1), ask("b", 2)}, []string{"a1", "b1", "b2"}, time.Hour},
		"but never takes its slot": {batch.Capacity{UploadsPerHour: 1, MaxLive: 3},
			reqs{upload(ask("a", 1), 1), upload(ask("a", 2), 1), ask("b", 1), ask("b", 2)}, []string{"a1", "b1"}, time.Hour},
		"nor what it waits for": {batch.Capacity{MaxEnqueuedTokens: 9},
			reqs{tokens(ask("a", 1), 5), tokens(ask("a", 2), 5), tokens(ask("b", 1), 1), tokens(ask("b", 2), 1)}, []string{"a1", "b1"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(tc.capacity).ask(tc.asks...)
			require.Equal(t, tc.want, b.granted())
			require.Empty(t, b.granted(), "what does not fit now does not fit a moment later")
			want := time.Time{}
			if tc.free > 0 {
				want = b.now.Add(tc.free)
			}
			require.Equal(t, want, b.NextFree(b.now))
			if tc.free > 0 {
				b.after(tc.free)
				require.NotEmpty(t, b.granted(), "what NextFree promised")
			}
		})
	}
}

func TestWindowFreesByParts(t *testing.T) {
	b := newBench(batch.Capacity{CreatesPerHour: 2}).ask(ask("a", 1))
	require.Equal(t, []string{"a1"}, b.granted())
	b.after(20*time.Minute).ask(ask("a", 2), ask("a", 3), ask("a", 4))
	require.Equal(t, []string{"a2"}, b.granted())
	require.Equal(t, t0.Add(time.Hour), b.NextFree(b.now))
	b.after(40*time.Minute - time.Second)
	require.Empty(t, b.granted())
	b.after(time.Second)
	require.Equal(t, []string{"a3"}, b.granted())
	require.Equal(t, t0.Add(80*time.Minute), b.NextFree(b.now))
}

func TestWindowsAreBounded(t *testing.T) {
	b := newBench(batch.Capacity{})
	for i := range 20_000 {
		b.ask(upload(ask("a", i), 1)).after(5 * time.Second)
		require.Len(t, b.granted(), 1)
		b.Release("a"+strconv.Itoa(i), 0)
	}
	require.LessOrEqual(t, len(b.UploadBytes.Uses), 361)
	require.LessOrEqual(t, len(b.Creates.Uses), 361)
	require.True(t, b.Idle())
}

func TestReturns(t *testing.T) {
	b := newBench(batch.Capacity{MaxLive: 1}).ask(ask("a", 1), ask("a", 2), ask("b", 1))
	require.Equal(t, []string{"a1"}, b.granted())
	require.False(t, b.Release("nobody", 0))
	require.True(t, b.Release("b1", 0), "a request is withdrawn")
	require.True(t, b.Release("a1", 0))
	require.False(t, b.Release("a1", 0), "a repeat is harmless")
	require.Equal(t, []string{"a2"}, b.granted())
	require.True(t, b.Release("a2", 0))
	require.True(t, b.Idle())
}

// A holder that gave its lease back unused, and wants one again, may be heard to
// ask before it is heard to return.
func TestALaterAskEndsTheOneBefore(t *testing.T) {
	numbered := func(n int) batch.LeaseRequest {
		req := ask("a", 1)
		req.Ask = n
		return req
	}
	b := newBench(batch.Capacity{MaxLive: 1}).ask(numbered(1))
	require.Equal(t, []string{"a1"}, b.granted())
	b.Told("a1")
	b.ask(numbered(2))
	require.False(t, b.Release("a1", 1), "the return of the first ask, heard late")
	require.Equal(t, []string{"a1"}, b.granted())
	require.Equal(t, 2, b.Untold()[0].Ask)
	b.Told("a1")
	b.ask(numbered(1))
	require.Empty(t, b.Untold(), "nor does an ask that was heard late change anything")
	require.True(t, b.Release("a1", 2))
	require.True(t, b.Idle())

	b.ask(ask("b", 1), numbered(3))
	require.Equal(t, []string{"b1"}, b.granted())
	require.False(t, b.Release("a1", 2), "it waits for its third")
	require.True(t, b.Release("a1", 3))
}

func TestAsksAreIdempotent(t *testing.T) {
	b := newBench(batch.Capacity{MaxLive: 1}).ask(ask("a", 1), ask("a", 1), ask("a", 2), ask("a", 2))
	require.Equal(t, []string{"a1"}, b.granted())
	require.Len(t, b.Untold(), 1)
	b.Told("a1")
	require.Empty(t, b.Untold())
	b.ask(ask("a", 1), ask("a", 2))
	require.Len(t, b.Waiting("a", b.now), 1)
	require.Len(t, b.Untold(), 1, "the answer may have been lost: it is told again")
	b.Gone(b.Untold()[0])
	require.Len(t, b.Leases, 1, "a lease once told may be in use")
	require.Empty(t, b.Untold())
	require.Empty(t, b.Turns, "but its run waits for nothing any more")
}

func TestAGrantThatNobodyHears(t *testing.T) {
	b := newBench(batch.Capacity{CreatesPerHour: 1, UploadsPerHour: 1, UploadBytesPerDay: 5}).
		ask(upload(ask("a", 1), 5), upload(ask("a", 2), 5), upload(ask("b", 1), 5))
	require.Equal(t, []string{"a1"}, b.granted())
	b.Gone(b.Leases[0])
	require.Equal(t, []string{"b1"}, b.granted(), "nothing of it was used, and the run's other requests are dropped")
	b.Gone(batch.Lease{LeaseRequest: ask("b", 1), GrantedAt: t0.Add(-time.Hour)})
	require.Len(t, b.Leases, 1, "another lease of an earlier time")
}

func TestReasons(t *testing.T) {
	b := newBench(batch.Capacity{UploadsPerHour: 1, UploadBytesPerDay: 9, MaxLive: 2}).
		ask(upload(ask("a", 1), 5), upload(ask("a", 2), 5), upload(ask("a", 3), 1))
	require.Equal(t, []string{"a1"}, b.granted())
	b.ask(ask("b", 1), ask("b", 2))
	require.Empty(t, b.granted(), "the free slot is owed to a")
	require.Equal(t, []string{
		"a2: uploads: 1 of 1 used in the last hour, next at 2026-03-01T13:00:00Z; " +
			"upload bytes: 5 of 9 used in the last day, 5 needed, next at 2026-03-02T12:00:00Z",
		"a3: after a2 of the same run",
		"b1: live batches: kept for runs whose turn is before",
		"b2: after b1 of the same run",
	}, b.reasons())
	require.Len(t, b.Waiting("b", b.now), 2)
	b.Release("a2", 0)
	b.Release("a3", 0)
	require.Equal(t, []string{"b1: next in turn", "b2: after b1 of the same run"}, b.reasons())
	require.Equal(t, []string{"b1"}, b.granted())
	require.Equal(t, []string{"b2: live batches: 2 of 2"}, b.reasons())
}

func TestLedgerTravels(t *testing.T) {
	b := newBench(batch.Capacity{CreatesPerHour: 2}).ask(ask("a", 1), ask("a", 2), ask("b", 1))
	b.granted()
	b.Refused(batch.Refusal{Holder: "a1", Reason: "token_limit_exceeded"}, b.now)
	raw, err := json.Marshal(b.Ledger)
	require.NoError(t, err)
	var back batch.Ledger
	require.NoError(t, json.Unmarshal(raw, &back))
	require.Equal(t, b.Ledger, back)
}

func TestLastsUntil(t *testing.T) {
	for name, tc := range map[string]struct {
		do   func(*bench)
		want time.Duration
	}{
		"nothing":   {func(*bench) {}, 0},
		"an upload": {func(b *bench) { b.ask(upload(ask("a", 1), 1)).granted() }, 24 * time.Hour},
		"a refusal": {func(b *bench) {
			b.Capacity = batch.Capacity{}
			b.ask(tokens(ask("a", 1), 1)).granted()
			b.Refused(batch.Refusal{Holder: "a1", Reason: "token_limit_exceeded"}, b.now)
		}, 10 * time.Hour},
		"without limits": {func(b *bench) { b.Capacity = batch.Capacity{}; b.ask(upload(ask("a", 1), 1)).granted() }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(batch.Capacity{UploadBytesPerDay: 9})
			tc.do(b)
			want := time.Time{}
			if tc.want > 0 {
				want = t0.Add(tc.want)
			}
			require.Equal(t, want, b.LastsUntil())
		})
	}
}

func TestLeaseRequestIsChecked(t *testing.T) {
	require.NoError(t, ask("a", 1).Validate())
	for _, r := range []batch.LeaseRequest{{}, {RunID: "a"}, {Holder: "a"}, {RunID: "a", Holder: "b", Tokens: -1}} {
		require.Error(t, r.Validate())
	}
}

func TestGovernorID(t *testing.T) {
	require.Equal(t, "governor~https:%2F%2Fapi~1/phaseo", batch.GovernorID("https://api~1", "phaseo"))
	require.NotEqual(t, batch.GovernorID("a/b", "c"), batch.GovernorID("a", "b/c"))
	p := batch.PhaseoProfile()
	p.MaxLiveBatches, p.MaxEnqueuedTokens, p.CreatesPerHour = 3, 4, 5
	require.Equal(t, batch.Capacity{UploadsPerHour: 20, UploadBytesPerDay: 100 << 20, CreatesPerHour: 5, MaxLive: 3, MaxEnqueuedTokens: 4}, p.Capacity())
	_, err := batch.ParseProfiles([]byte(`{"mine":{"dialect":"openai","max_live_batches":-1}}`))
	require.ErrorContains(t, err, "negative")
}
