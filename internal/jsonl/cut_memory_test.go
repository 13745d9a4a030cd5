package jsonl_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/jsonl"
)

// fileSpill is temporary space that goes away when it is closed.
type fileSpill struct{ *os.File }

func (f fileSpill) Close() error { return closeAndRemove(f.File) }

func closeAndRemove(f *os.File) error {
	if err := f.Close(); err != nil {
		return err
	}
	return os.Remove(f.Name())
}

func spillIn(dir string) func() (jsonl.Spill, error) {
	return func() (jsonl.Spill, error) {
		f, err := os.CreateTemp(dir, "spill-")
		return fileSpill{f}, err
	}
}

// Neither rows of 1 MiB nor very many rows need more memory than a few lines do,
// good or bad.
func TestMemoryOfCut(t *testing.T) {
	many := padded(rowFormat, 200)
	tests := map[string]struct {
		rows    *generated
		invalid int64
	}{
		"large rows": {newGenerated(32, padded(rowFormat, 1<<20)), 0},
		"many rows":  {newGenerated(90_000, many), 0},
		"many duplicates": {newGenerated(90_000, func(i int64) []byte {
			return many(i % 1000)
		}), 89_000},
		"many bad lines": {newGenerated(90_000, padded(`{"custom_id":"row-%s","url":"%s/v1/responses"}`, 330)), 90_000},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			used := heapDuring(func(sample func()) {
				survey, err := jsonl.Cut{
					Input: tt.rows.reader(), Rules: jsonl.Rules{ForbiddenKeys: []string{"tools"}}, MaxRows: 10_000,
					Memory: 256 << 10, Spill: spillIn(dir), Progress: func(int64, int64) { sample() },
				}.Run(t.Context())
				require.NoError(t, err)
				require.Equal(t, tt.rows.n, survey.Rows)
				require.Equal(t, tt.invalid, survey.Invalid)
			})
			require.Less(t, used, int64(3<<20))
			left, err := filepath.Glob(filepath.Join(dir, "*"))
			require.NoError(t, err)
			require.Empty(t, left)
		})
	}
}

func TestMemoryOfCutWithAnEndlessLine(t *testing.T) {
	used := heapDuring(func(sample func()) {
		survey, err := jsonl.Cut{
			Input: io.LimitReader(&repeated{}, 128<<20), Rules: jsonl.Rules{MaxLine: 1 << 20}, Progress: func(int64, int64) { sample() },
		}.Run(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 1, survey.Invalid)
		require.EqualValues(t, 128<<20, survey.Shards[0].Length)
	})
	require.Less(t, used, int64(8<<20))
}

func BenchmarkCut(b *testing.B) {
	for _, size := range []int{200, 2500} {
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) {
			content, err := io.ReadAll(newGenerated(10_000, padded(rowFormat, size)).reader())
			require.NoError(b, err)
			spill := spillIn(b.TempDir())
			b.SetBytes(int64(len(content)))
			b.ReportAllocs()
			for b.Loop() {
				survey, err := jsonl.Cut{
					Input: bytes.NewReader(content), Rules: gatewayRules, MaxRows: 1000, Spill: spill,
				}.Run(b.Context())
				require.NoError(b, err)
				require.Zero(b, survey.Bad)
			}
		})
	}
}
