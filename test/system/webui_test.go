//go:build system

package system_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"batchkeeper/batch"
	"batchkeeper/internal/gateway/gatewaytest"
)

// page is what a browser looks at, and what it must find there.
type page struct {
	URL        string   `json:"url"`
	Texts      []string `json:"texts"`
	Screenshot string   `json:"screenshot,omitempty"`
}

// The Web UI's page of a run reads like a status page, whatever the run is at.
func TestTheWebUITellsWhereARunStands(t *testing.T) {
	w := newWorld(t)

	done := w.start("nightly-invoices", batch.Job{Endpoint: "/v1/responses", Model: "gpt-5-mini-2025-08-07"})
	result, err := done.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, batch.OutcomeCompleted, result.Outcome)

	w.stack.Emulator.Script(gatewaytest.Rule{Op: gatewaytest.OpCreate, Fault: gatewaytest.Fault{Kind: gatewaytest.FaultOutcome, Value: "stuck"}})
	held := w.start("held-in-tracking", batch.Job{Poll: slowingDown})
	tracking := w.await(held, func(s batch.State) bool { return s.Polls >= 3 })
	w.deliver(tracking.BatchID, "status_changed")
	tracking = w.await(held, func(s batch.State) bool { return s.Webhook.Deliveries == 1 && s.NextPollAt != nil })

	w.stack.Emulator.ClearScript()
	w.stack.Emulator.Script(gatewaytest.Rule{Op: gatewaytest.OpCreate, Fault: gatewaytest.Fault{
		Kind: gatewaytest.FaultNamed, Value: "rate_limited", Header: map[string]string{"Retry-After": "600"},
	}})
	limited := w.start("told-to-come-later", batch.Job{})
	w.await(limited, func(s batch.State) bool { return s.Problem != "" })

	look(t,
		page{URL: w.page(done, "timeline"), Texts: []string{
			"nightly-invoices", "COMPLETED", "BatchWorkflow",
			"inspect " + inputKey, "upload 240 rows", "look for a batch of this run", "create the batch (post 1)", "read batch " + result.BatchID,
			"next read of the batch", "fetch the output file", "join the answers to the rows",
		}, Screenshot: os.Getenv("BATCHKEEPER_SCREENSHOT")},
		page{URL: w.page(done, "user-metadata"), Texts: []string{
			"invoices.jsonl → /v1/responses gpt-5-mini-2025-08-07", "completed", result.BatchID, "240 rows: 240 succeeded, 0 failed, 0 missing",
			result.Results.Prefix,
		}},
		page{URL: w.page(done, "search-attributes"), Texts: []string{
			"BatchLifecycleStatus", "completed", "BatchId", result.BatchID, "BatchRows", "240", "BatchProgress", "100", "BatchOutcome",
			"BatchModel", "gpt-5-mini-2025-08-07",
		}},
		page{URL: w.page(held, "timeline"), Texts: []string{
			"held-in-tracking", "RUNNING", "create the batch (post 1)", "read batch " + tracking.BatchID, "next read of the batch", "webhook",
		}},
		page{URL: w.page(held, "history"), Texts: []string{"upload 240 rows", "next read of the batch", "webhook"}},
		page{URL: w.page(held, "user-metadata"), Texts: []string{
			"tracking", tracking.BatchID, "in_progress", "Progress", "next at ",
			"1 deliveries batch.status_changed", "240 rows",
		}},
		page{URL: w.page(held, "search-attributes"), Texts: []string{"BatchLifecycleStatus", "running", "BatchId", tracking.BatchID}},
		page{URL: w.page(limited, "timeline"), Texts: []string{"told-to-come-later", "create the batch (post 1)", "create again"}},
		page{URL: w.page(limited, "user-metadata"), Texts: []string{"creating", "Problem", "Rate limit reached"}},
	)
}

// look opens the pages in a browser that knows nothing yet.
func look(t *testing.T, pages ...page) {
	t.Helper()
	browser, err := exec.LookPath("chromium")
	require.NoError(t, err, "this test needs Chromium: run make test-system")
	for i, p := range pages {
		if p.Screenshot != "" { // relative to the repository's root
			pages[i].Screenshot, err = filepath.Abs(filepath.Join("..", "..", p.Screenshot))
			require.NoError(t, err)
		}
	}
	plan, err := json.Marshal(map[string]any{
		"browser": browser, "profile": t.TempDir(), "patience": patience.Milliseconds(), "pages": pages,
	})
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "plan.json")
	require.NoError(t, os.WriteFile(path, plan, 0o600))
	t.Log(node(t, "webui.mjs", path))
}
