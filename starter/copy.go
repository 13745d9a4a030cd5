package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"time"

	"batchkeeper"
	"batchkeeper/batch"
	"batchkeeper/internal/blobstore"
)

// maxManifest bounds what is read of a manifest, in bytes.
const maxManifest = 64 << 20

// copyResults copies the files of a run into a directory, whatever the outcome,
// where there is a manifest.
func (a app) copyResults(ctx context.Context, r *batchkeeper.Run, store *blobstore.Store, result batch.Result, dir string) error {
	prefix := ""
	if result.Results != nil {
		prefix = result.Results.Prefix
	}
	if prefix == "" {
		job, err := r.Job(ctx)
		if err != nil {
			return err
		}
		prefix = resultsPrefix(r.ID(), job, result)
	}
	_, err := copyTo(ctx, store, prefix, dir)
	if errors.Is(err, blobstore.ErrNotFound) && result.Results == nil {
		a.say("there are no results to copy: the run ended %s", result.Outcome)
		return nil
	}
	return err
}

// copyTo copies a result into a directory, the manifest last, and returns the
// manifest of the copy: as in the store, but that it names a bulk run's files whole.
// A file that differs from what the manifest says of it is not copied.
func copyTo(ctx context.Context, store *blobstore.Store, prefix, dir string) (batch.Manifest, error) {
	raw, manifest, err := readManifest(ctx, store, prefix)
	if err != nil {
		return batch.Manifest{}, err
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return batch.Manifest{}, err
	}
	to, err := blobstore.Open(ctx, blobstore.Config{URL: blobstore.FileURL(abs)})
	if err != nil {
		return batch.Manifest{}, err
	}
	defer to.Close()
	if err := clearOut(ctx, to); err != nil {
		return batch.Manifest{}, err
	}
	var copied []batch.ManifestFile
	for _, f := range wholeFiles(manifest) {
		ref, err := copyParts(ctx, store, prefix, f, to)
		if err != nil {
			return batch.Manifest{}, err
		}
		copied = append(copied, batch.ManifestFile{Name: f.name, Size: ref.Size, SHA256: ref.SHA256})
	}
	if manifest.Bulk != nil { // its parts are put together: the copy's manifest is of what is there
		manifest.Files = copied
		if raw, err = json.MarshalIndent(manifest, "", "  "); err != nil {
			return batch.Manifest{}, err
		}
		raw = append(raw, '\n')
	}
	_, err = to.WriteAtomic(ctx, batch.FileManifest, func(w io.Writer) error {
		_, err := w.Write(raw)
		return err
	})
	return manifest, err
}

// makeOutput makes the directory for the results, so that a mistake in it shows
// before a run of hours and not after. An empty name stands for none.
func makeOutput(dir string) error {
	if dir == "" {
		return nil
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return usage("--output: %w", err)
	}
	return nil
}

// clearOut removes what an earlier copy left and this one may not replace.
func clearOut(ctx context.Context, to *blobstore.Store) error {
	return errors.Join(to.Delete(ctx, batch.FileManifest), to.Delete(ctx, batch.FileUnmatched))
}

// whole is a file of the copy and the parts that it is made of.
type whole struct {
	name  string
	parts []batch.ManifestFile
}

// wholeFiles are the files of a copy: those of the result, but for a bulk run,
// whose results and failures stand in one part for each shard.
func wholeFiles(m batch.Manifest) []whole {
	if m.Bulk == nil {
		var files []whole
		for _, f := range m.Files {
			files = append(files, whole{f.Name, []batch.ManifestFile{f}})
		}
		return files
	}
	results, failures := whole{name: batch.FileResults}, whole{name: batch.FileFailures}
	for _, f := range m.Files {
		if path.Dir(f.Name) == batch.FolderResults {
			results.parts = append(results.parts, f)
		} else {
			failures.parts = append(failures.parts, f)
		}
	}
	return []whole{results, failures}
}

// copyParts writes one file of the copy, part after part.
func copyParts(ctx context.Context, from *blobstore.Store, prefix string, f whole, to *blobstore.Store) (batch.Ref, error) {
	return to.WriteAtomic(ctx, f.name, func(w io.Writer) error {
		for _, part := range f.parts {
			if err := copyPart(ctx, from, prefix, part, w); err != nil {
				return err
			}
		}
		return nil
	})
}

func copyPart(ctx context.Context, from *blobstore.Store, prefix string, f batch.ManifestFile, w io.Writer) error {
	src, err := from.Read(ctx, path.Join(prefix, f.Name), 0, -1)
	if err != nil {
		return fmt.Errorf("copy %s: %w", f.Name, err)
	}
	defer src.Close()
	sum := sha256.New()
	size, err := io.Copy(io.MultiWriter(w, sum), src)
	if err == nil && (size != f.Size || hex.EncodeToString(sum.Sum(nil)) != f.SHA256) {
		err = errors.New("it is not the file that the manifest describes: was it replaced meanwhile? Try again")
	}
	if err != nil {
		return fmt.Errorf("copy %s: %w", f.Name, err)
	}
	return nil
}

func readManifest(ctx context.Context, store *blobstore.Store, prefix string) ([]byte, batch.Manifest, error) {
	r, err := store.Read(ctx, path.Join(prefix, batch.FileManifest), 0, maxManifest)
	if err != nil {
		return nil, batch.Manifest{}, err
	}
	defer r.Close()
	raw, err := io.ReadAll(r)
	if err != nil {
		return nil, batch.Manifest{}, fmt.Errorf("read the manifest in %s: %w", prefix, err)
	}
	manifest, err := batch.ParseManifest(raw)
	if err != nil {
		return nil, manifest, fmt.Errorf("read the manifest in %s: %w", prefix, err)
	}
	return raw, manifest, nil
}

// latestPrefix finds the newest result below a workflow id's own folder; empty:
// there is none. The results of a bulk run's batches, further down, are not its own.
func latestPrefix(ctx context.Context, store *blobstore.Store, id string) (string, error) {
	var prefix string
	var newest time.Time
	folder := path.Dir(batch.ResultsPrefix(batch.Job{}, id, "token"))
	for object, err := range store.List(ctx, folder) {
		if err != nil {
			return "", err
		}
		of, name := path.Split(object.Key)
		of = path.Clean(of)
		if name == batch.FileManifest && path.Dir(of) == folder && object.ModTime.After(newest) {
			prefix, newest = of, object.ModTime
		}
	}
	return prefix, nil
}

func manifestTable(m batch.Manifest, output string) string {
	var t table
	t.addText("run", m.WorkflowID)
	t.addText("outcome", string(m.Outcome))
	c := m.Counts
	t.add("rows", "%d: %d succeeded, %d failed, %d missing", c.Rows, c.Succeeded, c.RowErrors+c.Expired+c.Cancelled+c.Invalid, c.Missing)
	t.addText("copied to", output)
	return t.String()
}
