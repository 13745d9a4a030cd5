package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"batchkeeper/batch"
	"batchkeeper/internal/blobstore"
)

func put(t *testing.T, store *blobstore.Store, key, content string) batch.ManifestFile {
	t.Helper()
	ref, err := store.WriteAtomic(t.Context(), key, func(w io.Writer) error {
		_, err := io.WriteString(w, content)
		return err
	})
	require.NoError(t, err)
	return batch.ManifestFile{Name: key, Size: ref.Size, SHA256: ref.SHA256}
}

// Below the folder of a bulk run are results of its batches, which are not its own.
func TestTheLatestResultIsTheRunsOwn(t *testing.T) {
	store := memory(t)
	put(t, store, "b1/the-run/work/r1/s00042/manifest.json", "{}")
	prefix, err := latestPrefix(t.Context(), store, "b1")
	require.NoError(t, err)
	require.Empty(t, prefix)
	put(t, store, "b1/the-run/manifest.json", "{}")
	put(t, store, "b1/the-run/work/r1/s00043/manifest.json", "{}")
	prefix, err = latestPrefix(t.Context(), store, "b1")
	require.NoError(t, err)
	require.Equal(t, "b1/the-run", prefix)
}

// The manifest of a copy is of the files that are there, however often it is made.
func TestTheCopyOfABulkRunHasAManifestOfItsFiles(t *testing.T) {
	store, dir := memory(t), t.TempDir()
	m := batch.Manifest{Version: 1, WorkflowID: "b1", Outcome: batch.OutcomeCompleted, Bulk: &batch.ManifestBulk{Shards: 2}, BatchIDs: []string{"batch_1"}}
	for name, content := range map[string]string{
		"results/00001.jsonl": "a\n", "results/00002.jsonl": "b\n", "failures/00001.jsonl": "", "failures/00002.jsonl": "c\n",
	} {
		file := put(t, store, "b1/t/"+name, content)
		file.Name = name
		m.Files = append(m.Files, file)
	}
	raw, err := json.Marshal(m)
	require.NoError(t, err)
	put(t, store, "b1/t/manifest.json", string(raw))

	var first []byte
	for range 2 {
		got, err := copyTo(t.Context(), store, "b1/t", dir)
		require.NoError(t, err)
		onDisk := requireManifest(t, dir)
		require.Equal(t, got, onDisk)
		onDisk.Files, m.Files = nil, nil
		require.Equal(t, m, onDisk, "the rest is as in the store")
		written, err := os.ReadFile(filepath.Join(dir, batch.FileManifest))
		require.NoError(t, err)
		if first != nil {
			require.Equal(t, string(first), string(written))
		}
		first = written
	}
}

// requireManifest demands that the manifest in a directory describes exactly the
// files beside it.
func requireManifest(t *testing.T, dir string) batch.Manifest {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, batch.FileManifest))
	require.NoError(t, err)
	var m batch.Manifest
	require.NoError(t, json.Unmarshal(raw, &m))
	there, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, m.Files, len(there)-1)
	for _, f := range m.Files {
		content, err := os.ReadFile(filepath.Join(dir, f.Name))
		require.NoError(t, err)
		sum := sha256.Sum256(content)
		require.Equal(t, batch.ManifestFile{Name: f.Name, Size: int64(len(content)), SHA256: hex.EncodeToString(sum[:])}, f)
	}
	return m
}
