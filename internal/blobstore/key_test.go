package blobstore_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/blobstore"
)

var badKeys = map[string]string{
	"empty":              "",
	"absolute":           "/etc/passwd",
	"parent":             "..",
	"parent first":       "../x",
	"parent inside":      "a/../../x",
	"parent last":        "a/..",
	"self":               ".",
	"self inside":        "a/./b",
	"empty segment":      "a//b",
	"trailing slash":     "a/",
	"backslash":          `a\..\b`,
	"NUL":                "a\x00b",
	"line feed":          "a\nb",
	"delete character":   "a\x7fb",
	"not UTF-8":          "a\xffb",
	"unfinished write":   "results.jsonl.18c2.tmp",
	"attributes":         "results.jsonl.attrs",
	"too long":           strings.Repeat("abcdefg/", 200) + "x",
	"a segment too long": strings.Repeat("a", 231),
}

func TestCheckKey(t *testing.T) {
	for name, key := range badKeys {
		t.Run(name, func(t *testing.T) { require.ErrorIs(t, blobstore.CheckKey(key), blobstore.ErrBadKey) })
	}
	for _, key := range []string{"a", "a/b/c.jsonl", "..a/b..c", "a../b", "...", "nightly%2F..%2F/x", "日本/é", strings.Repeat("a", 230)} {
		require.NoError(t, blobstore.CheckKey(key), key)
	}
}

func TestBadKeysAreRefusedByEveryMethod(t *testing.T) {
	eachStore(t, func(t *testing.T, s *blobstore.Store) {
		for name, key := range badKeys {
			_, err := s.WriteAtomic(t.Context(), key, text("x"))
			require.ErrorIs(t, err, blobstore.ErrBadKey, name)
			_, err = s.Read(t.Context(), key, 0, -1)
			require.ErrorIs(t, err, blobstore.ErrBadKey, name)
			_, err = s.Stat(t.Context(), key)
			require.ErrorIs(t, err, blobstore.ErrBadKey, name)
			require.ErrorIs(t, s.Delete(t.Context(), key), blobstore.ErrBadKey, name)
			_, _, err = s.OpenInput(t.Context(), key, 0, -1)
			require.ErrorIs(t, err, blobstore.ErrBadKey, name)
		}
		require.Empty(t, keys(t, s, ""))
	})
}
