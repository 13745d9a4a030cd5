// Package conformance checks that a gateway, emulated or real, keeps what the rest of the project relies on. The same
// checks run against both, so that the emulator cannot drift from what it stands for unnoticed.
package conformance

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/gateway"
)

// Target is a gateway to check. Each run makes two or three batches of a few short rows.
type Target struct {
	Client   *gateway.Client
	Dialect  gateway.Dialect
	Model    string        // the provider's own id of a cheap chat model
	Patience time.Duration // wall time that a batch may take
	Poll     time.Duration // between two reads
}

const (
	endpoint = "/v1/chat/completions"
	rowCount = 3
)

// Run checks everything that one gateway must keep.
func Run(t *testing.T, target Target) {
	t.Helper()
	t.Run("files", target.files)
	t.Run("strangers", target.strangers)
	t.Run("refusals", target.refusals)
	t.Run("file batch", target.fileBatch)
	t.Run("cancel", target.cancel)
	if target.Dialect != gateway.OpenAI {
		t.Run("inline batch", target.inlineBatch)
	}
}

// rows are small and cheap; note makes them differ between runs.
func (target Target) rows() string {
	var b strings.Builder
	for n := range rowCount {
		fmt.Fprintf(&b, `{"custom_id":"row-%d","method":"POST","url":%q,"body":{"model":%q,"max_tokens":16,`+
			`"messages":[{"role":"user","content":"Answer with the number %d."}]}}`+"\n", n, endpoint, target.Model, n)
	}
	return b.String()
}

func (target Target) upload(t *testing.T, content string) gateway.File {
	t.Helper()
	file, err := target.Client.Upload(t.Context(), gateway.UploadRequest{
		Filename: "conformance.jsonl", Body: strings.NewReader(content), Size: int64(len(content)),
	})
	require.NoError(t, err)
	require.NotEmpty(t, file.ID)
	return file
}

func (target Target) read(t *testing.T, fileID string) string {
	t.Helper()
	content, err := target.Client.Content(t.Context(), fileID)
	require.NoError(t, err)
	defer func() { require.NoError(t, content.Body.Close()) }()
	raw, err := io.ReadAll(content.Body)
	require.NoError(t, err)
	return string(raw)
}

func (target Target) files(t *testing.T) {
	file := target.upload(t, target.rows())
	require.Equal(t, int64(len(target.rows())), file.Bytes)
	require.Equal(t, "batch", file.Purpose)
	again, err := target.Client.File(t.Context(), file.ID)
	require.NoError(t, err)
	require.Equal(t, file.ID, again.ID)
	require.Equal(t, target.rows(), target.read(t, file.ID))
}

// strangers: ids that nobody has are 404 everywhere that says so.
func (target Target) strangers(t *testing.T) {
	_, err := target.Client.Batch(t.Context(), "batch_00000000000000000000000000")
	requireStatus(t, err, 404)
	_, err = target.Client.File(t.Context(), "file-0000000000000000000000")
	requireStatus(t, err, 404)
	_, err = target.Client.Content(t.Context(), "file-0000000000000000000000")
	requireStatus(t, err, 404)
}

func requireStatus(t *testing.T, err error, want ...int) {
	t.Helper()
	failure, isGateway := gateway.AsError(err)
	require.True(t, isGateway, "%v", err)
	require.Contains(t, want, failure.Status, "%v", err)
}

func (target Target) refusals(t *testing.T) {
	file := target.upload(t, target.rows())
	_, err := target.Client.Create(t.Context(), gateway.CreateRequest{
		InputFileID: file.ID, Endpoint: endpoint, CompletionWindow: "1h", SessionID: session(),
	})
	requireStatus(t, err, 400)
	_, err = target.Client.Create(t.Context(), gateway.CreateRequest{
		InputFileID: "file-0000000000000000000000", Endpoint: endpoint, CompletionWindow: "24h", SessionID: session(),
	})
	requireStatus(t, err, 400, 404)
}

// session is unique, as a run's is.
func session() string { return "conformance~" + rand.Text() }

var gatewayBatchID = regexp.MustCompile(`^batch_[0-9A-HJKMNP-TV-Z]{26}$`)

