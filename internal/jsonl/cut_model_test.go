package jsonl_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"batchkeeper/internal/jsonl"
)

// modelRow is a line of which is known how it was made.
type modelRow struct {
	text     string // without its end
	id, bad  string // what is wrong with it by itself
	body     int64
	limit    int64
	isBlank  bool
	isTooBig bool // longer than a line may be
}

const modelMaxLine = 299

var cutIDs = rapid.OneOf(
	rapid.SampledFrom(ids).Filter(func(s string) bool { return s != "" }),
	rapid.Map(rapid.IntRange(0, 60), func(n int) string { return fmt.Sprint("row-", n) }),
)

func drawRow(t *rapid.T) modelRow {
	id := cutIDs.Draw(t, "id")
	quoted, _ := json.Marshal(id)
	limit := rapid.Int64Range(0, 9).Draw(t, "limit")
	content := `{"input":"` + strings.Repeat("x", rapid.IntRange(0, 80).Draw(t, "size")) + `"}`
	if limit > 0 {
		content = fmt.Sprintf(`%s,"max_tokens":%d}`, content[:len(content)-1], limit)
	}
	line := func(custom, url, body string) string {
		return fmt.Sprintf(`{%s"url":%q,"method":"POST","body":%s}`, custom, url, body)
	}
	named := fmt.Sprintf(`"custom_id":%s,`, quoted)
	switch rapid.IntRange(0, 11).Draw(t, "kind") {
	case 0:
		return modelRow{text: rapid.SampledFrom([]string{"", " ", "\t\r "}).Draw(t, "blank"), isBlank: true}
	case 1:
		return modelRow{text: "{", bad: "not valid JSON"}
	case 2:
		return modelRow{text: line("", "/v1/responses", content), bad: "custom_id is missing"}
	case 3:
		return modelRow{text: line(named, "/v1/embeddings", content), id: id, bad: "url names /v1/embeddings"}
	case 4:
		return modelRow{text: line(named, "/v1/responses", "[]"), id: id, bad: "body is not an object"}
	case 5:
		return modelRow{text: strings.Repeat("y", modelMaxLine+1), bad: "the line is longer than 299 bytes", isTooBig: true}
	default:
		return modelRow{text: line(named, "/v1/responses", content), id: id, body: int64(len(content)), limit: limit}
	}
}

type badLine struct {
	CustomID string `json:"custom_id"`
	Class    string `json:"class"`
	Line     int64  `json:"line"`
	Offset   int64  `json:"offset"`
	Length   int64  `json:"length"`
	Error    struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

// modelCut is the cut as one would write it with everything in memory. It knows
// the shards but not their part of the invalid lines.
type modelCut struct {
	limits  jsonl.Cut
	first   map[string]int64
	offset  int64
	tokens  int64    // of the last shard, before duplicates are known
	content []string // of each shard
	shards  []jsonl.Shard
	bad     []badLine
}

func newModelCut(rows []modelRow, end string, limits jsonl.Cut) *modelCut {
	m := &modelCut{limits: limits, first: map[string]int64{}}
	for i, row := range rows {
		text := row.text + end
		if i == len(rows)-1 {
			text = row.text
		}
		if text != "" { // what follows the last LF is no line
			m.take(row, text, int64(i+1))
		}
	}
	for i, content := range m.content {
		digest := sha256.Sum256([]byte(content))
		m.shards[i].SHA256 = hex.EncodeToString(digest[:])
	}
	return m
}

func (m *modelCut) take(row modelRow, text string, number int64) {
	size, tokens := int64(len(text)), int64(0)
	if most := m.limits.MaxBytes; most > 0 && size > most && row.id != "" {
		row.bad = fmt.Sprintf("the row has %d bytes; a batch may have %d", size, most)
	}
	if row.bad == "" {
		tokens = (row.body + 3) / 4
	}
	if m.isFull(row, size, tokens) {
		m.shards = append(m.shards, jsonl.Shard{Number: len(m.shards) + 1, Offset: m.offset, FirstLine: number})
		m.content, m.tokens = append(m.content, ""), 0
	}
	m.content[len(m.shards)-1] += text
	m.tokens += tokens
	s := &m.shards[len(m.shards)-1]
	s.Length += size
	if used, ok := m.first[row.id]; ok && row.bad == "" {
		row.bad = fmt.Sprintf("duplicate custom_id: first used on line %d, again on line %d", used, number)
	}
	switch {
	case row.isBlank:
	case row.bad != "":
		s.Invalid++
		bad := badLine{CustomID: row.id, Class: "invalid", Line: number, Offset: m.offset, Length: size}
		bad.Error.Code, bad.Error.Message = "invalid_row", row.bad
		m.bad = append(m.bad, bad)
	default:
		m.first[row.id] = number
		s.Rows++
		s.InputTokens += tokens
		s.MaxOutputTokens += row.limit
	}
	m.offset += size
}

func (m *modelCut) isFull(row modelRow, size, tokens int64) bool {
	if len(m.shards) == 0 || row.isTooBig {
		return true
	}
	s, limits := m.shards[len(m.shards)-1], m.limits
	return limits.MaxRows > 0 && !row.isBlank && s.Rows+s.Invalid+1 > limits.MaxRows ||
		limits.MaxBytes > 0 && s.Length+size > limits.MaxBytes ||
		limits.MaxTokens > 0 && tokens > 0 && m.tokens > 0 && m.tokens+tokens > limits.MaxTokens
}

// drawCut makes the lines of an input, and limits for its shards.
func drawCut(t *rapid.T) (rows []modelRow, end string, c jsonl.Cut) {
	row := rapid.Custom(drawRow)
	rows = rapid.OneOf(rapid.SliceOfN(row, 1, 20), rapid.SliceOfN(row, 40, 150)).Draw(t, "rows")
	if rapid.Bool().Draw(t, "final newline") {
		rows = append(rows, modelRow{isBlank: true})
	}
	limit := func(most int64) *rapid.Generator[int64] {
		return rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(1, most))
	}
	return rows, rapid.SampledFrom([]string{"\n", "\r\n"}).Draw(t, "end"), jsonl.Cut{
		Rules:   jsonl.Rules{MaxLine: modelMaxLine, Endpoint: "/v1/responses", MaxRows: 1, MaxBytes: 1},
		MaxRows: limit(9).Draw(t, "max rows"), MaxBytes: limit(900).Draw(t, "max bytes"), MaxTokens: limit(60).Draw(t, "max tokens"),
		Memory: rapid.SampledFrom([]int{1, 256, 1 << 10, 0}).Draw(t, "memory"),
	}
}

