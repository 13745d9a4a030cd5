package jsonl_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/jsonl"
)

// everyOther is an input whose second half repeats the ids of the first.
func everyOther(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%s\n", good(fmt.Sprint(i%(n/2))))
	}
	return b.String()
}

// Whatever goes wrong with the temporary space, and whenever: the cut says so and
// gives back all that it has taken.
func TestCutWithBrokenSpills(t *testing.T) {
	input := everyOther(200)
	whole := &spills{}
	_, err := jsonl.Cut{Input: strings.NewReader(input), Spill: whole.make, Memory: 1 << 10}.Run(t.Context())
	require.NoError(t, err)
	require.Greater(t, whole.made, 4)

	tests := map[string]struct {
		files *spills
		want  error
	}{
		"cannot be read":   {&spills{failRead: errBadDisk}, errBadDisk},
		"cannot be closed": {&spills{failClose: errBadDisk}, errBadDisk},
	}
	for n := range whole.made {
		tests[fmt.Sprintf("cannot be made %d", n+1)] = struct {
			files *spills
			want  error
		}{&spills{failOpen: n + 1}, errNoSpace}
	}
	for n := 0; n < whole.writes; n += 7 {
		tests[fmt.Sprintf("cannot be written %d", n+1)] = struct {
			files *spills
			want  error
		}{&spills{failWrite: n + 1}, errNoSpace}
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			survey, err := jsonl.Cut{Input: strings.NewReader(input), Spill: tt.files.make, Memory: 1 << 10}.Run(t.Context())
			require.ErrorIs(t, err, tt.want)
			require.Zero(t, survey)
			require.Zero(t, tt.files.open, "temporary space is left")
		})
	}
}

func TestCutWithoutSpills(t *testing.T) {
	_, err := jsonl.Cut{Input: strings.NewReader(everyOther(200)), Memory: 1 << 10}.Run(t.Context())
	require.ErrorContains(t, err, "no temporary space")
	survey, _ := cutInput(t, everyOther(200), jsonl.Cut{})
	require.EqualValues(t, 100, survey.Invalid)
}

func TestCutSmallInputNeedsNoSpill(t *testing.T) {
	files := &spills{}
	survey, _ := cutInput(t, everyOther(200), jsonl.Cut{Spill: files.make})
	require.EqualValues(t, 100, survey.Invalid)
	require.Zero(t, files.made)
}

func TestCutStopsForAnErrorOnly(t *testing.T) {
	broken := errors.New("connection lost")
	files := &spills{}
	half := io.MultiReader(strings.NewReader(everyOther(200)), iotest.ErrReader(broken))
	_, err := jsonl.Cut{Input: half, Spill: files.make, Memory: 1 << 10}.Run(t.Context())
	require.ErrorIs(t, err, broken)
	require.ErrorContains(t, err, "line 201")
	require.NotZero(t, files.made)
	require.Zero(t, files.open)

	_, err = jsonl.Cut{Input: strings.NewReader(everyOther(200)), Invalid: brokenWriter{errNoSpace}, Spill: files.make, Memory: 1 << 10}.Run(t.Context())
	require.ErrorIs(t, err, errNoSpace)
	require.ErrorContains(t, err, "invalid lines")
	require.Zero(t, files.open)
}

// The context ends the reading and, with all of the input read, the search too.
func TestCutIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := jsonl.Cut{Input: strings.NewReader(good("a"))}.Run(ctx)
	require.ErrorIs(t, err, context.Canceled)

	const n = 20_000
	rows := newGenerated(n, padded(rowFormat, 0))
	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	files := &spills{}
	after := 0
	_, err = jsonl.Cut{
		Input: rows.reader(), Spill: files.make, Memory: 256 << 10,
		Progress: func(_, bytes int64) {
			if bytes < rows.bytes() {
				return
			}
			if after++; after == 2 { // the first may still belong to the last read
				cancel()
			}
		},
	}.Run(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.NotZero(t, files.made)
	require.Zero(t, files.open)
	require.GreaterOrEqual(t, after, 2, "progress is told while the duplicates are searched")
}