func (target Target) fileBatch(t *testing.T) {
	name := session()
	created, err := target.Client.Create(t.Context(), gateway.CreateRequest{
		InputFileID: target.upload(t, target.rows()).ID, Endpoint: endpoint, CompletionWindow: "24h", SessionID: name,
		Metadata: map[string]string{"check": "conformance"},
	})
	require.NoError(t, err)
	require.Equal(t, name, created.SessionID)
	if target.Dialect != gateway.OpenAI {
		require.Regexp(t, gatewayBatchID, created.ID)
	}
	require.Equal(t, []string{created.ID}, target.find(t, name), "a lost answer could be found again")
	ended := target.wait(t, created.ID)
	require.Equal(t, "completed", ended.Status)
	require.False(t, ended.CancelURL)
	require.Equal(t, name, ended.SessionID)
	target.requireEveryRow(t, ended)
}

// find gives the batches of a session that the list shows.
func (target Target) find(t *testing.T, name string) []string {
	t.Helper()
	page, err := target.Client.List(t.Context(), gateway.ListRequest{Limit: 100})
	require.NoError(t, err)
	require.False(t, page.Date.IsZero(), "the proof of absence needs the server's clock")
	var found []string
	for _, b := range page.Batches {
		if b.SessionID == name {
			found = append(found, b.ID)
		}
	}
	return found
}

// wait polls until the batch is terminal; on the way, only the raw status is believed.
func (target Target) wait(t *testing.T, id string) gateway.Batch {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), target.Patience)
	defer cancel()
	for {
		b, err := target.Client.Batch(ctx, id)
		require.NoError(t, err)
		switch b.Status {
		case "completed", "failed", "expired", "cancelled":
			return b
		}
		select {
		case <-ctx.Done():
			require.FailNow(t, "the batch is not terminal in time", "status %s", b.Status)
		case <-time.After(target.Poll):
		}
	}
}

// requireEveryRow: each row stands exactly once in the two files together, in the shape that the join reads.
func (target Target) requireEveryRow(t *testing.T, b gateway.Batch) {
	t.Helper()
	seen := map[string]int{}
	for _, fileID := range []string{b.OutputFileID, b.ErrorFileID} {
		if fileID == "" {
			continue
		}
		for line := range strings.Lines(target.read(t, fileID)) {
			var answer struct {
				CustomID string `json:"custom_id"`
				Response *struct {
					StatusCode int             `json:"status_code"`
					Body       json.RawMessage `json:"body"`
				} `json:"response"`
			}
			require.NoError(t, json.Unmarshal([]byte(line), &answer))
			seen[answer.CustomID]++
			if fileID == b.OutputFileID {
				require.NotNil(t, answer.Response)
				require.Equal(t, 200, answer.Response.StatusCode)
				require.Contains(t, string(answer.Response.Body), "usage")
			}
		}
	}
	require.Len(t, seen, rowCount)
	for id, times := range seen {
		require.Equal(t, 1, times, id)
	}
}

func (target Target) cancel(t *testing.T) {
	created, err := target.Client.Create(t.Context(), gateway.CreateRequest{
		InputFileID: target.upload(t, target.rows()).ID, Endpoint: endpoint, CompletionWindow: "24h", SessionID: session(),
	})
	require.NoError(t, err)
	cancelling, err := target.Client.Cancel(t.Context(), created.ID)
	if err != nil { // it was faster than the cancel
		requireStatus(t, err, 400, 404, 409)
	} else {
		require.Contains(t, []string{"cancelling", "cancelled"}, cancelling.Status)
	}
	require.Contains(t, []string{"cancelled", "completed"}, target.wait(t, created.ID).Status)
}

func (target Target) inlineBatch(t *testing.T) {
	name := session()
	created, err := target.Client.Create(t.Context(), gateway.CreateRequest{
		Rows: strings.NewReader(target.rows()), Endpoint: endpoint, Model: target.Model, CompletionWindow: "24h", SessionID: name,
	})
	require.NoError(t, err)
	require.NotEmpty(t, created.InputFileID)
	require.Equal(t, []string{created.ID}, target.find(t, name))
	target.requireEveryRow(t, target.wait(t, created.ID))
}
