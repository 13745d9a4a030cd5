package jsonl_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/jsonl"
)

// generated is a file of n lines that is made while it is read, at any offset:
// all lines have the same length.
type generated struct {
	n, size int64
	line    func(i int64) []byte
}

func newGenerated(n int64, line func(i int64) []byte) *generated {
	return &generated{n: n, size: int64(len(line(0))), line: line}
}

func (g *generated) ReadAt(p []byte, off int64) (int, error) {
	done := 0
	for done < len(p) {
		i, within := off/g.size, off%g.size
		if i >= g.n {
			return done, io.EOF
		}
		n := copy(p[done:], g.line(i)[within:])
		done, off = done+n, off+int64(n)
	}
	return done, nil
}

func (g *generated) bytes() int64      { return g.n * g.size }
func (g *generated) reader() io.Reader { return io.NewSectionReader(g, 0, g.bytes()) }

// padded makes lines around an id of six digits with the text in between, in one
// buffer that is used again.
func padded(format string, textSize int) func(i int64) []byte {
	line := fmt.Appendf(nil, format+"\n", "000000", strings.Repeat("x", textSize))
	at := bytes.Index(line, []byte("000000"))
	return func(i int64) []byte {
		copy(line[at:], fmt.Sprintf("%06d", i))
		return line
	}
}

const (
	rowFormat    = `{"custom_id":"row-%s","method":"POST","url":"/v1/responses","body":{"model":"m","input":"%s","max_output_tokens":9}}`
	answerFormat = `{"custom_id":"row-%s","response":{"status_code":200,"body":{"text":"%s","usage":{"input_tokens":1,"output_tokens":2}}},"error":null}`
)

// heapDuring is by how much the heap in use rises while run works, in bytes.
// Every 4th call of sample looks.
func heapDuring(run func(sample func())) int64 {
	var start, now runtime.MemStats
	calls := 0
	runtime.GC()
	runtime.ReadMemStats(&start)
	most := start.HeapAlloc
	run(func() {
		if calls++; calls%4 != 0 {
			return
		}
		runtime.GC()
		runtime.ReadMemStats(&now)
		most = max(most, now.HeapAlloc)
	})
	if calls < 24 {
		panic("heapDuring: too few samples to say anything")
	}
	return int64(most) - int64(start.HeapAlloc)
}

// 32 rows of 1 MiB need no more memory than a few lines do.
func TestMemoryDoesNotGrowWithBytes(t *testing.T) {
	const bound = 8 << 20
	rows := newGenerated(32, padded(rowFormat, 1<<20))
	used := heapDuring(func(sample func()) {
		sum, err := jsonl.Inspect(t.Context(), rows.reader(), jsonl.Rules{ForbiddenKeys: []string{"tools"}}, func(int64, int64) { sample() })
		require.NoError(t, err)
		require.EqualValues(t, 32, sum.Rows)
		require.Zero(t, sum.Bad)
	})
	require.Less(t, used, int64(bound))

	answers := newGenerated(32, padded(answerFormat, 1<<20))
	used = heapDuring(func(sample func()) {
		tally, err := jsonl.Join{
			Input: rows.reader(), Absent: jsonl.ClassMissing,
			Answers:  []jsonl.Source{{R: answers, Size: answers.bytes(), Name: "output"}},
			Progress: func(int64) { sample() },
		}.Run(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 32, tally.Succeeded)
	})
	require.Less(t, used, int64(bound))
}

// A line without an end is passed over, not held, and progress goes on.
func TestMemoryOfAnEndlessLine(t *testing.T) {
	endless := io.LimitReader(&repeated{}, 128<<20)
	used := heapDuring(func(sample func()) {
		sum, err := jsonl.Inspect(t.Context(), endless, jsonl.Rules{MaxLine: 1 << 20}, func(int64, int64) { sample() })
		require.NoError(t, err)
		require.EqualValues(t, 1, sum.Bad)
		require.EqualValues(t, 128<<20, sum.Bytes)
	})
	require.Less(t, used, int64(8<<20))
}

// repeated is the letter x without end.
type repeated struct{}

func (*repeated) Read(p []byte) (int, error) {
	p[0] = 'x'
	for n := 1; n < len(p); n *= 2 {
		copy(p[n:], p[:n])
	}
	return len(p), nil
}

func BenchmarkInspect(b *testing.B) {
	for name, rules := range map[string]jsonl.Rules{"plain": {}, "gateway": gatewayRules} {
		for _, size := range []int{200, 2500} {
			b.Run(fmt.Sprintf("%s/%dB", name, size), func(b *testing.B) {
				content, err := io.ReadAll(newGenerated(10_000, padded(rowFormat, size)).reader())
				require.NoError(b, err)
				b.SetBytes(int64(len(content)))
				b.ReportAllocs()
				for b.Loop() {
					sum, err := jsonl.Inspect(b.Context(), bytes.NewReader(content), rules, nil)
					require.NoError(b, err)
					require.Zero(b, sum.Bad)
				}
			})
		}
	}
}

// The answers come in another order than the rows.
func BenchmarkJoin(b *testing.B) {
	const n = 10_000
	for _, size := range []int{200, 2500} {
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) {
			input, err := io.ReadAll(newGenerated(n, padded(rowFormat, size)).reader())
			require.NoError(b, err)
			answer := padded(answerFormat, size)
			var output []byte
			for _, i := range rand.New(rand.NewPCG(1, 2)).Perm(n) {
				output = append(output, answer(int64(i))...)
			}
			b.SetBytes(int64(len(input) + len(output)))
			b.ReportAllocs()
			for b.Loop() {
				tally, err := jsonl.Join{
					Input: bytes.NewReader(input), Absent: jsonl.ClassMissing,
					Answers: []jsonl.Source{{R: bytes.NewReader(output), Size: int64(len(output)), Name: "output"}},
				}.Run(b.Context())
				require.NoError(b, err)
				require.EqualValues(b, n, tally.Succeeded)
			}
		})
	}
}
