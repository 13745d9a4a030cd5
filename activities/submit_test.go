package activities_test

import (
	"cmp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper/activities"
	"batchkeeper/batch"
	"batchkeeper/internal/gateway/gatewaytest"
)

func inspect(w *world, job batch.Job) (activities.InspectOutput, error) {
	return do(w, w.acts.Inspect, activities.InspectInput{Job: job.WithDefaults(), Prefix: cmp.Or(job.ResultsPrefix, "res")})
}

func TestInspect(t *testing.T) {
	w := newWorld(t, gatewaytest.Options{})
	w.put("in.jsonl", rows(3))
	w.put("bad.jsonl", rows(1)+"{}\nnot json\n"+rows(1))
	w.put("empty.jsonl", "\n")
	for name, tc := range map[string]struct {
		job      batch.Job
		rejected string
		problems int
	}{
		"good":             {batch.Job{Input: "in.jsonl"}, "", 0},
		"inline":           {batch.Job{Input: "in.jsonl", CreateMode: batch.CreateInline}, "", 0},
		"a file known":     {batch.Job{InputFileID: "file-1"}, "", 0},
		"bad rows":         {batch.Job{Input: "bad.jsonl"}, "3 of 4 rows are bad", 3},
		"no rows":          {batch.Job{Input: "empty.jsonl"}, "no rows", 1},
		"too many rows":    {batch.Job{Input: "in.jsonl", Profile: "tiny"}, "a batch may have 2", 1},
		"prefix too long":  {batch.Job{Input: "in.jsonl", ResultsPrefix: strings.Repeat("x", 300)}, "results_prefix", 0},
		"unknown profile":  {batch.Job{Input: "in.jsonl", Profile: "nobody"}, `profile: "nobody"`, 0},
		"window":           {batch.Job{Input: "in.jsonl", CompletionWindow: "48h"}, "completion_window", 0},
		"no inline":        {batch.Job{Input: "in.jsonl", Profile: "tiny", CreateMode: batch.CreateInline}, "offers no inline", 0},
		"other endpoint":   {batch.Job{Input: "in.jsonl", Endpoint: "/v1/chat/completions"}, "3 of 3 rows are bad", 3},
		"an adopted batch": {batch.Job{Input: "in.jsonl", BatchID: "batch_1", Profile: "tiny"}, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := inspect(w, tc.job)
			require.NoError(t, err)
			if tc.rejected == "" {
				require.Empty(t, out.Rejected, "%v", out.Problems)
			}
			require.Contains(t, out.Rejected, tc.rejected)
			require.Len(t, out.Problems, tc.problems)
		})
	}
	out, err := inspect(w, batch.Job{Input: "in.jsonl"})
	require.NoError(t, err)
	require.Equal(t, int64(3), out.Facts.Rows)
	require.Equal(t, "/v1/responses", out.Endpoint)
	require.Equal(t, "gpt-5-mini-2025-08-07", out.Model)
	require.Len(t, out.Facts.SHA256, 64)

	_, err = inspect(w, batch.Job{Input: "absent.jsonl"})
	k, again := kind(t, err)
	require.Equal(t, batch.KindInputUnavailable, k)
	require.False(t, again)
	require.Empty(t, w.emulator.Journal(), "inspection is offline")
}

func TestInspectReadsItsRangeOnly(t *testing.T) {
	w := newWorld(t, gatewaytest.Options{})
	whole := rows(3)
	w.put("in.jsonl", whole)
	line := int64(strings.Index(whole, "\n") + 1)
	out, err := inspect(w, batch.Job{Input: "in.jsonl", InputRange: &batch.Range{Offset: line, Length: line}})
	require.NoError(t, err)
	require.Equal(t, int64(1), out.Facts.Rows)
}

func TestUploadStreamsTheRows(t *testing.T) {
	w := newWorld(t, gatewaytest.Options{})
	id := w.uploaded(5)
	content, err := w.client.Content(t.Context(), id)
	require.NoError(t, err)
	defer content.Body.Close()
	require.Equal(t, int64(len(rows(5))), content.Length)
}

func TestUploadOfAPart(t *testing.T) {
	w := newWorld(t, gatewaytest.Options{})
	whole := rows(3)
	w.put("in.jsonl", whole)
	line := int64(strings.Index(whole, "\n") + 1)
	for _, part := range []batch.Range{{Offset: 0, Length: line}, {Offset: line, Length: line}, {Offset: 2 * line, Length: 9 * line}} {
		out := must(w, w.acts.Upload, activities.UploadInput{Dialect: batch.DialectPhaseo, Input: "in.jsonl", Range: &part, Filename: "in.jsonl"})
		require.Equal(t, line, out.Bytes, "it announces the part's length, not the file's")
	}
}

