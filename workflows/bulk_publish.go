package workflows

import (
	"errors"
	"fmt"

	"go.temporal.io/sdk/workflow"

	"batchkeeper/activities"
	"batchkeeper/batch"
)

// publishAtATime is how many shards one activity publishes, one after another.
const publishAtATime = 5

// publish writes the final files, shard by shard, and the manifest last.
func (b *bulk) publish(ctx workflow.Context) error {
	k := &b.book
	if !k.FinalsPlanned {
		_, err := call(ctx, longTransfer("plan the final files", patience), act.PlanFinal,
			activities.PlanFinalInput{Files: b.files, Settled: b.settledUnits()})
		if err != nil {
			return b.unpublished("plan the final files", err)
		}
		k.FinalsPlanned, k.Cursor = true, 0
	}
	for b.at.Published < b.at.Shards {
		out, err := call(ctx, longTransfer(fmt.Sprintf("publish shards %d to %d", b.at.Published+1, min(b.at.Shards, b.at.Published+publishAtATime)), patience),
			act.PublishShards, activities.PublishShardsInput{
				Files: b.files, Input: b.job.Input, Offset: k.Cursor, Count: publishAtATime, Unsent: b.unsent(),
			})
		if err != nil {
			return b.unpublished("publish the final files", err)
		}
		if out.Shards == 0 {
			return b.unpublished("publish the final files", errors.New("their plan is too short"))
		}
		k.Cursor, k.Final = out.Next, k.Final.Plus(out.Counts)
		b.at.Published += out.Shards
		b.show(ctx)
		if b.renewDue(ctx) {
			return b.continueAsNew(ctx)
		}
	}
	return b.manifest(ctx)
}

// settledUnits is how many units of each round were settled.
func (b *bulk) settledUnits() []int {
	var units []int
	for _, round := range b.at.Past {
		units = append(units, round.Batches)
	}
	return units
}

// unsent is what is said of rows that were never sent.
func (b *bulk) unsent() batch.Absence {
	cause := "not_sent"
	switch {
	case b.cancelRequested():
		cause = "not_sent: the run was cancelled"
	case b.book.BudgetReached:
		cause = "not_sent: budget_usd was reached"
	}
	return batch.Absence{Class: batch.ClassCancelled, Cause: cause}
}

func (b *bulk) unpublished(doing string, err error) error {
	return end(batch.OutcomeResultsUnavailable, doing+": "+reason(err))
}

func (b *bulk) manifest(ctx workflow.Context) error {
	rows := b.state.Input.Rows
	how := batch.BulkEnd{
		Counts: b.book.Final, CancelRequested: b.cancelRequested(), BudgetReached: b.book.BudgetReached, Undone: b.book.Undone,
	}
	if c := b.at.Cancelled; c != nil {
		how.Unconfirmed = c.Unconfirmed
	}
	outcome := how.Outcome()
	out, err := call(ctx, longTransfer("check that every row is accounted for, and publish the manifest", patience), act.PublishManifest,
		activities.PublishManifestInput{
			Files: b.files, Shards: b.at.Shards, Rows: rows, Settled: batch.Settled{Counts: b.at.Counts, Unsent: b.book.Unsent},
			Manifest: batch.Manifest{
				WorkflowID: b.info.WorkflowExecution.ID, RunID: b.token, SessionID: b.state.SessionID, Outcome: outcome,
				Input: batch.ManifestInput{Source: b.job.Input, SHA256: b.state.Input.SHA256},
				Bulk:  &batch.ManifestBulk{Shards: b.at.Shards, Rounds: b.at.Past, Money: b.at.Money, Causes: b.at.Causes, Downstream: b.at.Pages},
			},
		})
	if err != nil {
		return b.unpublished("publish the manifest", err)
	}
	c := out.Counts
	b.at.Counts = c
	ref := out.Manifest
	b.state.Results = &batch.Results{
		Prefix: b.files.Prefix, Rows: rows, Succeeded: c.Answered, Failed: c.RowErrors + c.Expired + c.Cancelled + c.Invalid, Missing: c.Missing,
		Duplicates: out.Odd.Duplicates, Unmatched: out.Odd.Unmatched, Malformed: out.Odd.Malformed, Manifest: &ref,
	}
	b.state.Progress = 100
	return end(outcome, "")
}
