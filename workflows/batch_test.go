package workflows_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"batchkeeper/activities"
	"batchkeeper/batch"
)

func TestHappyPath(t *testing.T) {
	w := newWorld(t)
	var stages []batch.Stage
	w.create = func(in activities.CreateInput) (activities.CreateOutput, error) {
		stages = append(stages, w.state().Stage)
		require.Equal(t, "file-in", in.InputFileID)
		require.True(t, strings.HasPrefix(in.SessionID, workflowID+"~"), in.SessionID)
		require.WithinDuration(t, w.env.Now().Add(30*time.Second), in.NotAfter, time.Second)
		return activities.CreateOutput{Verdict: batch.VerdictCreated, BatchID: batchID, Batch: snap("validating")}, nil
	}
	e := w.run(plainJob)
	require.NoError(t, e.err)
	require.Equal(t, batch.OutcomeCompleted, e.Outcome)
	require.Equal(t, batch.StageDone, e.Stage)
	require.Equal(t, []string{"Inspect", "Upload", "LookUp", "Create", "Poll", "Poll", "Download", "Reconcile"}, w.calls)
	require.Equal(t, []batch.Stage{batch.StageCreating}, stages)
	require.Equal(t, batchID, e.BatchID)
	require.Equal(t, 2, e.Polls)
	require.Equal(t, int64(3), e.Results.Succeeded)
	require.Equal(t, e.Result, w.state(), "the query answers after the close too")
}

func TestInlineCreateUploadsNothing(t *testing.T) {
	w := newWorld(t)
	w.create = func(in activities.CreateInput) (activities.CreateOutput, error) {
		require.Equal(t, batch.CreateInline, in.Mode)
		require.Equal(t, "in.jsonl", in.Input)
		return activities.CreateOutput{Verdict: batch.VerdictCreated, BatchID: batchID, Batch: snap("validating")}, nil
	}
	e := w.run(`{"input":"in.jsonl","create_mode":"inline"}`)
	require.Equal(t, batch.OutcomeCompleted, e.Outcome)
	require.Zero(t, w.count("Upload"))
}

func TestKnownFileIsNotUploaded(t *testing.T) {
	w := newWorld(t)
	w.reconcile = func(in activities.ReconcileInput) (activities.ReconcileOutput, error) {
		require.True(t, strings.HasSuffix(in.Input, "/raw/input.jsonl"), "the rows come from the gateway: %s", in.Input)
		return activities.ReconcileOutput{Outcome: batch.OutcomeCompleted}, nil
	}
	e := w.run(`{"input_file_id":"file-mine"}`)
	require.Equal(t, batch.OutcomeCompleted, e.Outcome)
	require.Zero(t, w.count("Upload"))
	require.Equal(t, 2, w.count("Download"))
}

func TestAdoptedBatchIsNeitherUploadedNorCreated(t *testing.T) {
	w := newWorld(t)
	e := w.run(`{"batch_id":"` + batchID + `","input":"in.jsonl"}`)
	require.Equal(t, batch.OutcomeCompleted, e.Outcome)
	require.Equal(t, []string{"Inspect", "Poll", "Poll", "Download", "Reconcile"}, w.calls)
}

func TestRejectedBeforeAnythingIsSent(t *testing.T) {
	for name, tc := range map[string]struct{ job, want string }{
		"unknown field":  {`{"input":"a","stale_afer":"1h"}`, `unknown field "stale_afer"`},
		"carried":        {`{"input":"a","carried":{"token":"t"}}`, `unknown field "carried"`},
		"no source":      {`{}`, "one of input"},
		"not even a job": {`"a"`, "cannot unmarshal"},
		"null":           {`null`, "one of input"},
		"prefix":         {`{"input":"a","results_prefix":"../b"}`, "results_prefix"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			e := w.run(tc.job)
			require.Equal(t, string(batch.KindBatchRejected), e.status)
			require.Equal(t, batch.OutcomeRejected, e.Outcome)
			require.Contains(t, e.Failure.Message, tc.want)
			require.Empty(t, w.calls)
			require.Equal(t, batch.OutcomeRejected, w.state().Outcome, "the query answers")
		})
	}
}

func TestBadWorkflowIDIsRefused(t *testing.T) {
	w := newWorld(t)
	w.env.SetStartWorkflowOptions(startOptions("a~b"))
	e := w.run(plainJob)
	require.Equal(t, batch.OutcomeRejected, e.Outcome)
	require.Contains(t, e.Failure.Message, "workflow id")
}

func TestBadRowsAreNamed(t *testing.T) {
	w := newWorld(t)
	w.inspect = func(activities.InspectInput) (activities.InspectOutput, error) {
		return activities.InspectOutput{
			Profile: batch.PhaseoProfile(), Facts: batch.InputFacts{Rows: 9, BadRows: 2},
			Rejected: "input: 2 of 9 rows are bad", Problems: []batch.Problem{{Line: 4, Message: "no custom_id"}},
		}, nil
	}
	e := w.run(plainJob)
	require.Equal(t, batch.OutcomeRejected, e.Outcome)
	require.Equal(t, int64(4), e.Failure.Problems[0].Line)
	require.Equal(t, int64(2), e.Input.BadRows)
	require.Equal(t, []string{"Inspect"}, w.calls)
}

