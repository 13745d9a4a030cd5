package strictjson_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/strictjson"
)

type envelope struct {
	ID   string `json:"id"`
	Data struct {
		ID string `json:"id"`
	} `json:"data"`
}

func TestUnmarshal(t *testing.T) {
	nested := func(depth int) string {
		return `{"x":` + strings.Repeat("[", depth-1) + strings.Repeat("]", depth-1) + `}`
	}
	for name, tc := range map[string]struct{ in, id, refused string }{
		"plain":                   {in: `{"id":"a","data":{"id":"b"}}`, id: "a"},
		"white space around":      {in: " \n{\"id\":\"a\"}\r\n", id: "a"},
		"unknown fields":          {in: `{"id":"a","more":{"id":"z"}}`, id: "a"},
		"another case is unknown": {in: `{"ID":"a"}`},
		"brackets in strings":     {in: `{"id":"` + strings.Repeat(`[{\"`, 100) + `"}`, id: strings.Repeat(`[{"`, 100)},
		"deepest":                 {in: nested(64)},
		"too deep":                {in: nested(65), refused: "64 levels"},
		"far too deep":            {in: strings.Repeat("[", 1<<20), refused: "64 levels"},
		"duplicate":               {in: `{"id":"a","id":"b"}`, refused: "duplicate"},
		"duplicate inside":        {in: `{"data":{"id":"a","id":"a"}}`, refused: "duplicate"},
		"duplicate by escape":     {in: `{"id":"a","\u0069d":"b"}`, refused: "duplicate"},
		"duplicate unknown":       {in: `{"id":"a","x":[{"y":1,"y":2}]}`, refused: "duplicate"},
		"bad UTF-8":               {in: "{\"id\":\"a\xff\"}", refused: "UTF-8"},
		"lone surrogate":          {in: `{"id":"\ud800"}`, refused: "surrogate"},
		"trailing value":          {in: `{"id":"a"}{"id":"b"}`, refused: "after top-level value"},
		"trailing text":           {in: `{"id":"a"}x`, refused: "after top-level value"},
		"empty":                   {in: ``, refused: "EOF"},
		"cut":                     {in: `{"id":"a"`, refused: "EOF"},
		"control in string":       {in: "{\"id\":\"a\n\"}", refused: "invalid character"},
	} {
		t.Run(name, func(t *testing.T) {
			var got envelope
			err := strictjson.Unmarshal([]byte(tc.in), &got)
			if tc.refused != "" {
				require.ErrorContains(t, err, tc.refused)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tc.id, got.ID)
		})
	}
}

func TestPlain(t *testing.T) {
	for in, want := range map[string]string{
		`{"a":"\u0061\/\ud83d\ude00\n"}`: `{"a":"a/😀\n"}`,
		`{"a":1e400, "b" : 0.10 }`:       `{"a":1e400, "b" : 0.10 }`,
		`{"a":"\u0061"`:                  `{"a":"\u0061"`,
		`{"a":"\ud83d"}`:                 `{"a":"\ud83d"}`,
		`["\u0061",1e400]`:               `["a",1e400]`,
		"":                               "",
	} {
		require.Equal(t, want, string(strictjson.Plain([]byte(in))))
	}
	deep := strings.Repeat("[", 65) + `"\u0061"` + strings.Repeat("]", 65)
	require.Equal(t, deep, string(strictjson.Plain([]byte(deep))))
}

// Nothing but the way that strings are written changes, and no string is left
// that could have been written plainer.
func FuzzPlain(f *testing.F) {
	for _, seed := range []string{`{"a":"\u0061"}`, `"\ud800"`, `["\/",{"\u0061":1e400,"a":2}]`, `{"a":"\u0000\u2028<"}`, "\xff", ""} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		before := bytes.Clone(data)
		plain := strictjson.Plain(data)
		require.Equal(t, before, data, "the caller's bytes were changed")
		var first, second any
		if err := strictjson.Unmarshal(data, &first); err != nil {
			require.Error(t, strictjson.Unmarshal(plain, &second))
			return
		}
		require.NoError(t, strictjson.Unmarshal(plain, &second))
		require.Equal(t, first, second)
		require.Equal(t, plain, strictjson.Plain(plain))
		if text, ok := second.(string); ok {
			require.True(t, bytes.Contains(plain, []byte(text)) || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == '"' || r == '\\' }))
		}
	})
}

func FuzzUnmarshal(f *testing.F) {
	f.Add([]byte(`{"id":"a","data":{"id":"b"}}`))
	f.Add([]byte(`{"id":"a","id":"b"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var first, second any
		if strictjson.Unmarshal(data, &first) != nil {
			return
		}
		require.NoError(t, strictjson.Unmarshal(data, &second), "what was accepted once is accepted again")
		require.Equal(t, first, second)
	})
}
