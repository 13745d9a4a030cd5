package jsonl_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/jsonl"
)

// Whatever the bytes are, an inspection ends, counts every row once, and what it
// passes is JSON that a common reader takes too.
func FuzzInspect(f *testing.F) {
	for _, seed := range []string{
		"", "\n", good("a"), good("a") + "\n" + good("a"), "\xef\xbb\xbf" + good("a"), "{\"custom_id\":\"\\u0061\"}", "{}{}", "[[[", "\"\xff",
		chat(`{"messages":[ ],"max_tokens":1}`), body(`{"input":{"tools":[{"k":"\\"}]}}`),
	} {
		f.Add([]byte(seed))
	}
	rules := gatewayRules
	rules.MaxLine = 4 << 10
	f.Fuzz(func(t *testing.T, input []byte) {
		sum, err := jsonl.Inspect(t.Context(), bytes.NewReader(input), rules, nil)
		require.NoError(t, err)
		require.EqualValues(t, len(input), sum.Bytes)
		require.LessOrEqual(t, len(sum.Problems), 24)
		for _, p := range sum.Problems {
			require.True(t, utf8.ValidString(p.Message) && utf8.ValidString(p.CustomID))
		}
		if sum.Bad > 0 {
			require.NotEmpty(t, sum.Problems)
			return
		}
		n := int64(0)
		for line := range bytes.Lines(input) {
			if len(bytes.TrimSpace(line)) > 0 {
				n++
				require.True(t, json.Valid(line))
			}
		}
		require.Equal(t, n, sum.Rows)
	})
}

// Whatever the bytes and the limits are, the shards are the input, every line
// stands in one of them, and a small memory finds what a large one finds.
func FuzzCut(f *testing.F) {
	for _, seed := range []string{
		"", "\n\n", good("a"), good("a") + "\n" + good("a") + "\r\n\n" + good("b"), "\xef\xbb\xbf" + good("a"),
		strings.Repeat("x", 5000) + "\n" + good("a"), strings.Repeat(good("a")+"\n", 40),
	} {
		f.Add([]byte(seed), int64(2), int64(300), int64(20))
	}
	rules := gatewayRules
	rules.MaxLine = 4 << 10
	f.Fuzz(func(t *testing.T, input []byte, maxRows, maxBytes, maxTokens int64) {
		files := &spills{}
		var invalid, again strings.Builder
		c := jsonl.Cut{
			Input: bytes.NewReader(input), Rules: rules, Spill: files.make, Invalid: &invalid, Memory: 1,
			MaxRows: maxRows, MaxBytes: maxBytes, MaxTokens: maxTokens,
		}
		survey, err := c.Run(t.Context())
		require.NoError(t, err)
		require.Zero(t, files.open)
		c.Input, c.Invalid, c.Memory = bytes.NewReader(input), &again, 0
		other, err := c.Run(t.Context())
		require.NoError(t, err)
		require.Equal(t, other, survey)
		require.Equal(t, again.String(), invalid.String())

		var end, rows int64
		for _, s := range survey.Shards {
			require.Equal(t, end, s.Offset)
			require.Positive(t, s.Length)
			digest := sha256.Sum256(input[s.Offset : s.Offset+s.Length])
			require.Equal(t, hex.EncodeToString(digest[:]), s.SHA256)
			require.True(t, maxRows <= 0 || s.Rows+s.Invalid <= maxRows)
			if maxBytes > 0 && s.Length > maxBytes {
				require.LessOrEqual(t, bytes.Count(input[s.Offset:s.Offset+s.Length], []byte("\n")), 1)
			}
			end, rows = s.Offset+s.Length, rows+s.Rows+s.Invalid
		}
		require.EqualValues(t, len(input), end)
		require.Equal(t, survey.Rows, rows)
		require.EqualValues(t, survey.Invalid, strings.Count(invalid.String(), "\n"))
	})
}

// Whatever a provider sends, each row that was asked stands in exactly one file
// and every line of every file is an object with a custom_id.
func FuzzJoin(f *testing.F) {
	for _, seed := range [][2]string{
		{"", ""},
		{lines(success("a"), failure("b")), lines(unanswered("c", "batch_expired"))},
		{lines(success("z"), success("a"), success("a")) + `{"custom_id":"b","resp`, "\r\n\n \n"},
		{`{"custom_id":"a","response":{"status_code":200,"body":{"usage":[]}}}`, "\xff\n[]\nnull"},
		{`{"custom_id":"a","response":{"body":{"usage":{"input_tokens":1e999}}}}`, `{"custom_id":"\ud83d"}`},
	} {
		f.Add([]byte(seed[0]), []byte(seed[1]))
	}
	asked := []string{"a", "b", "c", "é"}
	f.Fuzz(func(t *testing.T, output, errs []byte) {
		got, err := tryJoin(t.Context(), jsonl.Join{Absent: jsonl.ClassMissing, MaxLine: 4 << 10}, rows(asked...), string(output), string(errs))
		require.NoError(t, err)
		var ids []string
		for _, content := range []string{got.results, got.failures, got.unmatched} {
			for line := range strings.Lines(content) {
				var o struct {
					CustomID *string `json:"custom_id"`
				}
				require.True(t, strings.HasSuffix(line, "\n"))
				require.NoError(t, json.Unmarshal([]byte(line), &o), line)
				require.NotNil(t, o.CustomID)
				if content != got.unmatched {
					ids = append(ids, *o.CustomID)
				}
			}
		}
		require.ElementsMatch(t, asked, ids)
		require.EqualValues(t, strings.Count(got.results, "\n"), got.tally.Succeeded)
		require.EqualValues(t, strings.Count(got.unmatched, "\n"), got.tally.Unmatched+got.tally.Malformed)
		_ = jsonl.CheckTail(bytes.NewReader(output), int64(len(output)))
	})
}
