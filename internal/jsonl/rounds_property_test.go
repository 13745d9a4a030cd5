package jsonl_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"batchkeeper/internal/jsonl"
)

// finish makes a shard's final files and compares them with the model's.
func (s *simulation) finish(shard *modelShard) {
	got, err := tryFinal(s, jsonl.Final{
		Input: strings.NewReader(shard.raw), FirstLine: shard.first, Skip: strings.NewReader(s.invalid), Rounds: shard.rounds,
		Absent: jsonl.Absent{Class: jsonl.ClassCancelled, Cause: "not sent"},
	}, func(f jsonl.Final) (jsonl.FinalTally, error) { return f.Run(s.Context()) })
	require.NoError(s, err)
	var results, failures []string
	tally := jsonl.FinalTally{}
	for _, e := range shard.entries {
		tally.Rows++
		switch {
		case e.id == "":
			tally.Invalid++
			failures = append(failures, invalidLine(e.line))
		case e.round > 0 && e.outcome.class == "":
			tally.Answered++
			results = append(results, e.finalAnswer())
		default:
			failures = append(failures, e.finalFailure(s.T))
		}
	}
	require.Equal(s, results, split1(got.results))
	require.Equal(s, failures, split1(got.failures))
	require.Equal(s, tally.Rows, got.tally.Rows)
	require.Equal(s, tally.Answered, got.tally.Answered)
	require.Equal(s, tally.Invalid, got.tally.Invalid)
	require.Equal(s, tally.Rows-tally.Answered-tally.Invalid, got.tally.Failed.Total())
	require.Equal(s, 7*tally.Answered, got.tally.Usage.TotalTokens)
}

func (e *modelEntry) mark() string {
	return fmt.Sprintf(`,"batchkeeper":{"round":%d,"batch_id":%q}}`, e.round, e.batch)
}

func (e *modelEntry) finalAnswer() string {
	return strings.TrimSuffix(strings.TrimSuffix(e.answer, ` , "batchkeeper":1} `), "}") + e.mark()
}

func (e *modelEntry) finalFailure(t *rapid.T) string {
	said := struct{ Response, Error json.RawMessage }{}
	if e.answer != "" {
		require.NoError(t, json.Unmarshal([]byte(e.answer), &said))
	}
	class, mark, raw := e.outcome.class, e.mark(), func(m json.RawMessage) string {
		if m == nil {
			return "null"
		}
		return string(m)
	}
	if e.round == 0 {
		class, mark, said.Error = jsonl.ClassCancelled, "}", json.RawMessage(`{"message":"not sent"}`)
	}
	var quoted bytes.Buffer
	enc := json.NewEncoder(&quoted)
	enc.SetEscapeHTML(false)
	require.NoError(t, enc.Encode(e.id))
	id := strings.ReplaceAll(strings.TrimSpace(quoted.String()), `\u2028`, "\u2028")
	return fmt.Sprintf(`{"custom_id":%s,"class":%q,"line":%d,"response":%s,"error":%s%s`, id, class, e.line, raw(said.Response), raw(said.Error), mark)
}

// Whatever fails in which round, and however leftovers share batches, the final
// files say of every row what the last round that carried it said.
func TestRoundsAgreeWithTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSimulation(t)
		s.first()
		last := rapid.IntRange(1, 4).Draw(t, "rounds")
		for number := 2; number <= last; number++ {
			s.further(number)
		}
		for _, shard := range s.shards {
			s.finish(shard)
		}
	})
}