// With the smallest memory every few rows are a run of their own, and the runs
// are merged two at a time.
func TestCutAgreesWithTheModel(t *testing.T) {
	spilled := false
	rapid.Check(t, func(t *rapid.T) {
		rows, end, c := drawCut(t)
		texts := make([]string, len(rows))
		for i, row := range rows {
			texts[i] = row.text
		}
		input := strings.Join(texts, end)
		model := newModelCut(rows, end, c)

		files := &spills{}
		var invalid strings.Builder
		c.Input, c.Invalid, c.Spill = strings.NewReader(input), &invalid, files.make
		got, err := c.Run(t.Context())
		require.NoError(t, err)
		require.Zero(t, files.open, "temporary space is left")
		spilled = spilled || files.made > 4
		requireBadLines(t, got, model.bad, invalid.String())
		requireShards(t, got, model.shards, invalid.String())
		digest := sha256.Sum256([]byte(input))
		require.Equal(t, hex.EncodeToString(digest[:]), got.SHA256)
		require.EqualValues(t, len(input), got.Bytes)
	})
	require.True(t, spilled, "no run of this test has merged several times")
}

func requireBadLines(t *rapid.T, got jsonl.Survey, bad []badLine, invalid string) {
	require.EqualValues(t, len(bad), got.Invalid)
	lines := split1(invalid)
	require.Len(t, lines, len(bad))
	for i, line := range lines {
		var b badLine
		require.NoError(t, json.Unmarshal([]byte(line), &b))
		require.Contains(t, b.Error.Message, bad[i].Error.Message)
		b.Error.Message = bad[i].Error.Message
		require.Equal(t, bad[i], b)
		if i < 20 {
			require.Equal(t, b.Line, got.Problems[i+len(got.Problems)-min(20, len(bad))].Line)
		}
	}
}

func requireShards(t *rapid.T, got jsonl.Survey, shards []jsonl.Shard, invalid string) {
	var rows, input, output int64
	var parts strings.Builder
	require.Len(t, got.Shards, len(shards))
	for i, s := range got.Shards {
		part := invalid[s.InvalidOffset : s.InvalidOffset+s.InvalidLength]
		require.EqualValues(t, s.Invalid, strings.Count(part, "\n"))
		parts.WriteString(part)
		rows, input, output = rows+s.Rows+s.Invalid, input+s.InputTokens, output+s.MaxOutputTokens
		s.InvalidOffset, s.InvalidLength = 0, 0
		require.Equal(t, shards[i], s)
	}
	require.Equal(t, invalid, parts.String())
	require.Equal(t, got.Rows, rows)
	require.Equal(t, got.InputTokens, input)
	require.Equal(t, got.MaxOutputTokens, output)
}
