package activities_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper/activities"
	"batchkeeper/batch"
	"batchkeeper/internal/gateway/gatewaytest"
)

// makes creates a batch of a session at the emulator.
func (w *world) makes(fileID, session string) string {
	w.t.Helper()
	in := w.createInput(fileID)
	in.SessionID = session
	in.NotAfter = w.emulator.Now().Add(24 * time.Hour) // the emulator's clock may run ahead
	out := must(w, w.acts.Create, in)
	w.fresh()
	return out.BatchID
}

func (w *world) listed(in activities.ListAccountInput) batch.Account {
	w.t.Helper()
	w.fresh()
	return must(w, w.acts.ListAccount, in).Account
}

func TestListAccount(t *testing.T) {
	w := newWorld(t, gatewaytest.Options{BatchDuration: time.Hour, WithoutQuota: true})
	file := w.uploaded(3)
	live := w.makes(file, "live~1")
	done := w.makes(file, "done~1")
	w.makes(file, "a session of somebody else")
	require.NoError(t, w.emulator.Finish(done, "completed", -1))

	got := w.listed(activities.ListAccountInput{Since: time.Now().Add(-time.Hour)})
	require.True(t, got.Complete)
	require.Equal(t, 3, got.Listed)
	require.Equal(t, 1, got.Foreign)
	require.Len(t, got.Batches, 2, "what is foreign is not handed on")
	byID := map[string]batch.AccountBatch{}
	for _, b := range got.Batches {
		require.False(t, b.CreatedAt.IsZero())
		byID[b.BatchID] = b
	}
	require.False(t, byID[live].Status.IsTerminal())
	require.Equal(t, batch.CostUnknown, byID[live].Source)
	require.Equal(t, "live~1", byID[live].SessionID)
	require.Equal(t, batch.StatusCompleted, byID[done].Status)
	require.EqualValues(t, 3, byID[done].Rows)
	require.Equal(t, batch.CostBilled, byID[done].Source)
	require.Positive(t, byID[done].Nanos)

	got = w.listed(activities.ListAccountInput{Since: time.Now().Add(time.Hour)})
	require.Len(t, got.Batches, 1, "what has ended before is left out")
	require.Equal(t, live, got.Batches[0].BatchID)
}

func TestListAccountReadsNoMoreThanItNeeds(t *testing.T) {
	w := newWorld(t, gatewaytest.Options{BatchDuration: time.Hour, WithoutQuota: true})
	file := w.uploaded(1)
	live, foreign, done := w.makes(file, "live~1"), w.makes(file, "nobody"), w.makes(file, "done~1")
	require.NoError(t, w.emulator.Finish(done, "completed", -1))
	since := activities.ListAccountInput{Since: time.Now().Add(-time.Hour)}
	w.listed(since) // the gateway settles the bill
	before := len(w.emulator.Journal())
	w.listed(since)
	fetched := map[string]bool{}
	for _, e := range w.emulator.Journal()[before:] {
		if e.Kind == gatewaytest.KindRequest && e.Op == string(gatewaytest.OpRetrieve) {
			fetched[e.BatchID] = true
		}
	}
	require.Equal(t, map[string]bool{live: true}, fetched, "neither %s nor %s", foreign, done)
}

func TestListAccountOfAFullList(t *testing.T) {
	w := newWorld(t, gatewaytest.Options{BatchDuration: time.Hour, WithoutQuota: true})
	file := w.uploaded(1)
	first := w.makes(file, "first~1")
	for i := range batch.ProofItems + 60 {
		w.makes(file, fmt.Sprintf("later-%d~1", i))
	}
	require.NoError(t, w.emulator.Finish(first, "completed", -1)) // touched, so that it is listed again
	got := w.listed(activities.ListAccountInput{Since: time.Now().Add(-time.Hour)})
	require.False(t, got.Complete)
	require.Contains(t, got.Incomplete, "still being submitted")
	require.Greater(t, got.Listed, 100, "the pages by status show more than the unfiltered one")

	w.emulator.Advance(2 * time.Minute)
	got = w.listed(activities.ListAccountInput{Since: w.emulator.Now()})
	require.True(t, got.Complete, "the list reaches further back than was asked for: %s", got.Incomplete)
}

