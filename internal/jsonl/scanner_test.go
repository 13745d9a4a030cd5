package jsonl_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/jsonl"
)

type found struct {
	Number, Offset int64
	Text           string
	TooLong        bool
}

func TestScanner(t *testing.T) {
	tests := map[string]struct {
		in    string
		want  []found
		blank int64
		bom   bool
	}{
		"empty":                  {in: ""},
		"lines":                  {in: "a\nb\n", want: []found{{1, 0, "a", false}, {2, 2, "b", false}}},
		"no final newline":       {in: "a\nb", want: []found{{1, 0, "a", false}, {2, 2, "b", false}}},
		"CRLF":                   {in: "a\r\nb\r\n", want: []found{{1, 0, "a", false}, {2, 3, "b", false}}},
		"blank lines":            {in: "\n \t\r\na\n\n\nb\n  ", want: []found{{3, 5, "a", false}, {6, 9, "b", false}}, blank: 5},
		"byte order mark":        {in: "\xef\xbb\xbfa\nb", want: []found{{1, 3, "a", false}, {2, 5, "b", false}}, bom: true},
		"only a mark":            {in: "\xef\xbb\xbf", bom: true, blank: 1},
		"a mark later":           {in: "a\n\xef\xbb\xbfb", want: []found{{1, 0, "a", false}, {2, 2, "\xef\xbb\xbfb", false}}},
		"exactly the limit":      {in: "1234567\nb", want: []found{{1, 0, "1234567", false}, {2, 8, "b", false}}},
		"over the limit":         {in: "12345678\nb", want: []found{{1, 0, "12345678", true}, {2, 9, "b", false}}},
		"over the limit, no end": {in: "b\n123456789", want: []found{{1, 0, "b", false}, {2, 2, "123456789", true}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := jsonl.NewScanner(iotest.OneByteReader(strings.NewReader(tt.in)), 8)
			var got []found
			for s.Scan() {
				l := s.Line()
				got = append(got, found{l.Number, l.Offset, string(l.Text), l.TooLong})
			}
			require.NoError(t, s.Err())
			require.Equal(t, tt.want, got)
			require.Equal(t, tt.blank, s.Blank())
			require.Equal(t, tt.bom, s.BOM())
			require.EqualValues(t, len(tt.in), s.Offset())
		})
	}
}

// A line that does not fit the read buffer takes another way through the code.
func TestScannerLongLines(t *testing.T) {
	for _, size := range []int{256<<10 - 1, 256 << 10, 256<<10 + 1, 1 << 20} {
		long := strings.Repeat("x", size)
		in := "a\n" + long + "\nb\n" + long
		s := jsonl.NewScanner(strings.NewReader(in), 0)
		var got []string
		for s.Scan() {
			require.Equal(t, string(s.Line().Text), in[s.Line().Offset:][:len(s.Line().Text)])
			got = append(got, string(s.Line().Text))
		}
		require.NoError(t, s.Err())
		require.Equal(t, []string{"a", long, "b", long}, got)

		short := jsonl.NewScanner(strings.NewReader(in), 1<<10)
		require.True(t, short.Scan())
		require.True(t, short.Scan())
		require.True(t, short.Line().TooLong)
		require.Equal(t, long[:4<<10], string(short.Line().Text))
		require.True(t, short.Scan())
		require.Equal(t, "b", string(short.Line().Text))
		require.EqualValues(t, 3, short.Line().Number)
	}
}

func TestScannerReportsAReadError(t *testing.T) {
	broken := errors.New("connection lost")
	s := jsonl.NewScanner(io.MultiReader(strings.NewReader("a\nhalf"), iotest.ErrReader(broken)), 0)
	require.True(t, s.Scan())
	require.False(t, s.Scan())
	require.ErrorIs(t, s.Err(), broken)
	require.ErrorContains(t, s.Err(), "line 2")
	require.False(t, s.Scan(), "it stays ended")
}
