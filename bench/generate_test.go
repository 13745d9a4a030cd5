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
	random := rand.New(rand.NewPCG(1, 2))
	written := int64(0)
	writeLines(b, path, func(n int, line []byte) []byte {
		if written >= size*mib {
			return nil
		}
		line = appendRow(line, n, random)
		written += int64(len(line))
		return line
	})
	return path
}

// writeLines writes one line after the other, until there is none.
func writeLines(b *testing.B, path string, next func(n int, line []byte) []byte) {
	b.Helper()
	f, err := os.Create(path)
	require.NoError(b, err)
	w := bufio.NewWriterSize(f, mib)
	line := next(0, nil)
	for n := 1; line != nil; n++ {
		_, err := w.Write(line)
		require.NoError(b, err)
		line = next(n, line[:0])
	}
	require.NoError(b, w.Flush())
	require.NoError(b, f.Close())
}

func appendRow(line []byte, n int, random *rand.Rand) []byte {
	line = fmt.Appendf(line, `{"custom_id":"request-%09d","method":"POST","url":"/v1/responses","body":{"model":"gpt-5-mini",`+
		`"instructions":"You answer briefly.","input":[{"role":"user","content":[{"type":"input_text","text":"`, n)
	return append(appendWords(line, 10+random.IntN(270), random), `"}]}],"temperature":0.2,"max_output_tokens":300}}`+"\n"...)
}

// appendAnswer is what a provider says to row n.
func appendAnswer(line []byte, n int, random *rand.Rand) []byte {
	line = fmt.Appendf(line, `{"id":"batch_req_%024d","custom_id":"request-%09d","response":{"status_code":200,"request_id":"req_%024d",`+
		`"body":{"id":"resp_%024d","object":"response","status":"completed","model":"gpt-5-mini-2025-08-07","output":[{"type":"message",`+
		`"role":"assistant","content":[{"type":"output_text","annotations":[],"text":"`, n, n, n, n)
	return append(appendWords(line, 20+random.IntN(180), random),
		`"}]}],"usage":{"input_tokens":210,"output_tokens":140,"total_tokens":350}}},"error":null}`+"\n"...)
}

func appendWords(line []byte, n int, random *rand.Rand) []byte {
	for range n {
		line = append(append(line, words[random.IntN(len(words))]...), ' ')
	}
	return line
}
