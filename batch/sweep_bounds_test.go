package batch_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"batchkeeper/batch"
)

// crowd is n orphans and one batch that was accounted for, at 100 a row.
func crowd(n int) (batch.Account, []batch.Tracking) {
	account := batch.Account{Listed: n + 1, Batches: []batch.AccountBatch{
		swept(batch.StatusCompleted, func(b *batch.AccountBatch) { b.Cost = batch.Cost{Nanos: 1000, Source: batch.CostBilled} }),
	}}
	seen := []batch.Tracking{{BatchID: ours, Maker: endedRun(ours)}}
	for i := range n {
		id := fmt.Sprintf("c%04d", i)
		account.Batches = append(account.Batches, swept(batch.StatusInProgress, func(b *batch.AccountBatch) { b.BatchID, b.Rows = id, int64(2*i) }))
		seen = append(seen, batch.Tracking{BatchID: id, Maker: goneRun})
	}
	return account, seen
}

func TestWhatIsUnknownCostsWhatARowCosts(t *testing.T) {
	account, seen := crowd(2)
	r := batch.Classify(t0, batch.SweepJob{}, account, seen)
	require.Equal(t, batch.Cost{Source: batch.CostUnknown}, r.Findings[0].Cost, "no rows")
	require.Equal(t, batch.Cost{Nanos: 200, Source: batch.CostAverage}, r.Findings[1].Cost)
	require.Equal(t, []batch.SweepSum{{Class: batch.SweepOrphan, Batches: 2, Rows: 2, CostNanos: 200, Unpriced: 1}}, r.Sums)
}

func TestASweepIsBounded(t *testing.T) {
	account, seen := crowd(batch.MaxSweepFindings + 7)
	r := batch.Classify(t0, batch.SweepJob{Cancel: true}, account, seen)
	require.Len(t, r.Findings, batch.MaxSweepFindings)
	require.Equal(t, 7, r.Left)
	require.Equal(t, batch.MaxSweepFindings+7, r.Sums[0].Batches)
	moves := 0
	for _, f := range r.Findings {
		if f.Move != (batch.SweepMove{}) {
			moves++
		} else {
			require.Equal(t, "left for the next sweep", f.Problem)
		}
	}
	require.Equal(t, batch.MaxSweepMoves, moves)
	raw, err := json.Marshal(r)
	require.NoError(t, err)
	require.Less(t, len(raw), 1<<19)
}

// What one step hands to the next stays below the 2 MiB that the server takes,
// with the longest names that there are.
func TestAFullAccountFitsIntoOneAnswer(t *testing.T) {
	account := batch.Account{}
	for i := range batch.MaxSweptBatches {
		account.Batches = append(account.Batches, swept(batch.StatusInProgress, func(b *batch.AccountBatch) {
			b.BatchID = fmt.Sprintf("batch_%026d", i)
			b.SessionID = batch.SessionID(strings.Repeat("w", 200), "0190a8f6-7a2c-7c5e-9d60-6b1f9be0a001")
			b.Problem = strings.Repeat("p", 172)
		}))
	}
	raw, err := json.Marshal(account)
	require.NoError(t, err)
	require.Less(t, len(raw), 2<<20)
}