func TestUploadIsNotRepeatedOnceItsIDIsKnown(t *testing.T) {
	w := newWorld(t, gatewaytest.Options{})
	w.put("in.jsonl", rows(1))
	w.env.SetHeartbeatDetails(activities.UploadOutput{FileID: "file-known", Bytes: 7})
	out := must(w, w.acts.Upload, activities.UploadInput{Dialect: batch.DialectPhaseo, Input: "in.jsonl", Filename: "in.jsonl"})
	require.Equal(t, "file-known", out.FileID)
	require.Empty(t, w.emulator.Journal())
}

func TestUploadTrouble(t *testing.T) {
	w := newWorld(t, gatewaytest.Options{})
	w.put("in.jsonl", rows(1))
	in := activities.UploadInput{Dialect: batch.DialectPhaseo, Input: "in.jsonl", Filename: "in.jsonl"}
	for name, tc := range map[string]struct {
		fault gatewaytest.Fault
		kind  batch.FailureKind
		again bool
	}{
		"quota":     {gatewaytest.Fault{Kind: gatewaytest.FaultNamed, Value: "upload_quota"}, batch.KindGatewayUnavailable, true},
		"too large": {gatewaytest.Fault{Kind: gatewaytest.FaultNamed, Value: "too_large"}, batch.KindGatewayRefused, false},
		"no funds":  {gatewaytest.Fault{Kind: gatewaytest.FaultNamed, Value: "insufficient_funds"}, batch.KindGatewayRefused, false},
		"gate":      {gatewaytest.Fault{Kind: gatewaytest.FaultNamed, Value: "gate_off"}, batch.KindGatewayUnavailable, true},
		"dropped":   {gatewaytest.Fault{Kind: gatewaytest.FaultDrop}, batch.KindGatewayUnavailable, true},
	} {
		t.Run(name, func(t *testing.T) {
			script(t, w, gatewaytest.OpUpload, tc.fault)
			_, err := do(w, w.acts.Upload, in)
			k, again := kind(t, err)
			require.Equal(t, tc.kind, k)
			require.Equal(t, tc.again, again)
			must(w, w.acts.Upload, in)
			w.fresh()
		})
	}
	in.Metered = true
	script(t, w, gatewaytest.OpUpload, gatewaytest.Fault{Kind: gatewaytest.FaultNamed, Value: "upload_quota"})
	_, err := do(w, w.acts.Upload, in)
	k, again := kind(t, err)
	require.Equal(t, batch.KindGatewayRefused, k, "who hands the quota out is told at once")
	require.False(t, again)
	code, refused := batch.RefusalIn(err.Error())
	require.True(t, refused)
	require.Equal(t, "batch_file_hourly_quota_exceeded", code)

	in.Input = "absent.jsonl"
	_, err = do(w, w.acts.Upload, in)
	k, _ = kind(t, err)
	require.Equal(t, batch.KindInputUnavailable, k)
	in.Dialect = "soap"
	_, err = do(w, w.acts.Upload, in)
	k, again = kind(t, err)
	require.Equal(t, batch.KindMisconfigured, k)
	require.True(t, again, "the worker may be mended while the run waits")
}

// script puts a fault on the next call of an operation.
func script(t *testing.T, w *world, op gatewaytest.Op, f gatewaytest.Fault) {
	t.Helper()
	w.emulator.Script(gatewaytest.Rule{Op: op, From: 1, To: 1, Fault: f})
}

