package workflows

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/workflow"

	"batchkeeper/activities"
	"batchkeeper/batch"
	"batchkeeper/internal/visibility"
)

// BulkWorkflow takes an input of any size through as many batches as it needs
// and accounts for every row of it. Each batch is a BatchWorkflow of its own,
// which knows of this one only whom to notify.
func BulkWorkflow(ctx workflow.Context, input json.RawMessage) (batch.Result, error) {
	b := newBulk(ctx, input)
	if err := b.listen(ctx); err != nil {
		return batch.Result{}, err
	}
	steps, _ := workflow.NewDisconnectedContext(ctx) // cancellation is a message, not a torn-down context
	return b.finish(steps, b.inOrder(steps))
}

// bulk is one execution of BulkWorkflow.
type bulk struct {
	job      batch.Job
	parseErr error
	token    string
	files    batch.Files
	info     *workflow.Info
	log      log.Logger
	root     workflow.Context // which a cancellation from outside ends

	state batch.State    // public: the query, the result
	at    *batch.Bulk    // its part of a bulk run
	book  batch.BulkBook // private: carried through continue-as-new with the state
	shown visibility.Attributes

	busy     map[string]bool // what a goroutine has in hand, by workflow id
	working  int             // goroutines that must end before the run continues as new
	pages    []openPage      // downstream workflows that run
	reading  bool            // where the next pages are
	planning bool            // what the next units are
	changed  bool            // something happened that the loop should look at
	closing  bool
}

func newBulk(ctx workflow.Context, input json.RawMessage) *bulk {
	info := workflow.GetInfo(ctx)
	job, err := batch.ParseJob(input)
	job.CreateMode = cmp.Or(job.CreateMode, batch.CreateAuto)
	b := &bulk{job: job.WithDefaults(), parseErr: err, info: info, log: workflow.GetLogger(ctx), root: ctx, busy: map[string]bool{}}
	if c := job.Carried; c != nil && c.Bulk != nil && info.ContinuedExecutionRunID != "" {
		b.token, b.state, b.book = c.Token, c.State, *c.Bulk
		b.shown = visibility.Of(b.state)
	} else {
		b.token = cmp.Or(info.OriginalRunID, info.WorkflowExecution.RunID)
		b.state.Stage = batch.StageInspecting
		b.state.Bulk = &batch.Bulk{StartedAt: workflow.Now(ctx), Round: 1}
		b.book.CheckAt = workflow.Now(ctx).Add(checkEvery)
		if c != nil && err == nil {
			b.parseErr = errors.New(`job: unknown field "carried"`)
		}
	}
	b.book.Reset = b.book.Reset || info.OriginalRunID != "" && info.OriginalRunID != info.WorkflowExecution.RunID
	b.job.Carried = nil
	b.at = b.state.Bulk
	b.state.SessionID = batch.SessionID(info.WorkflowExecution.ID, b.token)
	b.files = batch.Files{Prefix: batch.ResultsPrefix(b.job, info.WorkflowExecution.ID, b.token), Token: b.token}
	return b
}

// inOrder runs the steps of the recipe; those behind us return at once.
func (b *bulk) inOrder(ctx workflow.Context) error {
	if err := b.survey(ctx); err != nil {
		return err
	}
	b.enter(ctx, batch.StageTracking)
	for !b.book.RoundsRun {
		if err := b.round(ctx); err != nil {
			return err
		}
		if err := b.endRound(ctx); err != nil {
			return err
		}
	}
	if err := b.awaitPages(ctx); err != nil {
		return err
	}
	if b.book.Broken != "" {
		return end(batch.OutcomeResultsUnavailable, b.book.Broken)
	}
	b.enter(ctx, batch.StageCollecting)
	return b.publish(ctx)
}

// survey checks the whole input and cuts it into shards.
func (b *bulk) survey(ctx workflow.Context) error {
	if b.book.Surveyed {
		return nil
	}
	b.show(ctx)
	if err := b.admit(); err != nil {
		return end(batch.OutcomeRejected, err.Error())
	}
	ctx, stop := workflow.WithCancel(ctx)
	defer stop()
	unwanted := func() bool { return b.cancelRequested() && !b.book.Reset }
	workflow.Go(ctx, func(ctx workflow.Context) {
		if workflow.Await(ctx, unwanted) == nil {
			stop() // a long look at rows that nobody wants any more
		}
	})
	out, err := call(ctx, longTransfer("survey "+b.job.Input, patience), act.Survey,
		activities.SurveyInput{Job: b.job, Files: b.files})
	switch {
	case unwanted():
		return errStopped
	case err != nil:
		return end(batch.OutcomeRejected, "survey the input: "+reason(err))
	}
	b.take(out)
	if out.Rejected != "" {
		return &ended{batch.OutcomeRejected, out.Rejected, out.Problems}
	}
	return nil
}

func (b *bulk) admit() error {
	if b.info.CronSchedule != "" {
		return errors.New("cron: its runs share one workflow id; use a Temporal Schedule")
	}
	if err := errors.Join(batch.CheckBulkID(b.info.WorkflowExecution.ID), b.parseErr); err != nil {
		return err
	}
	return errors.Join(b.job.Validate(), b.job.ValidateBulk())
}

