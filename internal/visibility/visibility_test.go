package visibility_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"

	"batchkeeper/batch"
	"batchkeeper/internal/visibility"
)

func TestOnlyChangesAreWritten(t *testing.T) {
	state := batch.State{
		LifecycleStatus: batch.Running, BatchID: "batch_1", Provider: "openai", Model: "m", Progress: 40,
		Input: &batch.InputFacts{Rows: 10},
	}
	first := visibility.Of(state)
	require.Len(t, first.Updates(visibility.Attributes{}), 6, "all but the outcome, which is not known yet")
	require.Empty(t, first.Updates(first))
	require.Len(t, visibility.Attributes{}.Updates(visibility.Attributes{BatchID: "batch_1"}), 1, "a batch that was none is taken back")

	state.Progress, state.Outcome = 100, batch.OutcomeCompleted
	state.Results = &batch.Results{Rows: 10}
	last := visibility.Of(state)
	attributes := temporal.NewSearchAttributes(last.Updates(first)...)
	require.Equal(t, 2, attributes.Size())
	progress, ok := attributes.GetInt64(temporal.NewSearchAttributeKeyInt64(batch.AttrProgress))
	require.True(t, ok)
	require.Equal(t, int64(100), progress)
	outcome, ok := attributes.GetKeyword(temporal.NewSearchAttributeKeyKeyword(batch.AttrOutcome))
	require.True(t, ok)
	require.Equal(t, "completed", outcome)
}

// What the workflow writes is what the worker registers, types included.
func TestEveryAttributeWrittenIsDefined(t *testing.T) {
	all := visibility.Attributes{
		LifecycleStatus: "a", Outcome: "b", BatchID: "c", Provider: "d", Model: "e", Rows: 1, Progress: 1,
	}
	defined := visibility.Definitions()
	attributes := temporal.NewSearchAttributes(all.Updates(visibility.Attributes{})...)
	require.Equal(t, len(defined), attributes.Size())
	for key := range attributes.GetUntypedValues() {
		require.Equal(t, key.GetValueType(), defined[key.GetName()], key.GetName())
	}
	keywords := 0
	for _, kind := range defined {
		if kind == enumspb.INDEXED_VALUE_TYPE_KEYWORD {
			keywords++
		}
	}
	require.LessOrEqual(t, keywords, 10, "the most that a namespace on SQL takes")
}
