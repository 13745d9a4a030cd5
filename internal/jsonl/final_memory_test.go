package jsonl_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/jsonl"
)

const failedFormat = `{"custom_id":"row-%s","class":"row_error","line":1,"response":{"status_code":429,"body":{"text":"%s"}},"error":null}`

// twoRounds is a shard of n rows that all failed at first and were answered then.
func twoRounds(n int64, size int) jsonl.Final {
	return jsonl.Final{
		Input: newGenerated(n, padded(rowFormat, size)).reader(),
		Rounds: []jsonl.Round{
			{Number: 1, BatchID: "batch_1", Rows: n, Failures: newGenerated(n, padded(failedFormat, size)).reader()},
			{Number: 2, BatchID: "batch_2", Rows: n, Results: newGenerated(n, padded(answerFormat, size)).reader()},
		},
	}
}

// Neither many rows nor long ones need memory: 30 bytes a row would be seen.
func TestMemoryOfFinal(t *testing.T) {
	for _, shard := range []struct {
		rows  int64
		size  int
		bound int64
	}{{30_000, 300, 2 << 20}, {10, 1 << 20, 12 << 20}} {
		used := heapDuring(func(sample func()) {
			f := twoRounds(shard.rows, shard.size)
			f.Progress = func(int64) { sample() }
			tally, err := f.Run(t.Context())
			require.NoError(t, err)
			require.Equal(t, shard.rows, tally.Answered)
		})
		require.Less(t, used, shard.bound)
	}
}

func TestMemoryOfLeftovers(t *testing.T) {
	const n = 60_000
	used := heapDuring(func(sample func()) {
		tally, err := jsonl.Leftovers{
			Input: newGenerated(n, padded(rowFormat, 200)).reader(), Failures: newGenerated(n, padded(failedFormat, 200)).reader(),
			Progress: func(int64) { sample() },
		}.Run(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, n, tally.Retry.RowError)
	})
	require.Less(t, used, int64(2<<20))
}

func BenchmarkFinal(b *testing.B) {
	const n = 10_000
	for _, size := range []int{200, 2500} {
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) {
			f := twoRounds(n, size)
			var files [][]byte
			total := 0
			for _, r := range []io.Reader{f.Input, f.Rounds[0].Failures, f.Rounds[1].Results} {
				content, err := io.ReadAll(r)
				require.NoError(b, err)
				files = append(files, content)
				total += len(content)
			}
			b.SetBytes(int64(total))
			b.ReportAllocs()
			for b.Loop() {
				f.Input, f.Rounds[0].Failures, f.Rounds[1].Results = bytes.NewReader(files[0]), bytes.NewReader(files[1]), bytes.NewReader(files[2])
				tally, err := f.Run(b.Context())
				require.NoError(b, err)
				require.EqualValues(b, n, tally.Answered)
			}
		})
	}
}

func BenchmarkLeftovers(b *testing.B) {
	const n, size = 10_000, 2500
	input, err := io.ReadAll(newGenerated(n, padded(rowFormat, size)).reader())
	require.NoError(b, err)
	b.SetBytes(int64(len(input)))
	b.ReportAllocs()
	for b.Loop() {
		tally, err := jsonl.Leftovers{Input: bytes.NewReader(input), Failures: strings.NewReader("")}.Run(b.Context())
		require.NoError(b, err)
		require.EqualValues(b, n, tally.Answered)
	}
}
