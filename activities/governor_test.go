package activities_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"batchkeeper/activities"
	"batchkeeper/batch"
	"batchkeeper/internal/gateway/gatewaytest"
)

// server is a Temporal server that knows two workflows.
type server struct {
	down    error
	job     batch.Job // of every workflow
	started []any
	waiting []batch.Waiting
}

func (s *server) Describe(_ context.Context, id string) (batch.RunStatus, error) {
	switch id {
	case "a":
		return batch.RunOpen, s.down
	case "b":
		return batch.RunClosed, s.down
	}
	return batch.RunMissing, s.down
}

func (s *server) Job(context.Context, string) (batch.Job, error) { return s.job, s.down }

func (s *server) Finished(_ context.Context, id string) (batch.Finished, error) {
	return batch.Finished{WorkflowID: id, Outcome: batch.OutcomeCompleted}, s.down
}

func (s *server) Track(_ context.Context, batchID, session string) (batch.Tracking, error) {
	return batch.Tracking{BatchID: batchID, Maker: batch.Sighting{WorkflowID: session, Status: batch.RunOpen}}, s.down
}

func (s *server) SignalWithStart(_ context.Context, id, name, queue, signal string, arg, input any) error {
	s.started = []any{id, name, queue, signal, arg, input}
	return s.down
}

func (s *server) Governor(context.Context, string) (batch.GovernorState, error) {
	return batch.GovernorState{Waiting: s.waiting}, s.down
}

func serve(t *testing.T, s *server) *world {
	t.Helper()
	w := newWorld(t, gatewaytest.Options{})
	w.acts = activities.New(activities.Options{Runs: s})
	w.fresh()
	return w
}

func TestHolders(t *testing.T) {
	s := &server{}
	w := serve(t, s)
	out := must(w, w.acts.Holders, activities.HoldersInput{WorkflowIDs: []string{"b", "c", "a"}})
	require.Equal(t, []activities.Holder{{"b", batch.RunClosed}, {"c", batch.RunMissing}, {"a", batch.RunOpen}}, out.Holders)

	s.down = errors.New("no route")
	_, err := do(w, w.acts.Holders, activities.HoldersInput{WorkflowIDs: []string{"a"}})
	k, again := kind(t, err)
	require.Equal(t, batch.KindTemporalUnavailable, k)
	require.True(t, again)
}

func TestAskGovernor(t *testing.T) {
	s := &server{}
	w := serve(t, s)
	in := activities.AskGovernorInput{
		Account: "acct", Profile: "phaseo", Capacity: batch.Capacity{MaxLive: 3}, Request: batch.LeaseRequest{RunID: "bulk", Holder: "bulk/1", Tokens: 7},
	}
	out := must(w, w.acts.AskGovernor, in)
	require.Equal(t, activities.AskGovernorOutput{Governor: batch.GovernorID("acct", "phaseo")}, out)
	require.Equal(t, out.Governor, s.started[0])
	require.Equal(t, batch.WorkflowGovernor, s.started[1])
	require.NotEmpty(t, s.started[2], "the governor lives where the asking side does")
	require.Equal(t, batch.SignalLease, s.started[3])
	require.Equal(t, batch.LeaseAsk{LeaseRequest: in.Request, Capacity: &in.Capacity}, s.started[4])
	require.Equal(t, batch.GovernorInput{Account: "acct", Profile: "phaseo", Capacity: in.Capacity}, s.started[5])

	s.waiting = []batch.Waiting{{Holder: "bulk/2", Reason: "no"}, {Holder: "bulk/1", Reason: "live batches: 3 of 3"}}
	require.Equal(t, "live batches: 3 of 3", must(w, w.acts.AskGovernor, in).Waiting)

	s.down = errors.New("no route")
	_, err := do(w, w.acts.AskGovernor, in)
	k, again := kind(t, err)
	require.Equal(t, batch.KindTemporalUnavailable, k)
	require.True(t, again)

	in.Request.Holder = ""
	_, err = do(w, w.acts.AskGovernor, in)
	k, again = kind(t, err)
	require.Equal(t, batch.KindInputInvalid, k)
	require.False(t, again)
}

func TestAWorkerWithoutTheServer(t *testing.T) {
	w := newWorld(t, gatewaytest.Options{})
	_, err := do(w, w.acts.Holders, activities.HoldersInput{})
	k, again := kind(t, err)
	require.Equal(t, batch.KindMisconfigured, k)
	require.True(t, again, "it may be mended while we wait")
	_, err = do(w, w.acts.AskGovernor, activities.AskGovernorInput{Request: batch.LeaseRequest{RunID: "a", Holder: "b"}})
	k, _ = kind(t, err)
	require.Equal(t, batch.KindMisconfigured, k)
}