func (b *bulk) take(out activities.SurveyOutput) {
	facts := out.Facts
	b.state.Input, b.state.Endpoint, b.state.Model, b.state.Provider = &facts, out.Endpoint, out.Model, b.job.Provider
	k := &b.book
	k.Profile, k.Account, k.Mode, k.Endpoint, k.Model = out.Profile, out.Account, out.Mode, out.Endpoint, out.Model
	k.PlanSize, k.Surveyed = out.PlanSize, out.Rejected == ""
	b.at.Shards, b.at.Units, b.at.Rows = out.Shards, out.Batches, out.Facts.Rows-out.Invalid
	b.at.Counts = batch.BulkCounts{Invalid: out.Invalid, Open: b.at.Rows}
	b.at.Rounds = cmp.Or(b.job.Rounds, batch.DefaultRounds)
	b.at.MaxFlight = cmp.Or(b.job.MaxInFlight, out.Profile.MaxInFlight, batch.DefaultMaxInFlight)
	b.at.Budget, b.at.Estimate = b.job.BudgetUSD, out.Estimate
	b.at.Governor = batch.GovernorID(out.Account, out.Profile.Name)
	if b.job.Downstream != nil {
		b.at.Pages = &batch.DownstreamState{}
	}
}

func (b *bulk) enter(ctx workflow.Context, s batch.Stage) {
	if s == batch.StageTracking && b.cancelRequested() {
		s = batch.StageCancelling
	}
	if b.state.Stage != s {
		b.log.Info("stage", "stage", string(s), "round", b.at.Round)
	}
	b.state.Stage = s
	b.show(ctx)
}

func (b *bulk) cancelRequested() bool { return b.state.Cancellation != nil }

// endRound sums a round up and plans the next, where there is one.
func (b *bulk) endRound(ctx workflow.Context) error {
	k := &b.book
	k.Units = nil // what a stop has left unsent
	if !k.BeginAt.IsZero() {
		k.BeginAt, b.state.Problem = time.Time{}, ""
	}
	if b.at.Round == 1 || b.at.Ended > 0 { // a stop may come before the round has begun
		b.at.Past = append(b.at.Past, batch.RoundSummary{
			Round: b.at.Round, Batches: b.at.Ended, Rows: b.at.Rows, Answered: k.RoundCounts.Answered, Again: k.RoundCounts.Open, Money: k.RoundMoney,
		})
	}
	if b.at.Round == 1 {
		k.Unsent = b.at.Rows - k.RoundCounts.Sum()
	}
	again := k.RoundCounts.Open > 0 && b.at.Round < b.at.Rounds
	if c := b.at.Cancelled; c != nil {
		c.NotSent = b.at.Units - b.at.Ended
	}
	sentAgain := b.looksBack() && b.at.Ended == b.at.Units // the round after it may have been sent before the reset
	if again && (!b.stopped() || sentAgain) {
		return b.planRound(ctx)
	}
	b.endRounds(again)
	return nil
}

// endRounds notes that no round follows: what was worth another try gets none.
func (b *bulk) endRounds(again bool) {
	k := &b.book
	b.at.Causes = batch.AddCauses(b.at.Causes, k.AgainCauses, shownCauses)
	k.RoundsRun, k.Undone = true, k.Undone || again || b.at.Ended < b.at.Units
}

// planRound packs what the round has left over into the batches of the next.
func (b *bulk) planRound(ctx workflow.Context) error {
	k := &b.book
	out, err := call(ctx, longTransfer(fmt.Sprintf("plan round %d", b.at.Round+1), patience), act.PlanRound, activities.PlanRoundInput{
		Files: b.files, Round: b.at.Round + 1, Rows: k.RoundCounts.Open, Limits: k.Profile.UnitLimits(b.job.BulkJob, k.Mode),
	})
	if err != nil {
		b.breakOff(fmt.Sprintf("plan round %d", b.at.Round+1), err)
		b.endRounds(true)
		return nil
	}
	if wait := batch.BetweenRounds(b.at.Round, k.RoundCounts.Sum(), k.AgainCauses); wait > 0 && !b.stopped() {
		k.BeginAt = workflow.Now(ctx).Add(wait)
		b.state.Problem = fmt.Sprintf("round %d: %s. Round %d begins at %s", b.at.Round, k.AgainCauses[0].Cause, b.at.Round+1,
			k.BeginAt.UTC().Format(time.RFC3339))
	}
	b.at.Round++
	b.at.Units, b.at.Rows, b.at.Ended = out.Units, out.Rows, 0
	k.PlanSize, k.Cursor, k.Queue = out.PlanSize, 0, nil
	k.RoundCounts, k.RoundCauses, k.RoundMoney, k.Passed = batch.BulkCounts{}, nil, batch.Money{}, nil
	return nil
}

// stopped tells that nothing new is sent any more.
func (b *bulk) stopped() bool {
	return b.cancelRequested() || b.book.BudgetReached || b.book.Broken != ""
}

// looksBack tells that a run that sends nothing new must still find what it has
// sent before it was reset.
func (b *bulk) looksBack() bool { return b.stopped() && b.book.Reset && b.book.Broken == "" }

// breakOff notes a step that cannot succeed.
func (b *bulk) breakOff(doing string, err error) {
	b.book.Broken = cmp.Or(b.book.Broken, doing+": "+reason(err))
	b.changed = true
}
