package workflows_test

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"batchkeeper/activities"
	"batchkeeper/batch"
)

// office is a governor in the SDK's test environment, its bulk runs and the
// server that knows them.
type office struct {
	*world
	start  time.Time
	mu     sync.Mutex // grants told together arrive together
	heard  []grant
	told   []string        // the holders of the grants heard, by time and name
	at     []time.Duration // when each was
	gone   map[string]bool // bulk runs that cannot be reached
	status map[string]batch.RunStatus
	reaps  [][]string
	down   error
}

// grant is a signal that a bulk run received.
type grant struct {
	at  time.Duration
	arg any
}

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{world: newWorld(t), gone: map[string]bool{}, status: map[string]batch.RunStatus{}}
	o.env.SetStartWorkflowOptions(startOptions(batch.GovernorID("acct", "phaseo")))
	o.env.OnSignalExternalWorkflow(mock.Anything, mock.Anything, "", batch.SignalLeaseGranted, mock.Anything).Return(
		func(_, run, _, _ string, arg any) error {
			if o.gone[run] {
				return errors.New("unknown external workflow")
			}
			o.mu.Lock()
			defer o.mu.Unlock()
			o.heard = append(o.heard, grant{o.since(), arg})
			return nil
		})
	o.env.OnActivity("Holders", mock.Anything, mock.Anything).Return(
		func(_ context.Context, in activities.HoldersInput) (activities.HoldersOutput, error) {
			o.reaps = append(o.reaps, in.WorkflowIDs)
			out := activities.HoldersOutput{}
			for _, id := range in.WorkflowIDs {
				if status := o.status[id]; status != "" {
					out.Holders = append(out.Holders, activities.Holder{WorkflowID: id, Status: status})
				}
			}
			return out, o.down
		})
	return o
}

func (o *office) since() time.Duration { return o.env.Now().Sub(o.start).Round(time.Second) }

// ask asks for units of a run at a time.
func (o *office) ask(at time.Duration, run string, units ...int) {
	o.when(at, func() {
		for _, n := range units {
			o.env.SignalWorkflow(batch.SignalLease, batch.LeaseAsk{LeaseRequest: unit(run, n)})
		}
	})
}

func (o *office) release(at time.Duration, holders ...string) {
	o.when(at, func() {
		for _, holder := range holders {
			o.env.SignalWorkflow(batch.SignalRelease, batch.LeaseRelease{Holder: holder})
		}
	})
}

func (o *office) when(d time.Duration, do func()) { o.world.at(d, do) }

func unit(run string, n int) batch.LeaseRequest {
	return batch.LeaseRequest{RunID: run, Holder: run + strconv.Itoa(n)}
}

// serve runs the governor to its end.
func (o *office) serve(c batch.Capacity) {
	o.t.Helper()
	o.open(batch.GovernorInput{Account: "acct", Profile: "phaseo", Capacity: c})
	require.NoError(o.t, o.env.GetWorkflowError())
}

func (o *office) open(in batch.GovernorInput) {
	o.t.Helper()
	o.start = o.env.Now()
	o.env.ExecuteWorkflow(batch.WorkflowGovernor, in)
	require.True(o.t, o.env.IsWorkflowCompleted(), "the governor hangs")
	for _, g := range o.heard {
		granted, ok := g.arg.(batch.LeaseGranted)
		require.True(o.t, ok)
		require.Equal(o.t, batch.GovernorID("acct", "phaseo"), granted.Governor)
		o.told, o.at = append(o.told, granted.Holder), append(o.at, g.at)
	}
	for i := range o.told { // those told at the same time come in any order
		for j := i; j > 0 && o.at[j] == o.at[j-1] && o.told[j] < o.told[j-1]; j-- {
			o.told[j], o.told[j-1] = o.told[j-1], o.told[j]
		}
	}
}

func (o *office) governor() batch.GovernorState {
	o.t.Helper()
	v, err := o.env.QueryWorkflow(batch.QueryState)
	require.NoError(o.t, err)
	var s batch.GovernorState
	require.NoError(o.t, v.Get(&s))
	return s
}

func TestGovernorGrantsAtOnceAndInTurns(t *testing.T) {
	o := newOffice(t)
	o.ask(time.Second, "a", 1, 2, 3)
	o.ask(2*time.Second, "b", 1)
	o.when(time.Minute, func() {
		s := o.governor()
		require.Len(t, s.Leases, 2)
		require.Equal(t, "a3", s.Waiting[0].Holder)
		require.Equal(t, "live batches: 2 of 2", s.Waiting[0].Reason)
		require.Equal(t, "acct", s.Account)
	})
	o.release(2*time.Minute, "a1", "nobody")
	o.release(3*time.Minute, "a2")
	o.release(4*time.Minute, "a3", "b1")
	o.serve(batch.Capacity{MaxLive: 2})
	require.Equal(t, []string{"a1", "a2", "a3", "b1"}, o.told)
	require.Equal(t, []time.Duration{time.Second, time.Second, 2 * time.Minute, 3 * time.Minute}, o.at)
	require.Empty(t, o.reaps)
	require.Equal(t, 64*time.Minute, o.since(), "it ends when it was idle for an hour")
}

