package workflows

import (
	"testing"

	"github.com/stretchr/testify/require"

	"batchkeeper/batch"
)

func TestBulkDetails(t *testing.T) {
	s := batch.State{Stage: batch.StageCancelling, Input: &batch.InputFacts{Rows: 900}, Bulk: &batch.Bulk{
		Shards: 9, Round: 2, Rounds: 3, Units: 4, Ended: 1, MaxFlight: 7, Budget: 0.002, Governor: "governor~acct/phaseo",
		Cancelled: &batch.CancelSummary{Told: 3, Cancelled: 1, TooLate: 1, Unconfirmed: 1, NotSent: 5},
		Pages:     &batch.DownstreamState{Started: 6, Running: 1, Completed: 2, Failed: 3, NotRun: 4, Unconfirmed: 1, Failures: []string{"page-9"}},
	}}
	text := bulkDetails(s)
	for _, want := range []string{
		"| Round | 2 of 3: 1 of 4 batches ended, at most 7 at a time |",
		"| Governor | `governor~acct/phaseo` |",
		"| Budget | 0.002 USD |",
		"| Cancelled | 3 batches told: 1 cancelled, 1 too late, 1 unconfirmed; 5 never sent |",
		"| Pages | 6 started: 1 running, 2 completed, 3 failed, 0 cancelled; 4 not run, 1 not known to have stopped (such as page-9) |",
	} {
		require.Contains(t, text, want)
	}
}
