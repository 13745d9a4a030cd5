package bench_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

const mib = 1 << 20

// inputMiB is how large the generated input is.
func inputMiB(b *testing.B) int64 {
	text, ok := os.LookupEnv("BENCH_MIB")
	if !ok {
		return 256
	}
	size, err := strconv.ParseInt(text, 10, 64)
	require.NoError(b, err, "BENCH_MIB is a whole number of MiB")
	require.Positive(b, size, "BENCH_MIB")
	return size
}

var words = []string{
	"the", "invoice", "of", "customer", "a", "delivery", "was", "late", "and", `\"urgent\"`, "please", "summarize", "in", "three",
	"sentences", "für", "naïve", "東京", `\n`, "contract", "clause", "refund", "temperature", "https://example.com/a?b=c", "42", "is",
}

// generate writes an input of about size MiB: rows of 300 bytes to 2 KiB, the same
// at every call.
func generate(b *testing.B, size int64) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "input.jsonl")
	f, err := os.Create(path)
	require.NoError(b, err)
	w := bufio.NewWriterSize(f, mib)
	random := rand.New(rand.NewPCG(1, 2))
	var line []byte
	for written, row := int64(0), 0; written < size*mib; row++ {
		line = fmt.Appendf(line[:0], `{"custom_id":"request-%09d","method":"POST","url":"/v1/responses","body":{"model":"gpt-5-mini",`+
			`"instructions":"You answer briefly.","input":[{"role":"user","content":[{"type":"input_text","text":"`, row)
		for range 10 + random.IntN(270) {
			line = append(append(line, words[random.IntN(len(words))]...), ' ')
		}
		line = append(line, `"}]}],"temperature":0.2,"max_output_tokens":300}}`+"\n"...)
		_, err := w.Write(line)
		require.NoError(b, err)
		written += int64(len(line))
	}
	require.NoError(b, w.Flush())
	require.NoError(b, f.Close())
	return path
}