func TestCreateVerdicts(t *testing.T) {
	w := newWorld(t, gatewaytest.Options{WithoutQuota: true})
	file := w.uploaded(2)
	named := func(name string) gatewaytest.Fault {
		return gatewaytest.Fault{Kind: gatewaytest.FaultNamed, Value: name}
	}
	for name, tc := range map[string]struct {
		fault    gatewaytest.Fault
		want     batch.Verdict
		accepted int  // batches that exist afterwards
		hint     bool // the answer names a batch
	}{
		"lost answer":         {gatewaytest.Fault{Kind: gatewaytest.FaultEffectDrop}, batch.VerdictUnknown, 1, false},
		"dropped before":      {gatewaytest.Fault{Kind: gatewaytest.FaultDrop}, batch.VerdictUnknown, 0, false},
		"outcome unknown":     {gatewaytest.Fault{Kind: gatewaytest.FaultOutcomeUnknown, Effect: true}, batch.VerdictUnknown, 1, true},
		"persistence failed":  {gatewaytest.Fault{Kind: gatewaytest.FaultPersistenceFailed}, batch.VerdictCreated, 1, true},
		"rate limited":        {named("rate_limited"), batch.VerdictLater, 0, false},
		"submission not kept": {named("submission_persistence_failed"), batch.VerdictLater, 0, false},
		"gate off":            {named("gate_off"), batch.VerdictLater, 0, false},
		"not priceable":       {named("not_priceable"), batch.VerdictLater, 0, false},
		"no money":            {named("insufficient_funds"), batch.VerdictRefused, 0, false},
		"guardrail":           {named("guardrail_blocked"), batch.VerdictRefused, 0, false},
		"plain 500":           {named("text_error"), batch.VerdictUnknown, 0, false},
		"edge page":           {named("html_error"), batch.VerdictUnknown, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			script(t, w, gatewaytest.OpCreate, tc.fault)
			in := w.createInput(file)
			in.SessionID = "w~" + strings.ReplaceAll(name, " ", "-")
			out := must(w, w.acts.Create, in)
			require.Equal(t, tc.want, out.Verdict, out.Message)
			require.Equal(t, tc.hint, out.BatchID != "")
			require.NotEmpty(t, out.Message)
			accepted := 0
			for _, b := range w.emulator.BatchesOf(in.SessionID) {
				if b.Accepted {
					accepted++
				}
			}
			require.Equal(t, tc.accepted, accepted)
		})
	}
}

func TestCreateInline(t *testing.T) {
	w := newWorld(t, gatewaytest.Options{})
	w.put("in.jsonl", rows(4))
	in := w.createInput("")
	in.Mode, in.Input, in.Model = batch.CreateInline, "in.jsonl", "gpt-5-mini-2025-08-07"
	out := must(w, w.acts.Create, in)
	require.Equal(t, batch.VerdictCreated, out.Verdict, out.Message)
	require.Equal(t, 4, w.emulator.BatchesOf(session)[0].Rows)

	in.Input = "absent.jsonl"
	require.Equal(t, batch.VerdictRefused, must(w, w.acts.Create, in).Verdict)
	in.Dialect = "soap"
	require.Equal(t, batch.VerdictLater, must(w, w.acts.Create, in).Verdict)
	require.Len(t, w.emulator.BatchesOf(session), 1)
}

func TestCreateWritesNothingAfterItsDeadline(t *testing.T) {
	w := newWorld(t, gatewaytest.Options{})
	in := w.createInput(w.uploaded(1))
	in.NotAfter = time.Now().Add(-time.Millisecond)
	out := must(w, w.acts.Create, in)
	require.Equal(t, batch.VerdictLater, out.Verdict, out.Message)
	for _, e := range w.emulator.Journal() {
		require.NotEqual(t, string(gatewaytest.OpCreate), string(e.Op), "no request arrived")
	}
}

func TestLookUp(t *testing.T) {
	w := newWorld(t, gatewaytest.Options{})
	in := activities.LookUpInput{Dialect: batch.DialectPhaseo, SessionID: session, Wide: true}
	out := must(w, w.acts.LookUp, in)
	require.Empty(t, out.Look.Found)
	require.True(t, out.Look.Complete)
	require.Nil(t, out.Batch)
	require.WithinDuration(t, time.Now(), out.Look.Date, 5*time.Second)

	id := w.created(1)
	out = must(w, w.acts.LookUp, in)
	require.Equal(t, id, out.Look.Found[0].BatchID)
	require.Equal(t, id, out.Batch.BatchID)
	require.Equal(t, session, out.Batch.SessionID)

	in.SessionID = "someone~else"
	in.Hints = []string{id, "batch_01K3QF7W2M9XD4V8T6R0YB5HNC"}
	out = must(w, w.acts.LookUp, in)
	require.Empty(t, out.Look.Found, "a hint is ours only when its session is")
	require.False(t, out.Look.OldestAt.IsZero())

	script(t, w, gatewaytest.OpList, gatewaytest.Fault{Kind: gatewaytest.FaultNamed, Value: "text_error"})
	require.Contains(t, must(w, w.acts.LookUp, in).Problem, "500", "trouble is an answer")
	script(t, w, gatewaytest.OpList, gatewaytest.Fault{
		Kind: gatewaytest.FaultNamed, Value: "rate_limited", Header: map[string]string{"Retry-After": "7200"},
	})
	require.Equal(t, 2*time.Hour, must(w, w.acts.LookUp, in).RetryAfter)
}

func TestACallOfAnotherRunSendsNothing(t *testing.T) {
	w := newWorld(t, gatewaytest.Options{})
	in := w.createInput(w.uploaded(1))
	in.RunID = "the-run-before-a-reset"
	out := must(w, w.acts.Create, in)
	require.Equal(t, batch.VerdictUnknown, out.Verdict)
	require.Contains(t, out.Message, "reset")
	for _, e := range w.emulator.Journal() {
		require.NotEqual(t, string(gatewaytest.OpCreate), e.Op, "nothing was sent")
	}
}