func TestGovernorIsFairBetweenRuns(t *testing.T) {
	o := newOffice(t)
	o.ask(time.Second, "a", 1, 2, 3)
	o.ask(time.Second, "b", 1, 2)
	for i, holder := range []string{"a1", "a2", "b1", "a3", "b2"} {
		o.release(time.Duration(i+1)*time.Minute, holder)
	}
	o.serve(batch.Capacity{MaxLive: 1})
	require.Equal(t, []string{"a1", "a2", "b1", "a3", "b2"}, o.told)
}

func TestAWindowFreesByTimer(t *testing.T) {
	o := newOffice(t)
	o.ask(time.Minute, "a", 1, 2)
	o.release(2*time.Minute, "a1")
	o.release(2*time.Hour, "a2")
	o.serve(batch.Capacity{CreatesPerHour: 1})
	require.Equal(t, []string{"a1", "a2"}, o.told)
	require.Equal(t, time.Hour, o.at[1]-o.at[0])
}

func TestARepeatedAskIsToldAgain(t *testing.T) {
	o := newOffice(t)
	o.ask(time.Second, "a", 1, 2)
	o.ask(time.Minute, "a", 1, 2)
	o.release(2*time.Minute, "a2", "a1")
	o.serve(batch.Capacity{MaxLive: 1})
	require.Equal(t, []string{"a1", "a1"}, o.told, "a2 is withdrawn while it waits")
}

func TestARefusalLowersTheCeiling(t *testing.T) {
	o := newOffice(t)
	o.when(time.Second, func() {
		for n := range 3 {
			r := unit("a", n)
			r.Tokens = 100
			o.env.SignalWorkflow(batch.SignalLease, batch.LeaseAsk{LeaseRequest: r})
		}
	})
	o.when(time.Minute, func() {
		o.env.SignalWorkflow(batch.SignalRefused, batch.Refusal{Holder: "a2", Reason: "token_limit_exceeded"})
		o.env.SignalWorkflow(batch.SignalRefused, batch.Refusal{Holder: "a1", Reason: "bad weather"})
		r := unit("b", 1)
		r.Tokens = 100
		o.env.SignalWorkflow(batch.SignalLease, batch.LeaseAsk{LeaseRequest: r})
	})
	o.when(2*time.Minute, func() {
		s := o.governor()
		require.Equal(t, "enqueued tokens: 200 of 200 (learned from a refusal), 100 needed, next at "+
			o.start.Add(time.Minute+5*time.Hour).UTC().Format(time.RFC3339), s.Waiting[0].Reason)
		require.Len(t, s.Leases, 2)
	})
	o.release(time.Hour, "a0")
	o.release(2*time.Hour, "a1", "b1")
	o.serve(batch.Capacity{})
	require.Equal(t, []string{"a0", "a1", "a2", "b1"}, o.told)
	require.Equal(t, time.Hour, o.at[3])
	require.Equal(t, 10*time.Hour+time.Minute, o.since(), "what it learned would be missed sooner")
}

func TestADeadHolderGivesItsLeaseBack(t *testing.T) {
	o := newOffice(t)
	o.ask(time.Minute, "a", 1, 2)
	o.status["a"], o.status["a1"] = batch.RunOpen, batch.RunOpen
	o.when(11*time.Minute, func() { o.status["a1"] = batch.RunClosed })
	o.release(time.Hour, "a2")
	o.serve(batch.Capacity{MaxLive: 1})
	require.Equal(t, []string{"a1", "a2"}, o.told)
	require.Equal(t, 20*time.Minute, o.at[1], "at the second reaping")
	require.Equal(t, []string{"a", "a1"}, o.reaps[0])
}

func TestAReapingThatFailsIsMadeAgain(t *testing.T) {
	o := newOffice(t)
	o.down = errors.New("no route")
	o.ask(time.Minute, "a", 1)
	o.ask(10*time.Minute+time.Second, "b", 1)
	o.when(15*time.Minute, func() {
		o.down = nil
		o.status["a1"], o.status["b1"] = batch.RunClosed, batch.RunClosed
	})
	o.serve(batch.Capacity{})
	require.Equal(t, []string{"a1", "b1"}, o.told)
	require.Equal(t, 10*time.Minute+time.Second, o.at[1], "nobody waits for a reaping")
	require.Len(t, o.reaps, 4, "three tries and a new reaping")
}

