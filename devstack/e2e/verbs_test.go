package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper"
	"batchkeeper/batch"
	"batchkeeper/internal/gateway/gatewaytest"
)

// patience bounds every wait: two cores carry all of this at once.
const patience = 2 * time.Minute

// eventually waits for a condition.
func (w *world) eventually(what string, cond func() bool) {
	w.t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		if time.Now().After(deadline) {
			w.t.Fatalf("waited in vain: %s", what)
		}
		<-tick.C
	}
}

// inputKey is where a world's input is in its store.
const inputKey = "inputs/requests.jsonl"

// writeInput puts rows into the store, one for each prompt, and gives their ids.
func (w *world) writeInput(prompts ...string) []string {
	w.t.Helper()
	var ids []string
	var b strings.Builder
	for i, prompt := range prompts {
		ids = append(ids, fmt.Sprintf("row-%06d", i))
		fmt.Fprintf(&b, `{"custom_id":%q,"method":"POST","url":"/v1/responses","body":`+
			`{"model":"gpt-5-mini-2025-08-07","input":%q,"max_output_tokens":32}}`+"\n", ids[i], prompt)
	}
	path := filepath.Join(w.store(), inputKey)
	require.NoError(w.t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(w.t, os.WriteFile(path, []byte(b.String()), 0o600))
	return ids
}

// appendInput adds what no row looks like.
func (w *world) appendInput(text string) {
	w.t.Helper()
	f, err := os.OpenFile(filepath.Join(w.store(), inputKey), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(w.t, err)
	_, err = f.WriteString(text)
	require.NoError(w.t, err)
	require.NoError(w.t, f.Close())
}

// prompts are n ordinary ones.
func prompts(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("Say %d in words.", i)
	}
	return out
}

// run is one run of the workflow under test.
type run struct {
	*batchkeeper.Run
	w   *world
	ids []string // of the input's rows
}

// start runs ten rows under a job that polls each second, unless it says otherwise.
func (w *world) start(change ...func(*batch.Job)) *run {
	w.t.Helper()
	return w.startRows(w.writeInput(prompts(10)...), change...)
}

// startRows runs what writeInput has written.
func (w *world) startRows(ids []string, change ...func(*batch.Job)) *run {
	w.t.Helper()
	job := batch.Job{
		Input: inputKey, WebhookEndpointID: w.gateway.EndpointID(),
		Poll: batch.PollPolicy{Min: batch.Duration(time.Second), Max: batch.Duration(time.Second)},
	}
	for _, c := range change {
		c(&job)
	}
	started, err := batchkeeper.Start(w.t.Context(), w.client, job, batchkeeper.WithID(w.id()), batchkeeper.WithTaskQueue(w.queue))
	require.NoError(w.t, err)
	return &run{Run: started, w: w, ids: ids}
}

// id names the run after its test.
func (w *world) id() string { return strings.ToLower(strings.ReplaceAll(w.t.Name(), "/", ".")) }

// pollsRarely leaves the run to deliveries.
func pollsRarely(j *batch.Job) {
	j.Poll = batch.PollPolicy{Min: batch.Duration(10 * time.Minute), Max: batch.Duration(10 * time.Minute)}
}

// await waits for a state of the run.
func (r *run) await(what string, cond func(batch.State) bool) batch.State {
	r.w.t.Helper()
	var state batch.State
	defer func() {
		if r.w.t.Failed() {
			seen, _ := json.Marshal(state)
			r.w.t.Logf("the last state that was seen: %s", seen)
		}
	}()
	r.w.eventually(what, func() bool {
		now, err := r.State(r.w.t.Context())
		if err == nil {
			state = now
		}
		return err == nil && cond(now)
	})
	return state
}

// created waits until the run tracks its batch.
func (r *run) created() batch.State {
	r.w.t.Helper()
	return r.await("a batch is tracked", func(s batch.State) bool { return s.BatchID != "" && s.Stage == batch.StageTracking && s.Polls > 0 })
}

// ends the batch of the run at the provider; answered is the number of rows
// that it answers, -1 for all.
func (r *run) ends(status batch.Status, answered int) {
	r.w.t.Helper()
	require.NoError(r.w.t, r.w.gateway.Finish(r.created().BatchID, string(status), answered))
}

// wait waits for the run's end and holds it to the promises of every run.
func (r *run) wait() batch.Result {
	r.w.t.Helper()
	ctx, cancel := context.WithTimeout(r.w.t.Context(), patience)
	defer cancel()
	result, err := r.Wait(ctx)
	require.NoError(r.w.t, err)
	r.atMostOneBatch()
	r.everyRowOnce(result)
	r.noSecretInHistory()
	r.recordHistory()
	return result
}

// awaitEntry waits for an entry of the gateway's journal.
func (w *world) awaitEntry(what string, is func(gatewaytest.Entry) bool) gatewaytest.Entry {
	w.t.Helper()
	var found gatewaytest.Entry
	w.eventually(what, func() bool {
		for _, e := range w.gateway.Journal() {
			if is(e) {
				found = e
				return true
			}
		}
		return false
	})
	return found
}

// entries counts the journal's.
func (w *world) entries(is func(gatewaytest.Entry) bool) int {
	n := 0
	for _, e := range w.gateway.Journal() {
		if is(e) {
			n++
		}
	}
	return n
}

func effect(op string) func(gatewaytest.Entry) bool {
	return func(e gatewaytest.Entry) bool { return e.Kind == gatewaytest.KindEffect && e.Op == op }
}

func request(op gatewaytest.Op) func(gatewaytest.Entry) bool {
	return func(e gatewaytest.Entry) bool { return e.Kind == gatewaytest.KindRequest && e.Op == string(op) }
}

// fetch reads a page; a status of 0 means that there was no answer. It serves
// cleanups too, where a test's context has ended.
func fetch(url string) (status int, body string) {
	response, err := http.Get(url) //nolint:noctx // a port of our own process
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(raw)
}
