package blobstore_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"batchkeeper/batch"
	"batchkeeper/internal/blobstore"
)

// stores are the kinds that every rule is checked against.
var stores = map[string]func(t *testing.T) *blobstore.Store{
	"memory": func(t *testing.T) *blobstore.Store { t.Helper(); return open(t, blobstore.Config{URL: "mem://"}) },
	"prefixed": func(t *testing.T) *blobstore.Store {
		t.Helper()
		return open(t, blobstore.Config{URL: "mem://b/team/a"})
	},
	"directory": func(t *testing.T) *blobstore.Store { t.Helper(); return openDir(t, t.TempDir()) },
}

func open(t *testing.T, cfg blobstore.Config) *blobstore.Store {
	t.Helper()
	s, err := blobstore.Open(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func openDir(t *testing.T, dir string, inputs ...string) *blobstore.Store {
	t.Helper()
	return open(t, blobstore.Config{URL: blobstore.FileURL(dir), Inputs: inputs})
}

func eachStore(t *testing.T, check func(t *testing.T, s *blobstore.Store)) {
	t.Helper()
	for name, newStore := range stores {
		t.Run(name, func(t *testing.T) { check(t, newStore(t)) })
	}
}

func text(s string) func(io.Writer) error {
	return func(w io.Writer) error { _, err := io.WriteString(w, s); return err }
}

func put(t *testing.T, s *blobstore.Store, key, content string) batch.Ref {
	t.Helper()
	ref, err := s.WriteAtomic(t.Context(), key, text(content))
	require.NoError(t, err)
	return ref
}

func get(t *testing.T, s *blobstore.Store, key string, offset, length int64) string {
	t.Helper()
	r, err := s.Read(t.Context(), key, offset, length)
	require.NoError(t, err)
	return drain(t, r)
}

func drain(t *testing.T, r io.ReadCloser) string {
	t.Helper()
	all, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	return string(all)
}

func keys(t *testing.T, s *blobstore.Store, folder string) []string {
	t.Helper()
	found := []string{}
	for o, err := range s.List(t.Context(), folder) {
		require.NoError(t, err)
		found = append(found, o.Key)
	}
	return found
}

func TestReadRanges(t *testing.T) {
	tests := []struct {
		offset, length int64
		want           string
		refused        bool
	}{
		{offset: 0, length: -1, want: "0123456789"},
		{offset: 4, length: -1, want: "456789"},
		{offset: 4, length: 3, want: "456"},
		{offset: 8, length: 100, want: "89"},
		{offset: 3, length: 0, want: ""},
		{offset: 10, length: -1, want: ""},
		{offset: 10, length: 5, want: ""},
		{offset: 11, length: -1, refused: true},
		{offset: -1, length: -1, refused: true},
		{offset: 0, length: -2, refused: true},
	}
	eachStore(t, func(t *testing.T, s *blobstore.Store) {
		put(t, s, "digits", "0123456789")
		for _, tt := range tests {
			for _, input := range []string{"digits", s.URL("digits")} {
				r, size, err := s.OpenInput(t.Context(), input, tt.offset, tt.length)
				if tt.refused {
					require.Error(t, err, tt)
					continue
				}
				require.NoError(t, err, tt)
				require.EqualValues(t, 10, size)
				require.Equal(t, tt.want, drain(t, r))
			}
			if !tt.refused {
				require.Equal(t, tt.want, get(t, s, "digits", tt.offset, tt.length))
			}
		}
	})
}

func TestWhatIsNotThere(t *testing.T) {
	eachStore(t, func(t *testing.T, s *blobstore.Store) {
		put(t, s, "folder/object", "x")
		for _, key := range []string{"nothing", "folder", "folder/object/below"} {
			_, err := s.Read(t.Context(), key, 0, -1)
			require.ErrorIs(t, err, blobstore.ErrNotFound, key)
			_, err = s.Read(t.Context(), key, 7, 1)
			require.ErrorIs(t, err, blobstore.ErrNotFound, key)
			_, err = s.Stat(t.Context(), key)
			require.ErrorIs(t, err, blobstore.ErrNotFound, key)
			_, _, err = s.OpenInput(t.Context(), s.URL(key), 0, -1)
			require.ErrorIs(t, err, blobstore.ErrNotFound, key)
		}
		require.NoError(t, s.Delete(t.Context(), "nothing"))
		require.NoError(t, s.Delete(t.Context(), "folder/object"))
		require.Empty(t, keys(t, s, ""))
	})
}

func TestListIsByFolder(t *testing.T) {
	eachStore(t, func(t *testing.T, s *blobstore.Store) {
		for _, key := range []string{"b", "a/2", "a/1", "ab/3", "a/deep/4"} {
			put(t, s, key, key)
		}
		require.Equal(t, []string{"a/1", "a/2", "a/deep/4", "ab/3", "b"}, keys(t, s, ""))
		require.Equal(t, []string{"a/1", "a/2", "a/deep/4"}, keys(t, s, "a"))
		require.Equal(t, []string{"a/1", "a/2", "a/deep/4"}, keys(t, s, "a/"))
		require.Empty(t, keys(t, s, "none"))
		for _, err := range s.List(t.Context(), "../up") {
			require.ErrorIs(t, err, blobstore.ErrBadKey)
		}
		for o, err := range s.List(t.Context(), "") { // a reader may stop early
			require.NoError(t, err)
			require.Equal(t, "a/1", o.Key)
			require.EqualValues(t, 3, o.Size)
			break
		}
	})
}

func TestLargeStream(t *testing.T) {
	const size = 32 << 20
	block := bytes.Repeat([]byte("batchkeeper\n"), 1<<13)
	eachStore(t, func(t *testing.T, s *blobstore.Store) {
		want := sha256.New()
		ref, err := s.WriteAtomic(t.Context(), "large", func(w io.Writer) error {
			_, err := io.Copy(io.MultiWriter(w, want), io.LimitReader(&repeater{block: block}, size))
			return err
		})
		require.NoError(t, err)
		require.EqualValues(t, size, ref.Size)
		require.Equal(t, hex.EncodeToString(want.Sum(nil)), ref.SHA256)

		r, err := s.Read(t.Context(), "large", 0, -1)
		require.NoError(t, err)
		got := sha256.New()
		_, err = io.Copy(got, r)
		require.NoError(t, err)
		require.NoError(t, r.Close())
		require.Equal(t, want.Sum(nil), got.Sum(nil))
	})
}

type repeater struct {
	block []byte
	at    int
}

func (r *repeater) Read(p []byte) (int, error) {
	n := copy(p, r.block[r.at:])
	r.at = (r.at + n) % len(r.block)
	return n, nil
}