func TestStepsBeforeTheCreateCanFail(t *testing.T) {
	refuse := temporal.NewNonRetryableApplicationError("no such object", string(batch.KindInputUnavailable), nil)
	w := newWorld(t)
	w.inspect = func(activities.InspectInput) (activities.InspectOutput, error) {
		return activities.InspectOutput{}, refuse
	}
	e := w.run(plainJob)
	require.Equal(t, batch.OutcomeRejected, e.Outcome)
	require.Contains(t, e.Failure.Message, "no such object")

	w = newWorld(t)
	tries := 0
	w.upload = func(activities.UploadInput) (activities.UploadOutput, error) {
		if tries++; tries < 3 {
			return activities.UploadOutput{}, errors.New("busy")
		}
		return activities.UploadOutput{}, refuse
	}
	e = w.run(plainJob)
	require.Equal(t, batch.OutcomeRejected, e.Outcome)
	require.Equal(t, 3, tries)
	require.Zero(t, w.count("Create"))
}

func TestOutcomesOfACollectedBatch(t *testing.T) {
	for status, tc := range map[batch.Status]struct {
		outcome batch.Outcome
		status  string
	}{
		"completed": {batch.OutcomeCompleted, "completed"},
		"failed":    {batch.OutcomeUpstreamFailed, string(batch.KindBatchFailed)},
		"expired":   {batch.OutcomeExpired, string(batch.KindBatchExpired)},
		"cancelled": {batch.OutcomeCancelled, "canceled"},
	} {
		t.Run(string(status), func(t *testing.T) {
			w := newWorld(t)
			w.poll = statuses("in_progress", status)
			e := w.run(plainJob)
			require.Equal(t, tc.outcome, e.Outcome)
			require.Equal(t, tc.status, e.status)
			require.Equal(t, 1, w.count("Reconcile"), "what was answered is collected")
			require.Equal(t, int64(3), e.Results.Rows)
		})
	}
}

func TestSomeRowsFailed(t *testing.T) {
	w := newWorld(t)
	w.reconcile = func(in activities.ReconcileInput) (activities.ReconcileOutput, error) {
		r := batch.Results{Rows: 3, Succeeded: 1, Failed: 1, Missing: 1}
		return activities.ReconcileOutput{Results: r, Outcome: batch.OutcomeOf(in.Status, r)}, nil
	}
	e := w.run(plainJob)
	require.NoError(t, e.err)
	require.Equal(t, batch.OutcomeCompletedWithFailures, e.Outcome)
}

func TestResultsUnavailable(t *testing.T) {
	gone := temporal.NewNonRetryableApplicationError("file gone", string(batch.KindResultsUnavailable), nil)
	w := newWorld(t)
	w.download = func(activities.DownloadInput) (activities.DownloadOutput, error) {
		return activities.DownloadOutput{}, gone
	}
	e := w.run(plainJob)
	require.Equal(t, batch.OutcomeResultsUnavailable, e.Outcome)
	require.Equal(t, string(batch.KindResultsUnavailable), e.status)
	require.Zero(t, w.count("Reconcile"), "never reported as missing rows")

	w = newWorld(t)
	w.reconcile = func(activities.ReconcileInput) (activities.ReconcileOutput, error) {
		return activities.ReconcileOutput{}, temporal.NewNonRetryableApplicationError("3 rows, 4 accounted for", string(batch.KindInputInvalid), nil)
	}
	e = w.run(plainJob)
	require.Equal(t, batch.OutcomeResultsUnavailable, e.Outcome)
	require.Contains(t, e.Failure.Message, "accounted for")

	w = newWorld(t)
	w.poll = func(activities.PollInput) (activities.PollOutput, error) {
		s := snap("completed")
		s.InputFileID = ""
		return activities.PollOutput{Batch: s}, nil
	}
	e = w.run(`{"batch_id":"` + batchID + `"}`)
	require.Equal(t, batch.OutcomeResultsUnavailable, e.Outcome)
	require.Contains(t, e.Failure.Message, "names no input file")
}

func TestNotify(t *testing.T) {
	w := newWorld(t)
	told := 0
	w.env.OnSignalExternalWorkflow(mock.Anything, "parent", "", "shard_done", mock.MatchedBy(func(v batch.Finished) bool {
		return v.Outcome == batch.OutcomeCompleted && v.WorkflowID == workflowID && v.Results.Rows == 3
	})).Run(func(mock.Arguments) { told++ }).Return(nil).Once()
	e := w.run(`{"input":"in.jsonl","notify":{"workflow_id":"parent","signal":"shard_done"}}`)
	require.Equal(t, batch.OutcomeCompleted, e.Outcome)
	require.Equal(t, 1, told)

	w = newWorld(t)
	w.env.OnSignalExternalWorkflow(mock.Anything, "parent", "", "shard_done", mock.Anything).Return(errors.New("not found")).Once()
	e = w.run(`{"input":"in.jsonl","notify":{"workflow_id":"parent","signal":"shard_done"}}`)
	require.Equal(t, batch.OutcomeCompleted, e.Outcome, "the result stands without a listener")
}