func TestListAccountFollowsOpenAIsCursor(t *testing.T) {
	w := newWorld(t, gatewaytest.Options{BatchDuration: time.Hour, WithoutQuota: true, OpenAI: true})
	w.put("in.jsonl", rows(1))
	file := must(w, w.acts.Upload, activities.UploadInput{Dialect: batch.DialectOpenAI, Input: "in.jsonl", Filename: "in.jsonl"}).FileID
	for i := range 120 {
		w.fresh()
		in := w.createInput(file)
		in.Dialect, in.SessionID = batch.DialectOpenAI, fmt.Sprintf("run-%d~1", i)
		must(w, w.acts.Create, in)
	}
	got := w.listed(activities.ListAccountInput{Profile: "openai", Since: time.Now().Add(-time.Hour)})
	require.True(t, got.Complete, got.Incomplete)
	require.Len(t, got.Batches, 120)
}

func TestListAccountOfWhatCannotBeFetched(t *testing.T) {
	w := newWorld(t, gatewaytest.Options{BatchDuration: time.Hour, WithoutQuota: true, Rules: []gatewaytest.Rule{
		{Op: gatewaytest.OpCreate, SessionID: "refused~1", Fault: gatewaytest.Fault{Kind: gatewaytest.FaultProviderRejects, Status: 400}},
		{Op: gatewaytest.OpCreate, SessionID: "lost~1", Fault: gatewaytest.Fault{Kind: gatewaytest.FaultOutcomeUnknown}},
		{Op: gatewaytest.OpRetrieve, SessionID: "down~1", Fault: gatewaytest.Fault{Kind: gatewaytest.FaultAnswer, Status: 503}},
	}})
	file := w.uploaded(1)
	w.makes(file, "refused~1")
	w.makes(file, "lost~1")
	w.makes(file, "down~1")
	got := w.listed(activities.ListAccountInput{Since: time.Now().Add(-time.Hour)})
	require.Equal(t, 1, got.Refused, "it never ran")
	require.Len(t, got.Batches, 2)
	for _, b := range got.Batches {
		require.Equal(t, b.SessionID == "lost~1", b.Lost)
		require.NotEmpty(t, b.Problem)
	}
}

func TestListAccountWhoseListFails(t *testing.T) {
	w := newWorld(t, gatewaytest.Options{Rules: []gatewaytest.Rule{
		{Op: gatewaytest.OpList, Fault: gatewaytest.Fault{Kind: gatewaytest.FaultAnswer, Status: 503}},
	}})
	_, err := do(w, w.acts.ListAccount, activities.ListAccountInput{})
	k, again := kind(t, err)
	require.Equal(t, batch.KindGatewayUnavailable, k)
	require.True(t, again)

	w.fresh()
	_, err = do(w, w.acts.ListAccount, activities.ListAccountInput{Profile: "nobody"})
	k, again = kind(t, err)
	require.Equal(t, batch.KindInputInvalid, k)
	require.False(t, again)
}

func TestTrack(t *testing.T) {
	s := &server{}
	w := serve(t, s)
	in := activities.TrackInput{}
	for i := range 20 {
		in.Batches = append(in.Batches, activities.SweptBatch{BatchID: fmt.Sprint("b", i), SessionID: fmt.Sprint("s", i)})
	}
	out := must(w, w.acts.Track, in)
	require.Len(t, out.Seen, 20)
	for i, seen := range out.Seen {
		require.Equal(t, in.Batches[i].BatchID, seen.BatchID)
		require.Equal(t, in.Batches[i].SessionID, seen.Maker.WorkflowID)
	}
	s.down = errors.New("no route")
	w.fresh()
	_, err := do(w, w.acts.Track, in)
	k, again := kind(t, err)
	require.Equal(t, batch.KindTemporalUnavailable, k)
	require.True(t, again)
}
