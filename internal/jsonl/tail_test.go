package jsonl_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/jsonl"
)

func TestCheckTail(t *testing.T) {
	long := strings.Repeat("x", 200<<10)
	tests := map[string]struct {
		content string
		cut     bool
	}{
		"empty":                     {"", false},
		"ends with LF":              {"{}\n", false},
		"ends with CRLF":            {"{}\r\n", false},
		"LF after nonsense":         {"{\n", false},
		"a whole last line":         {"{\n{}", false},
		"white space at the end":    {"{}\n  ", false},
		"the only line, cut":        {`{"custom_id":"a`, true},
		"the last line, cut":        {"{}\n{\"custom_id\":\"a\"", true},
		"cut inside a character":    {"{}\n{\"a\":\"\xc3", true},
		"a long whole last line":    {"{}\n{\"a\":\"" + long + "\"}", false},
		"a long last line, cut":     {"{}\n{\"a\":\"" + long + "\"", true},
		"longer than a line may be": {"{}\n{\"a\":\"" + strings.Repeat("x", 17<<20) + "\"}", true},
		"cut where another began":   {"{}\n{}{", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := jsonl.CheckTail(strings.NewReader(tt.content), int64(len(tt.content)))
			if tt.cut {
				require.ErrorIs(t, err, jsonl.ErrCutTail)
			} else {
				require.NoError(t, err)
			}
		})
	}
	err := jsonl.CheckTail(strings.NewReader("{}\n"), 10)
	require.Error(t, err)
	require.NotErrorIs(t, err, jsonl.ErrCutTail)
}
