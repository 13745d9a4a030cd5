package workflows_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"batchkeeper/batch"
	"batchkeeper/workflows"
)

// scenarios are histories that every release must have recorded, named after
// the tests that made them: a replay over an empty folder would prove nothing.
var scenarios = []string{
	"testhappybywebhook", "testhappybypollingalone", "testcancelbeforecreation.temporal", "testcancelduringcreation.update",
	"testcancelaftercreation.signal", "testcancelthatcomestoolate", "testcancelthatisneverconfirmed", "teststaleaftercancels",
	"testexpirywithpartialoutput", "testcreatewhoseanswerislost.connection-breaks", "testcreatethatpasseslater", "testlate404",
	"testbadinput", "testbatchfailsupstream", "testsomerowsfail", "testcontinueasnew", "testcontinueasnew.2",
}

// TestHistoriesReplay runs today's code over the histories of every release. A
// failure here means that a worker with this code would break runs that are
// open now: change the code back, or version the change.
func TestHistoriesReplay(t *testing.T) {
	releases, err := filepath.Glob(filepath.Join("testdata", "histories", "*"))
	require.NoError(t, err)
	require.NotEmpty(t, releases, "no recorded histories: run make record")
	for _, release := range releases {
		files, err := filepath.Glob(filepath.Join(release, "*.json"))
		require.NoError(t, err)
		for _, scenario := range scenarios {
			require.Contains(t, files, filepath.Join(release, scenario+".json"), "a scenario is missing: run make record")
		}
		for _, file := range files {
			t.Run(filepath.Base(release)+"/"+filepath.Base(file), func(t *testing.T) {
				require.NoError(t, replay(read(t, file)))
			})
		}
	}
}

// TestReplayNoticesChangedCommands proves that the test above can fail: a
// history whose first activity has another name does not replay.
func TestReplayNoticesChangedCommands(t *testing.T) {
	releases, err := filepath.Glob(filepath.Join("testdata", "histories", "*"))
	require.NoError(t, err)
	require.NotEmpty(t, releases)
	recorded := read(t, filepath.Join(releases[0], "testhappybypollingalone.json"))
	for _, e := range recorded.GetEvents() {
		if e.GetEventType() == enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED {
			e.GetActivityTaskScheduledEventAttributes().ActivityType.Name = "SomethingElse"
			break
		}
	}
	require.ErrorContains(t, replay(recorded), "TMPRL1100")
}

func read(t *testing.T, path string) *historypb.History {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	h, err := client.HistoryFromJSON(f, client.HistoryJSONOptions{})
	require.NoError(t, err)
	require.Greater(t, len(h.GetEvents()), 5)
	return h
}

func replay(h *historypb.History) error {
	replayer := worker.NewWorkflowReplayer()
	for name, w := range map[string]any{
		batch.WorkflowBatch: workflows.BatchWorkflow, batch.WorkflowBulk: workflows.BulkWorkflow, batch.WorkflowGovernor: workflows.GovernorWorkflow,
	} {
		replayer.RegisterWorkflowWithOptions(w, workflow.RegisterOptions{Name: name})
	}
	started := h.GetEvents()[0].GetWorkflowExecutionStartedEventAttributes()
	// A run knows its deliveries by its own id, so it must replay under that.
	return replayer.ReplayWorkflowHistoryWithOptions(log.NewStructuredLogger(slog.New(slog.DiscardHandler)), h, worker.ReplayWorkflowHistoryOptions{
		OriginalExecution: workflow.Execution{ID: started.GetWorkflowId(), RunID: started.GetOriginalExecutionRunId()},
	})
}
