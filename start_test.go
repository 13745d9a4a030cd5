package batchkeeper_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"batchkeeper"
	"batchkeeper/batch"
)

func TestStartAttachesToTheRunOfTheSameJob(t *testing.T) {
	first := start(t, job, batchkeeper.WithID("same"))
	require.False(t, first.Attached())
	second := start(t, job.WithDefaults(), batchkeeper.WithID("same"))
	require.True(t, second.Attached(), "a default spelled out is the same job")
	require.Equal(t, first.RunID(), second.RunID())

	other := job
	other.Model = "another"
	_, err := batchkeeper.Start(t.Context(), server, other, batchkeeper.WithTaskQueue(queue), batchkeeper.WithID("same"))
	require.ErrorIs(t, err, batchkeeper.ErrOtherJob)

	tell(t, first, "completed")
	await(t, "same", enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED)
	third := start(t, job, batchkeeper.WithID("same"))
	require.True(t, third.Attached(), "a closed run is the run, too")
	require.Equal(t, first.RunID(), third.RunID())
	result, err := third.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, batch.OutcomeCompleted, result.Outcome)
}

func TestRerunIsOnPurpose(t *testing.T) {
	first := start(t, job, batchkeeper.WithID("rerun"))
	_, err := batchkeeper.Start(t.Context(), server, job, batchkeeper.WithTaskQueue(queue), batchkeeper.WithID("rerun"), batchkeeper.WithRerun())
	require.ErrorIs(t, err, batchkeeper.ErrStillOpen)
	tell(t, first, "expired")
	await(t, "rerun", enumspb.WORKFLOW_EXECUTION_STATUS_FAILED)

	again := start(t, job, batchkeeper.WithID("rerun"), batchkeeper.WithRerun())
	require.False(t, again.Attached())
	require.NotEqual(t, first.RunID(), again.RunID())

	result, err := first.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, batch.OutcomeExpired, result.Outcome, "a handle stays with its run")
	state, err := again.State(t.Context())
	require.NoError(t, err)
	require.Empty(t, state.Outcome)
	tell(t, again, "completed")
}

func TestARaceOfStartsMakesOneRun(t *testing.T) {
	var wg sync.WaitGroup
	runs, errs := make([]*batchkeeper.Run, 8), make([]error, 8)
	for i := range runs {
		wg.Go(func() {
			runs[i], errs[i] = batchkeeper.Start(t.Context(), server, job, batchkeeper.WithTaskQueue(queue), batchkeeper.WithID("race"))
		})
	}
	wg.Wait()
	started := 0
	for i, r := range runs {
		require.NoError(t, errs[i])
		require.Equal(t, runs[0].RunID(), r.RunID())
		if !r.Attached() {
			started++
		}
	}
	require.Equal(t, 1, started)
	tell(t, runs[0], "completed")
}

func TestStartComparesWithARunThatOthersStarted(t *testing.T) {
	// As the temporal command line does it: by name, from plain JSON, without a memo.
	_, err := server.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "foreign", TaskQueue: queue}, batch.WorkflowBatch,
		map[string]any{"input": job.Input, "model": "m"})
	require.NoError(t, err)
	r := start(t, job, batchkeeper.WithID("foreign"))
	require.True(t, r.Attached())

	other := job
	other.Endpoint = "/v1/responses"
	_, err = batchkeeper.Start(t.Context(), server, other, batchkeeper.WithTaskQueue(queue), batchkeeper.WithID("foreign"))
	require.ErrorIs(t, err, batchkeeper.ErrOtherJob)

	tell(t, r, "continue")
	require.True(t, start(t, job, batchkeeper.WithID("foreign")).Attached(), "what is carried on does not make another job")
	tell(t, r, "completed")
}

func TestStartRefusesBeforeAnythingIsSent(t *testing.T) {
	for name, tc := range map[string]struct {
		job  batch.Job
		opts []batchkeeper.Option
		want string
	}{
		"job":  {batch.Job{}, nil, "one of input"},
		"id":   {job, []batchkeeper.Option{batchkeeper.WithID("a~b")}, "byte 2"},
		"type": {job, []batchkeeper.Option{batchkeeper.WithType("OtherWorkflow")}, "OtherWorkflow"},
		"bulk": {
			batch.Job{Input: "a", InputRange: &batch.Range{Length: 1}}, []batchkeeper.Option{batchkeeper.WithType(batch.WorkflowBulk)}, "input_range",
		},
		"bulk field": {batch.Job{Input: "a", BulkJob: batch.BulkJob{Rounds: 2}}, nil, "rounds: only BulkWorkflow"},
		"queue":      {job, []batchkeeper.Option{batchkeeper.WithTaskQueue("")}, "task queue"},
		"carried":    {batch.Job{Input: "a", Carried: &batch.Carried{}}, nil, "carried"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := batchkeeper.Start(t.Context(), nil, tc.job, tc.opts...)
			require.ErrorIs(t, err, batchkeeper.ErrInvalidJob)
			require.ErrorContains(t, err, tc.want)
		})
	}
}

func TestAStrangersWorkflowIsNoRun(t *testing.T) {
	_, err := server.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "stranger", TaskQueue: queue}, "Stranger", job)
	require.NoError(t, err)
	_, err = batchkeeper.Attach(t.Context(), server, "stranger", "")
	require.ErrorIs(t, err, batchkeeper.ErrNotFound)
	_, err = batchkeeper.Start(t.Context(), server, job, batchkeeper.WithID("stranger"))
	require.ErrorContains(t, err, "the id is taken")
	_, err = batchkeeper.Attach(t.Context(), server, "nobody", "")
	require.ErrorIs(t, err, batchkeeper.ErrNotFound)
}

func TestNewIDIsReadableAndNew(t *testing.T) {
	for input, want := range map[string]string{
		"file:///data/My%20requests.jsonl": "My-20requests-", "in.jsonl": "in-", "/é/ü.jsonl": "batch-",
		strings.Repeat("x", 300): strings.Repeat("x", 60) + "-",
	} {
		id := batchkeeper.NewID(batch.Job{Input: input})
		require.True(t, strings.HasPrefix(id, want), id)
		require.NoError(t, batch.CheckWorkflowID(id))
		require.NotEqual(t, id, batchkeeper.NewID(batch.Job{Input: input}))
	}
	require.True(t, strings.HasPrefix(batchkeeper.NewID(batch.Job{BatchID: "batch_7"}), "batch_7-"))
}

func TestARunDescribesItselfInTheWebUI(t *testing.T) {
	r := start(t, batch.Job{Input: "s3://in/night|ly.jsonl", Endpoint: "/v1/responses", Model: "gpt"}, batchkeeper.WithID("described"))
	d, err := server.DescribeWorkflow(t.Context(), r.ID(), "")
	require.NoError(t, err)
	summary, err := d.GetStaticSummary()
	require.NoError(t, err)
	require.Equal(t, "night|ly.jsonl → /v1/responses gpt", summary)
	details, err := d.GetStaticDetails()
	require.NoError(t, err)
	require.Contains(t, details, "| Input | `s3://in/night\\|ly.jsonl` |")
	tell(t, r, "completed")
}
