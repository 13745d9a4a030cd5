package activities_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"batchkeeper/activities"
	"batchkeeper/batch"
	"batchkeeper/internal/gateway/gatewaytest"
)

// Rows that changed under a run are caught wherever they are read: before they
// are paid for, and before they are called answered.
func TestChangedInputIsNoticed(t *testing.T) {
	w := newWorld(t, gatewaytest.Options{})
	w.put("in.jsonl", rows(3))
	inspected, err := inspect(w, batch.Job{Input: "in.jsonl"})
	require.NoError(t, err)
	sum := inspected.Facts.SHA256
	w.put("in.jsonl", strings.ReplaceAll(rows(3), "say", "cry")) // of the same length

	_, err = do(w, w.acts.Upload, activities.UploadInput{Dialect: batch.DialectPhaseo, Input: "in.jsonl", SHA256: sum, Filename: "in.jsonl"})
	k, again := kind(t, err)
	require.Equal(t, batch.KindInputInvalid, k)
	require.False(t, again)

	in := w.createInput("")
	in.Mode, in.Input, in.SHA256 = batch.CreateInline, "in.jsonl", sum
	out := must(w, w.acts.Create, in)
	require.Equal(t, batch.VerdictRefused, out.Verdict)
	require.Contains(t, out.Message, "has changed")

	_, err = do(w, w.acts.Reconcile, activities.ReconcileInput{Input: "in.jsonl", Prefix: "res", Status: "completed", Facts: inspected.Facts})
	k, _ = kind(t, err)
	require.Equal(t, batch.KindInputInvalid, k)

	require.Empty(t, w.emulator.BatchesOf(session))
	for _, e := range w.emulator.Journal() {
		require.NotContains(t, []string{"file_stored", "batch_created"}, e.Op)
	}
}
