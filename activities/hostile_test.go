package activities_test

import (
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"batchkeeper/activities"
	"batchkeeper/batch"
	"batchkeeper/internal/blobstore"
	"batchkeeper/internal/gateway"
	"batchkeeper/internal/secret"
)

// hostileNames are ids that would lead elsewhere, were they taken for a path.
var hostileNames = []string{
	"../../x", "..", "/etc/passwd", `..\..\x`, "a\x00b", "CON", "/dev/stdin", "b?x", "results.jsonl", "manifest.json", strings.Repeat("a", 10_000),
	"\u202e", "%2e%2e%2fx",
}

// hostileWorld is a world whose gateway answers everything with one body, and
// whose store is a folder of base.
func hostileWorld(t *testing.T, base, body string) *world {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(s.Close)
	store, err := blobstore.Open(t.Context(), blobstore.Config{URL: blobstore.FileURL(filepath.Join(base, "store"))})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	client, err := gateway.New(gateway.Config{BaseURL: s.URL, Key: func() (secret.Value, error) { return secret.New("a key for this test"), nil }})
	require.NoError(t, err)
	t.Cleanup(client.CloseIdleConnections)
	w := &world{t: t, client: client, store: store}
	w.options = activities.Options{
		Gateways: map[batch.Dialect]*gateway.Client{batch.DialectPhaseo: client}, Store: store, SpoolDir: filepath.Join(base, "spool"),
	}
	require.NoError(t, os.MkdirAll(w.options.SpoolDir, 0o700))
	w.acts = activities.New(w.options)
	w.fresh()
	return w
}

// below are all files below a directory.
func below(t *testing.T, dir string) (found []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			name, _ := filepath.Rel(dir, path)
			found = append(found, filepath.ToSlash(name))
		}
		return err
	}))
	return found
}

// Whatever a gateway calls its batches, files and rows, what is written stands
// where the run's own names say, and nowhere else.
func TestNoNameOfTheGatewaysIsAPath(t *testing.T) {
	for _, name := range hostileNames {
		quoted, err := json.Marshal(name)
		require.NoError(t, err)
		row := `{"custom_id":` + string(quoted) + `,"response":{"status_code":200,"body":{}},"id":` + string(quoted) +
			`,"output_file_id":` + string(quoted) + "}\n"
		base := t.TempDir()
		w := hostileWorld(t, base, row)
		w.put("in.jsonl", strings.Replace(rows(1), `"row-0"`, string(quoted), 1))
		poll := must(w, w.acts.Poll, activities.PollInput{Dialect: batch.DialectPhaseo, BatchID: name})
		w.fresh()
		if poll.Batch != nil {
			require.Equal(t, name, poll.Batch.OutputFileID)
		}
		_, _ = do(w, w.acts.Download, activities.DownloadInput{Dialect: batch.DialectPhaseo, FileID: name, Key: "res/raw/refused.jsonl"})
		w.fresh()
		got := must(w, w.acts.Download, activities.DownloadInput{Dialect: batch.DialectPhaseo, FileID: "file-1", Key: "res/raw/output.jsonl"})
		w.fresh()
		out := must(w, w.acts.Reconcile, activities.ReconcileInput{
			Input: "in.jsonl", Status: batch.StatusCompleted, Prefix: "res", Facts: batch.InputFacts{Rows: 1},
			Answers:  []activities.NamedRef{{Name: "output", Ref: got.Ref}},
			Manifest: batch.Manifest{WorkflowID: "nightly-1", BatchIDs: []string{name}},
		})
		require.EqualValues(t, 1, out.Results.Succeeded, name)
		for _, file := range below(t, base) {
			require.Regexp(t, `^store/(in\.jsonl|res/((results|failures|unmatched)\.jsonl|manifest\.json|raw/(output|refused)\.jsonl))$`, file)
		}
	}
}

// An adopted batch is known by the gateway's name for it: its results get a
// folder, not a path.
func TestAdoptedNamesAreFolders(t *testing.T) {
	for _, name := range hostileNames {
		id := batch.AdoptID(name)
		if batch.CheckWorkflowID(id) != nil {
			continue
		}
		key := batch.ResultsPrefix(batch.Job{BatchID: name}, id, "0190-run") + "/" + batch.FileResults
		require.NoError(t, blobstore.CheckKey(key))
		require.Equal(t, 2, strings.Count(key, "/"))
	}
}
