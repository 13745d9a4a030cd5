package blobstore_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"batchkeeper/batch"
	"batchkeeper/internal/blobstore"
)

var errBroken = errors.New("the source broke")

func TestWriteAtomicPublishesTheWhole(t *testing.T) {
	eachStore(t, func(t *testing.T, s *blobstore.Store) {
		ref := put(t, s, "runs/nightly%2F1/results.jsonl", "hello")
		sum := sha256.Sum256([]byte("hello"))
		require.Equal(t, batch.Ref{Key: "runs/nightly%2F1/results.jsonl", Size: 5, SHA256: hex.EncodeToString(sum[:])}, ref)
		require.Equal(t, "hello", get(t, s, ref.Key, 0, -1))

		size, err := s.Stat(t.Context(), ref.Key)
		require.NoError(t, err)
		require.EqualValues(t, 5, size)
	})
}

func TestWriteAtomicReplaces(t *testing.T) {
	eachStore(t, func(t *testing.T, s *blobstore.Store) {
		put(t, s, "a/b", "the old and longer bytes")
		put(t, s, "a/b", "new")
		require.Equal(t, "new", get(t, s, "a/b", 0, -1))
		put(t, s, "a/empty", "")
		require.Empty(t, get(t, s, "a/empty", 0, -1))
	})
}

func TestWriteAtomicLeavesNothingBehind(t *testing.T) {
	tests := map[string]func(cancel context.CancelFunc) func(io.Writer) error{
		"the function fails at once": func(context.CancelFunc) func(io.Writer) error {
			return func(io.Writer) error { return errBroken }
		},
		"the function fails midway": func(context.CancelFunc) func(io.Writer) error {
			return func(w io.Writer) error { return errors.Join(text(strings.Repeat("x", 1<<20))(w), errBroken) }
		},
		"its source fails midway": func(context.CancelFunc) func(io.Writer) error {
			return func(w io.Writer) error {
				_, err := io.Copy(w, io.MultiReader(strings.NewReader("half"), brokenReader{}))
				return err
			}
		},
		"the context ends midway": func(cancel context.CancelFunc) func(io.Writer) error {
			return func(w io.Writer) error {
				err := text("half")(w)
				cancel()
				return err
			}
		},
	}
	for name, failing := range tests {
		t.Run(name, func(t *testing.T) {
			eachStore(t, func(t *testing.T, s *blobstore.Store) {
				put(t, s, "kept", "before")
				for _, key := range []string{"new/one", "kept"} {
					ctx, cancel := context.WithCancel(t.Context())
					_, err := s.WriteAtomic(ctx, key, failing(cancel))
					cancel()
					require.Error(t, err)
					require.True(t, errors.Is(err, errBroken) || errors.Is(err, context.Canceled), err)
				}
				require.Equal(t, []string{"kept"}, keys(t, s, ""))
				require.Equal(t, "before", get(t, s, "kept", 0, -1))
			})
		})
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errBroken }

func TestWriteAtomicSurvivesAPanic(t *testing.T) {
	eachStore(t, func(t *testing.T, s *blobstore.Store) {
		require.Panics(t, func() {
			_, _ = s.WriteAtomic(t.Context(), "a", func(w io.Writer) error {
				_ = text("half")(w)
				panic("midway")
			})
		})
		require.Empty(t, keys(t, s, ""))
	})
}

func TestWritesCanBeNestedAndAbandoned(t *testing.T) {
	eachStore(t, func(t *testing.T, s *blobstore.Store) {
		_, err := s.WriteAtomic(t.Context(), "outer", func(outer io.Writer) error {
			_, inner := s.WriteAtomic(t.Context(), "inner", func(io.Writer) error { return errBroken })
			require.ErrorIs(t, inner, errBroken)
			return text("whole")(outer)
		})
		require.NoError(t, err)
		require.Equal(t, []string{"outer"}, keys(t, s, ""))
	})
}