// The gateway orders its list by the last update: an item without one says
// nothing about how far back the list reaches.
func TestTheReachOfAListNeedsUpdates(t *testing.T) {
	w := newWorld(t, gatewaytest.Options{})
	w.created(1)
	look := must(w, w.acts.LookUp, activities.LookUpInput{Dialect: batch.DialectPhaseo, SessionID: "someone~else"})
	require.False(t, look.Look.OldestAt.IsZero())
	script(t, w, gatewaytest.OpList, gatewaytest.Fault{
		Kind: gatewaytest.FaultAnswer, Status: 200,
		Body: `{"object":"list","data":[{"id":"batch_x","object":"batch","status":"completed","created_at":"2020-01-01T00:00:00+00:00"}],"has_more":false}`,
	})
	look = must(w, w.acts.LookUp, activities.LookUpInput{Dialect: batch.DialectPhaseo, SessionID: "someone~else"})
	require.Equal(t, 1, look.Look.Items)
	require.True(t, look.Look.OldestAt.IsZero())
}

// A cursor is followed no further back than a batch of the session can stand.
func TestTheCursorIsFollowedToTheReach(t *testing.T) {
	w := newWorld(t, gatewaytest.Options{OpenAI: true, WithoutQuota: true})
	w.put("in.jsonl", rows(1))
	in := w.createInput(must(w, w.acts.Upload, activities.UploadInput{Dialect: batch.DialectOpenAI, Input: "in.jsonl", Filename: "in.jsonl"}).FileID)
	in.Dialect = batch.DialectOpenAI
	for range 120 {
		require.Equal(t, batch.VerdictCreated, must(w, w.acts.Create, in).Verdict)
	}
	look := must(w, w.acts.LookUp, activities.LookUpInput{Dialect: batch.DialectOpenAI, SessionID: "someone~else", Reach: time.Now().Add(time.Hour)})
	require.Equal(t, 100, look.Look.Items, "one page")
	require.False(t, look.Look.Complete)
}

func TestLookUpKnowsWhatTheProviderRefused(t *testing.T) {
	w := newWorld(t, gatewaytest.Options{})
	script(t, w, gatewaytest.OpCreate, gatewaytest.Fault{Kind: gatewaytest.FaultProviderRejects})
	out := must(w, w.acts.Create, w.createInput(w.uploaded(1)))
	require.NotEqual(t, batch.VerdictCreated, out.Verdict)
	look := must(w, w.acts.LookUp, activities.LookUpInput{Dialect: batch.DialectPhaseo, SessionID: session, Wide: true})
	require.Len(t, look.Rejected, 1, "a listed row that never ran")
	require.Empty(t, look.Look.Found)
}

func TestLookUpKeepsWhatCannotBeReadYet(t *testing.T) {
	w := newWorld(t, gatewaytest.Options{})
	script(t, w, gatewaytest.OpCreate, gatewaytest.Fault{Kind: gatewaytest.FaultOutcomeUnknown, Effect: true})
	created := must(w, w.acts.Create, w.createInput(w.uploaded(1)))
	require.Equal(t, batch.VerdictUnknown, created.Verdict)
	look := must(w, w.acts.LookUp, activities.LookUpInput{Dialect: batch.DialectPhaseo, SessionID: session, Wide: true, Hints: []string{created.BatchID}})
	require.Len(t, look.Look.Found, 1)
	require.Nil(t, look.Batch, "the gateway cannot show it yet")
}

func TestLookUpByMetadataAndCursor(t *testing.T) {
	w := newWorld(t, gatewaytest.Options{OpenAI: true, WithoutQuota: true})
	w.put("in.jsonl", rows(1))
	file := must(w, w.acts.Upload, activities.UploadInput{Dialect: batch.DialectOpenAI, Input: "in.jsonl", Filename: "in.jsonl"}).FileID
	in := w.createInput(file)
	in.Dialect = batch.DialectOpenAI
	first := must(w, w.acts.Create, in)
	require.Equal(t, batch.VerdictCreated, first.Verdict, first.Message)
	in.SessionID = "other~run"
	for range 120 { // more than one page
		require.Equal(t, batch.VerdictCreated, must(w, w.acts.Create, in).Verdict)
	}
	look := must(w, w.acts.LookUp, activities.LookUpInput{Dialect: batch.DialectOpenAI, SessionID: session})
	require.Equal(t, first.BatchID, look.Batch.BatchID)
	require.True(t, look.Look.Complete)
	require.Equal(t, 121, look.Look.Items)
}
