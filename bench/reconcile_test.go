package bench_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"

	"batchkeeper/activities"
	"batchkeeper/batch"
	"batchkeeper/internal/blobstore"
)

const shardRows = 50_000

// The files of a shard in its store.
const (
	inputFile  = "input.jsonl"
	outputFile = "output.jsonl"
)

// How fast a shard of 50,000 rows is reconciled, the whole step from the files in
// the store to the manifest: at least a third of the speed of a program that reads
// the same files and writes the answers again is the goal.
func BenchmarkReconcile(b *testing.B) {
	dir := shard(b)
	var ours, theirs took
	var peak int64
	for b.Loop() {
		theirs.add(measure(b, "copy", dir).took)
		r := measure(b, "reconcile", dir)
		require.Equal(b, int64(shardRows), r.Rows)
		ours.add(r.took)
		peak = max(peak, r.PeakKiB)
	}
	size := 0.0
	for _, name := range []string{inputFile, outputFile} {
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(b, err)
		size += float64(info.Size()) / mib
	}
	b.ReportMetric(theirs.wall.Seconds()/ours.wall.Seconds(), "times_copy")
	b.ReportMetric(theirs.cpu.Seconds()/ours.cpu.Seconds(), "cpu_times_copy")
	b.ReportMetric(size*float64(b.N)/ours.wall.Seconds(), "MiB/s")
	b.ReportMetric(size*float64(b.N)/theirs.wall.Seconds(), "copy_MiB/s")
	b.ReportMetric(float64(peak)/1024, "peak_MiB")
}

// shard is a store with the rows of a shard and a provider's answers to them, in
// an order of its own.
func shard(b *testing.B) string {
	b.Helper()
	dir := b.TempDir()
	random := rand.New(rand.NewPCG(1, 2))
	writeLines(b, filepath.Join(dir, inputFile), func(n int, line []byte) []byte {
		if n == shardRows {
			return nil
		}
		return appendRow(line, n, random)
	})
	order := random.Perm(shardRows)
	writeLines(b, filepath.Join(dir, outputFile), func(n int, line []byte) []byte {
		if n == shardRows {
			return nil
		}
		return appendAnswer(line, order[n], random)
	})
	return dir
}

// reconcileRows is the activity of a worker.
func reconcileRows(ctx context.Context, dir string) (int64, error) {
	store, err := blobstore.Open(ctx, blobstore.Config{URL: blobstore.FileURL(dir)})
	if err != nil {
		return 0, err
	}
	defer store.Close()
	size, err := store.Stat(ctx, outputFile)
	if err != nil {
		return 0, err
	}
	acts := activities.New(activities.Options{Store: store})
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(acts.Reconcile)
	value, err := env.ExecuteActivity(acts.Reconcile, activities.ReconcileInput{
		Input: inputFile, Prefix: "results", Status: batch.StatusCompleted,
		Answers: []activities.NamedRef{{Name: outputFile, Ref: batch.Ref{Key: outputFile, Size: size}}},
	})
	if err != nil {
		return 0, err
	}
	var out activities.ReconcileOutput
	if err := value.Get(&out); err != nil {
		return 0, err
	}
	if out.Outcome != batch.OutcomeCompleted {
		return 0, errors.New("the shard is not completed: " + string(out.Outcome))
	}
	return out.Results.Rows, nil
}

// copyRows reads the same files and writes the answers, through the process: a
// kernel that copies by itself would be compared with nothing.
func copyRows(_ context.Context, dir string) (int64, error) {
	to, err := os.Create(filepath.Join(dir, "copy.jsonl"))
	if err != nil {
		return 0, err
	}
	err = errors.Join(passOn(filepath.Join(dir, inputFile), io.Discard), passOn(filepath.Join(dir, outputFile), to))
	return shardRows, errors.Join(err, to.Close())
}

func passOn(path string, to io.Writer) error {
	from, err := os.Open(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(struct{ io.Writer }{to}, mib)
	_, err = io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{from}, make([]byte, mib))
	return errors.Join(err, w.Flush(), from.Close())
}
