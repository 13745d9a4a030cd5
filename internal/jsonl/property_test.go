package jsonl_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"batchkeeper/internal/jsonl"
)

// The ids are awkward on purpose: they need escapes, or look alike.
var ids = []string{"a", "A", "a ", " a", "é", "e\u0301", `"`, `\`, "\n", "日本", "../../x", "\u2028", "😀", "", "null", "0"}

var answerKinds = []func(id string) string{
	success, failure,
	func(id string) string { return unanswered(id, "batch_expired") },
	func(id string) string { return unanswered(id, "batch_cancelled") },
	func(id string) string { return unanswered(id, "request_timeout") },
	func(id string) string { return success(id)[:len(success(id))-5] },
	func(string) string { return "nonsense" },
	func(string) string { return " " },
}

type wire struct {
	CustomID string `json:"custom_id"`
	Response *struct {
		Status int `json:"status_code"`
		Body   any `json:"body"`
	} `json:"response"`
	Error *struct {
		Code string `json:"code"`
	} `json:"error"`
}

func (w wire) ok() bool {
	return w.Error == nil && w.Response != nil && w.Response.Status/100 == 2 && w.Response.Body != nil
}

func parse(line string) (w wire, ok bool) {
	err := json.Unmarshal([]byte(line), &w)
	return w, err == nil && w.CustomID != ""
}

// modelJoin is the join as one would write it with everything in memory.
func modelJoin(asked, answers []string) (results, failures, unmatched []string, tally jsonl.Tally) {
	best, strays := map[string]string{}, map[string]int{}
	isAsked := map[string]bool{}
	for _, id := range asked {
		isAsked[id] = true
	}
	for _, line := range answers {
		w, ok := parse(line)
		switch {
		case strings.TrimSpace(line) == "":
		case !ok:
			tally.Malformed++
			unmatched = append(unmatched, "malformed")
		case !isAsked[w.CustomID]:
			tally.Unmatched++
			unmatched = append(unmatched, line)
		default:
			strays[w.CustomID]++
			old, known := best[w.CustomID]
			was, _ := parse(old)
			if !known || w.ok() && !was.ok() {
				best[w.CustomID] = line
			}
		}
	}
	for _, id := range asked {
		tally.Rows++
		line, known := best[id]
		w, _ := parse(line)
		switch {
		case !known:
			tally.Missing++
			failures = append(failures, id+" missing")
			continue
		case w.ok():
			tally.Succeeded++
			results = append(results, line)
		case w.Error != nil && w.Error.Code == "batch_expired":
			tally.Expired++
			failures = append(failures, id+" expired")
		case w.Error != nil && w.Error.Code == "batch_cancelled":
			tally.Cancelled++
			failures = append(failures, id+" cancelled")
		default:
			tally.Failed++
			failures = append(failures, id+" row_error")
		}
		tally.Duplicates += int64(strays[id] - 1)
	}
	return results, failures, unmatched, tally
}

func TestJoinAgreesWithTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		asked := rapid.SliceOfNDistinct(rapid.SampledFrom(ids).Filter(func(s string) bool { return s != "" }), 0, 12, rapid.ID).Draw(t, "asked")
		answers := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string {
			return rapid.SampledFrom(answerKinds).Draw(t, "kind")(rapid.SampledFrom(ids).Draw(t, "id"))
		}), 0, 40).Draw(t, "answers")
		split := rapid.IntRange(0, len(answers)).Draw(t, "split")
		end := rapid.SampledFrom([]string{"\n", "\r\n", "\n\n", "\n \r\n"}).Draw(t, "end")
		write := func(lines []string) string {
			all := strings.Join(lines, end)
			if rapid.Bool().Draw(t, "final newline") {
				all += end
			}
			return all
		}
		input, output, errs := write(askedRows(asked)), write(answers[:split]), write(answers[split:])

		got, err := tryJoin(t.Context(), jsonl.Join{Absent: jsonl.ClassMissing}, input, output, errs)
		require.NoError(t, err)
		again, err := tryJoin(t.Context(), jsonl.Join{Absent: jsonl.ClassMissing}, input, output, errs)
		require.NoError(t, err)
		require.Equal(t, got, again, "the same input gives the same bytes")

		results, failures, unmatched, tally := modelJoin(asked, answers)
		usage := int64(len(results))
		tally.Usage = jsonl.Usage{InputTokens: 3 * usage, OutputTokens: 4 * usage, TotalTokens: 7 * usage}
		require.Equal(t, tally, got.tally)
		require.Equal(t, results, split1(got.results))
		require.Equal(t, failures, classes(t, got.failures))
		require.Equal(t, unmatched, strayLines(t, got.unmatched))
		require.Equal(t, tally.Rows, tally.Succeeded+tally.Failed+tally.Expired+tally.Cancelled+tally.Missing)
	})
}

func askedRows(ids []string) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		quoted, _ := json.Marshal(id)
		out[i] = fmt.Sprintf(`{"custom_id":%s,"method":"POST","url":"/v1/responses","body":{}}`, quoted)
	}
	return out
}

// split1 is the lines of a file; nil of an empty one.
func split1(content string) []string {
	if content == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(content, "\n"), "\n")
}

func classes(t *rapid.T, content string) (out []string) {
	for _, line := range split1(content) {
		var f struct {
			CustomID string `json:"custom_id"`
			Class    string `json:"class"`
			Line     int64  `json:"line"`
		}
		require.NoError(t, json.Unmarshal([]byte(line), &f))
		require.Positive(t, f.Line)
		out = append(out, f.CustomID+" "+f.Class)
	}
	return out
}

func strayLines(t *rapid.T, content string) (out []string) {
	for _, line := range split1(content) {
		require.True(t, json.Valid([]byte(line)), line)
		if strings.HasPrefix(line, `{"custom_id":"","malformed":`) {
			line = "malformed"
		}
		out = append(out, line)
	}
	return out
}

// An input that passes is one that a plain reader understands the same way.
func TestInspectAgreesWithTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		asked := rapid.SliceOfN(rapid.SampledFrom(ids), 0, 12).Draw(t, "asked")
		input := strings.Join(askedRows(asked), rapid.SampledFrom([]string{"\n", "\r\n", "\n\n"}).Draw(t, "end"))
		bad := int64(0)
		seen := map[string]bool{}
		for _, id := range asked {
			if id == "" || seen[id] {
				bad++
			}
			seen[id] = true
		}
		if len(asked) == 0 {
			bad = 1
		}
		sum, err := jsonl.Inspect(t.Context(), strings.NewReader(input), jsonl.Rules{}, nil)
		require.NoError(t, err)
		require.Equal(t, bad, sum.Bad)
		require.EqualValues(t, len(asked), sum.Rows)
		require.EqualValues(t, len(input), sum.Bytes)
	})
}