func TestABulkRunThatIsGone(t *testing.T) {
	o := newOffice(t)
	o.gone["a"] = true
	o.ask(time.Second, "a", 1, 2)
	o.ask(time.Second, "b", 1)
	o.release(time.Minute, "b1")
	o.serve(batch.Capacity{MaxLive: 1, CreatesPerHour: 1})
	require.Equal(t, []string{"b1"}, o.told)
	require.Equal(t, time.Second, o.at[0], "neither the slot nor the create is lost")
}

func TestGarbageIsIgnored(t *testing.T) {
	o := newOffice(t)
	o.when(time.Second, func() {
		o.env.SignalWorkflow(batch.SignalLease, "not an ask")
		o.env.SignalWorkflow(batch.SignalLease, batch.LeaseAsk{})
		o.env.SignalWorkflow(batch.SignalRelease, 7)
		o.env.SignalWorkflow(batch.SignalRefused, []string{})
	})
	o.ask(2*time.Second, "a", 1)
	o.release(time.Minute, "a1")
	o.serve(batch.Capacity{})
	require.Equal(t, []string{"a1"}, o.told)
}

func TestAnAskBringsTheLimitsOfToday(t *testing.T) {
	o := newOffice(t)
	o.ask(time.Second, "a", 1, 2)
	o.when(time.Minute, func() {
		o.env.SignalWorkflow(batch.SignalLease, batch.LeaseAsk{LeaseRequest: unit("b", 1), Capacity: &batch.Capacity{MaxLive: 3}})
	})
	o.release(2*time.Minute, "a1", "a2", "b1")
	o.serve(batch.Capacity{MaxLive: 1})
	require.Equal(t, []time.Duration{time.Second, time.Minute, time.Minute}, o.at)
}

func TestAnIdleGovernorKeepsTheDay(t *testing.T) {
	o := newOffice(t)
	o.when(time.Minute, func() {
		r := unit("a", 1)
		r.Uploads, r.UploadBytes = 1, 7
		o.env.SignalWorkflow(batch.SignalLease, batch.LeaseAsk{LeaseRequest: r})
	})
	o.release(2*time.Minute, "a1")
	o.serve(batch.Capacity{UploadBytesPerDay: 10})
	require.Equal(t, 24*time.Hour+time.Minute, o.since())
}

func TestAGovernorThatNobodyAsks(t *testing.T) {
	o := newOffice(t)
	o.serve(batch.Capacity{})
	require.Equal(t, time.Hour, o.since())
}

func TestACancelledGovernorEnds(t *testing.T) {
	o := newOffice(t)
	o.ask(time.Second, "a", 1)
	o.when(time.Minute, o.env.CancelWorkflow)
	o.open(batch.GovernorInput{})
	var canceled *temporal.CanceledError
	require.ErrorAs(t, o.env.GetWorkflowError(), &canceled)
}

func TestGovernorContinuesAsNewWithEverything(t *testing.T) {
	o := newOffice(t)
	o.ask(time.Minute, "a", 1, 2)
	o.ask(time.Minute, "b", 1)
	o.when(5*time.Minute, func() {
		o.env.SetContinueAsNewSuggested(true)
		o.env.SignalWorkflow(batch.SignalLease, batch.LeaseAsk{LeaseRequest: unit("c", 1)})
	})
	o.open(batch.GovernorInput{Account: "acct", Profile: "phaseo", Capacity: batch.Capacity{MaxLive: 1, CreatesPerHour: 5}})
	var next *workflow.ContinueAsNewError
	require.ErrorAs(t, o.env.GetWorkflowError(), &next)
	require.Equal(t, batch.WorkflowGovernor, next.WorkflowType.Name)
	var in batch.GovernorInput
	require.NoError(t, json.Unmarshal(next.Input.GetPayloads()[0].GetData(), &in))
	require.Equal(t, []string{"a1"}, o.told)
	require.Len(t, in.Ledger.Turns, 3, "the last signal is taken along")
	require.Len(t, in.Ledger.Leases, 1)
	require.Len(t, in.Ledger.Creates.Uses, 1)

	o = newOffice(t)
	o.release(time.Second, "a1")
	o.release(time.Minute, "a2")
	o.release(2*time.Minute, "b1")
	o.release(3*time.Minute, "c1")
	o.open(in)
	require.NoError(t, o.env.GetWorkflowError())
	require.Equal(t, []string{"a2", "b1", "c1"}, o.told)
}
