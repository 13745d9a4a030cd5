package activities_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"batchkeeper/activities"
	"batchkeeper/batch"
	"batchkeeper/internal/blobstore"
	"batchkeeper/internal/gateway"
	"batchkeeper/internal/gateway/gatewaytest"
	"batchkeeper/internal/secret"
)

// world is the activities of a worker between an emulated gateway and a store.
type world struct {
	t        *testing.T
	emulator *gatewaytest.Server
	client   *gateway.Client
	store    *blobstore.Store
	options  activities.Options
	acts     *activities.Activities
	env      *testsuite.TestActivityEnvironment
}

const session = "nightly-1~0190-run"

func newWorld(t *testing.T, options gatewaytest.Options) *world {
	t.Helper()
	emulator, err := gatewaytest.New(options)
	require.NoError(t, err)
	t.Cleanup(emulator.Close)
	store, err := blobstore.Open(t.Context(), blobstore.Config{URL: blobstore.FileURL(t.TempDir())})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	w := &world{t: t, emulator: emulator, store: store}
	dialects := map[batch.Dialect]*gateway.Client{}
	for _, d := range []batch.Dialect{batch.DialectPhaseo, batch.DialectOpenAI} {
		client, err := gateway.New(gateway.Config{
			BaseURL: emulator.URL(), Dialect: gateway.Dialect(d), Key: func() (secret.Value, error) { return secret.New(gatewaytest.DefaultAPIKey), nil },
		})
		require.NoError(t, err)
		dialects[d] = client
	}
	w.client = dialects[batch.DialectPhaseo]
	w.options = activities.Options{
		Gateways: dialects, Store: store, SpoolDir: t.TempDir(),
		Profiles: map[string]batch.Profile{"tiny": {Name: "tiny", Dialect: batch.DialectPhaseo, MaxRows: 2, MaxBytes: 1 << 20}},
	}
	w.acts = activities.New(w.options)
	w.fresh()
	return w
}

// withRuns are the world's activities beside other workflows.
func (w *world) withRuns(r activities.Runs) *activities.Activities {
	w.options.Runs = r
	return activities.New(w.options)
}

// fresh gives the next call an environment without heartbeats of an earlier attempt.
func (w *world) fresh() {
	var suite testsuite.WorkflowTestSuite
	w.env = suite.NewTestActivityEnvironment()
	w.env.SetTestTimeout(30 * time.Second)
	w.env.RegisterActivity(w.acts)
}

// do runs one activity as a worker would.
func do[In, Out any](w *world, step func(context.Context, In) (Out, error), in In) (Out, error) {
	var out Out
	v, err := w.env.ExecuteActivity(step, in)
	if err == nil {
		err = v.Get(&out)
	}
	return out, err
}

// must is do without trouble.
func must[In, Out any](w *world, step func(context.Context, In) (Out, error), in In) Out {
	w.t.Helper()
	out, err := do(w, step, in)
	require.NoError(w.t, err)
	return out
}

// put writes an object of the store.
func (w *world) put(key, text string) {
	w.t.Helper()
	_, err := w.store.WriteAtomic(w.t.Context(), key, func(out io.Writer) error {
		_, err := io.WriteString(out, text)
		return err
	})
	require.NoError(w.t, err)
}

func (w *world) text(key string) string {
	w.t.Helper()
	r, err := w.store.Read(w.t.Context(), key, 0, -1)
	require.NoError(w.t, err)
	defer r.Close()
	raw, err := io.ReadAll(r)
	require.NoError(w.t, err)
	return string(raw)
}

// rows is n good rows of one endpoint and model.
func rows(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"custom_id":"row-%d","method":"POST","url":"/v1/responses",`+
			`"body":{"model":"gpt-5-mini-2025-08-07","input":"say %d","max_output_tokens":16}}`+"\n", i, i)
	}
	return b.String()
}

// uploaded is the file id of n rows at the emulator.
func (w *world) uploaded(n int) string {
	w.t.Helper()
	w.put("in.jsonl", rows(n))
	out := must(w, w.acts.Upload, activities.UploadInput{Dialect: batch.DialectPhaseo, Input: "in.jsonl", Filename: "in.jsonl"})
	w.fresh()
	return out.FileID
}

// testRun is the run id of the SDK's test environment.
const testRun = "default-test-run-id"

func (w *world) createInput(fileID string) activities.CreateInput {
	return activities.CreateInput{
		Dialect: batch.DialectPhaseo, Mode: batch.CreateFile, InputFileID: fileID, SessionID: session,
		Endpoint: "/v1/responses", CompletionWindow: "24h", NotAfter: time.Now().Add(time.Minute), RunID: testRun,
	}
}

func (w *world) created(n int) string {
	w.t.Helper()
	out := must(w, w.acts.Create, w.createInput(w.uploaded(n)))
	require.Equal(w.t, batch.VerdictCreated, out.Verdict, out.Message)
	return out.BatchID
}

// kind is the class of an activity's error.
func kind(t *testing.T, err error) (batch.FailureKind, bool) {
	t.Helper()
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	return batch.FailureKind(app.Type()), !app.NonRetryable()
}

func manifest(t *testing.T, text string) batch.Manifest {
	t.Helper()
	var m batch.Manifest
	require.NoError(t, json.Unmarshal([]byte(text), &m))
	return m
}
