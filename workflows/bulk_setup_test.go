package workflows_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"batchkeeper/activities"
	"batchkeeper/batch"
	"batchkeeper/workflows"
)

const (
	bulkJob    = `{"input":"in.jsonl","max_in_flight":3}`
	shardRows  = 100
	batchTakes = time.Hour
)

// floor is a bulk run in the SDK's test environment. Its activities are scripted,
// and its batches are played by a workflow that takes an hour and tells its end.
type floor struct {
	*world
	mu sync.Mutex // activities of several units run at a time

	shards  int
	profile batch.Profile
	empty   map[int]bool // shards of bad rows alone

	slow       func(step string) time.Duration                                             // how long an activity takes
	readFails  func(activities.ReadPlanInput) bool                                         // the store is away
	tokens     int64                                                                       // of a unit, estimated
	noGovernor bool                                                                        // it was terminated
	grants     bool                                                                        // leases are granted at once
	takes      func(id string) time.Duration                                               // how long a batch takes
	says       func(id string) batch.Finished                                              // how it ends
	lost       map[string]bool                                                             // batches whose notice never arrives
	prepare    func(activities.PrepareInput) (activities.PrepareOutput, error)             // what is known of a unit
	settle     func(activities.SettleUnitInput) (activities.SettleUnitOutput, error)       // what became of its rows
	publish    func(activities.PublishShardsInput) (activities.PublishShardsOutput, error) // where they ended up

	begun, ended []string // batches, in order
	most         int      // of them at a time
	asked        []string // holders, in order
	signals      []string // to other workflows: name and holder
	settled      []activities.SettleUnitInput
	ends         int // questions about lost notices
	planned      int // units of the next round
	total        batch.BulkCounts
	refuses      map[string]error          // by activity
	prefixes     []string                  // of the batches' results
	planRound    activities.PlanRoundInput // as asked for last
	planFinal    activities.PlanFinalInput
	manifest     activities.PublishManifestInput
	read         []batch.Page // pages taken in downstream
	pageTakes    time.Duration
	pageDeaf     bool // to a cancel
}

// registry plays the batches instead of running them.
type registry struct {
	*testsuite.TestWorkflowEnvironment
	batch any
}

func (r registry) RegisterWorkflowWithOptions(w any, o workflow.RegisterOptions) {
	if o.Name == batch.WorkflowBatch {
		w = r.batch
	}
	r.TestWorkflowEnvironment.RegisterWorkflowWithOptions(w, o)
}

func newFloor(t *testing.T, shards int) *floor {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestWorkflowEnvironment()
	env.SetWorkerOptions(worker.Options{DeadlockDetectionTimeout: time.Minute}) // a busy machine is no deadlock
	env.SetTestTimeout(30 * time.Second)
	env.SetStartWorkflowOptions(startOptions(workflowID))
	f := &floor{
		world: &world{t: t, env: env}, shards: shards, profile: batch.PhaseoProfile(), grants: true,
		empty: map[int]bool{}, lost: map[string]bool{},
	}
	workflows.Register(registry{env, f.playBatch}, activities.New(activities.Options{}))
	env.RegisterWorkflowWithOptions(func(ctx workflow.Context, p batch.Page) error {
		f.note(func() { f.read = append(f.read, p) })
		if f.pageDeaf {
			ctx, _ = workflow.NewDisconnectedContext(ctx)
		}
		return workflow.Sleep(ctx, f.pageTakes)
	}, workflow.RegisterOptions{Name: "Ingest"})
	f.script()
	env.OnSignalExternalWorkflow(mock.Anything, mock.Anything, "", mock.Anything, mock.Anything).Return(f.hearSignal).Maybe()
	f.plays()
	return f
}

// script is a run in which nothing goes wrong.
func (f *floor) script() {
	f.takes = func(string) time.Duration { return batchTakes }
	f.says = func(id string) batch.Finished { return batch.Finished{WorkflowID: id, Outcome: batch.OutcomeCompleted} }
	f.prepare = func(activities.PrepareInput) (activities.PrepareOutput, error) {
		return activities.PrepareOutput{}, nil
	}
	f.settle = func(in activities.SettleUnitInput) (activities.SettleUnitOutput, error) {
		return activities.SettleUnitOutput{
			Outcome: in.Finished.Outcome, Counts: batch.BulkCounts{Answered: in.Unit.Rows},
			Money: batch.Money{TotalTokens: in.Unit.Rows, CostNanos: in.Unit.Rows * 1e6},
		}, nil
	}
	f.publish = func(in activities.PublishShardsInput) (activities.PublishShardsOutput, error) {
		out := activities.PublishShardsOutput{Shards: min(in.Count, f.shards-int(in.Offset)), Next: in.Offset + int64(in.Count)}
		if in.Offset == 0 {
			out.Counts = f.total
		}
		return out, nil
	}
}

// play runs the script of one activity under the floor's lock.
func playOn[In, Out any](f *floor, name string, script func(In) (Out, error)) {
	f.env.OnActivity(name, mock.Anything, mock.Anything).Return(func(_ context.Context, in In) (Out, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.calls = append(f.calls, name)
		if err := f.refuses[name]; err != nil {
			var none Out
			return none, err
		}
		return script(in)
	}).AfterFn(func() time.Duration {
		if f.slow == nil {
			return 0
		}
		return f.slow(name)
	}).Maybe()
}

func (f *floor) plays() {
	playOn(f, "Survey", func(activities.SurveyInput) (activities.SurveyOutput, error) {
		return activities.SurveyOutput{
			Profile: f.profile, Account: "acct", Mode: batch.CreateInline, Shards: f.shards, Batches: f.shards - len(f.empty), PlanSize: int64(f.shards),
			Facts: batch.InputFacts{Rows: int64(f.shards * shardRows)},
		}, nil
	})
	playOn(f, "ReadPlan", f.readPlan)
	playOn(f, "AskGovernor", func(in activities.AskGovernorInput) (activities.AskGovernorOutput, error) {
		f.asked = append(f.asked, in.Request.Holder)
		if f.grants {
			f.env.SignalWorkflow(batch.SignalLeaseGranted, batch.LeaseGranted{Holder: in.Request.Holder, Ask: in.Request.Ask})
		}
		return activities.AskGovernorOutput{}, nil
	})
	playOn(f, "Prepare", func(in activities.PrepareInput) (activities.PrepareOutput, error) { return f.prepare(in) })
	playOn(f, "SettleUnit", func(in activities.SettleUnitInput) (activities.SettleUnitOutput, error) {
		f.settled = append(f.settled, in)
		out, err := f.settle(in)
		f.total = f.total.Plus(out.Counts)
		return out, err
	})
	playOn(f, "Ends", f.lookForEnds)
	playOn(f, "PlanRound", func(in activities.PlanRoundInput) (activities.PlanRoundOutput, error) {
		n := f.planned
		f.planRound = in
		return activities.PlanRoundOutput{Units: n, Rows: int64(n * shardRows), PlanSize: int64(n)}, nil
	})
	playOn(f, "PlanFinal", func(in activities.PlanFinalInput) (activities.PlanFinalOutput, error) {
		f.planFinal = in
		return activities.PlanFinalOutput{Shards: f.shards}, nil
	})
	playOn(f, "PublishShards", func(in activities.PublishShardsInput) (activities.PublishShardsOutput, error) { return f.publish(in) })
	playOn(f, "PublishManifest", func(in activities.PublishManifestInput) (activities.PublishManifestOutput, error) {
		f.manifest = in
		return activities.PublishManifestOutput{Counts: f.total}, nil
	})
}

// readPlan knows a plan whose offsets are the numbers of its units.
func (f *floor) readPlan(in activities.ReadPlanInput) (activities.ReadPlanOutput, error) {
	if f.readFails != nil && f.readFails(in) {
		return activities.ReadPlanOutput{}, errors.New("the store is away")
	}
	units := f.shards
	if in.Round > 1 {
		units = f.planned
	}
	out := activities.ReadPlanOutput{Next: min(in.Offset+int64(in.Count), int64(units))}
	for n := int(in.Offset) + 1; n <= int(out.Next); n++ {
		u := batch.Unit{Number: n, Rows: shardRows, Tokens: f.tokens, Shard: &batch.Shard{Number: n, Rows: shardRows}}
		if f.empty[n] {
			u.Rows = 0
		}
		out.Units = append(out.Units, u)
	}
	return out, nil
}

// lookForEnds knows of the batches that have ended without being heard.
func (f *floor) lookForEnds(in activities.EndsInput) (activities.EndsOutput, error) {
	f.ends++
	var out activities.EndsOutput
	for _, id := range in.WorkflowIDs {
		for _, done := range f.ended {
			if done == id {
				out.Ended = append(out.Ended, f.says(id))
			}
		}
	}
	return out, nil
}

func (f *floor) hearSignal(_, id, _, name string, arg any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.noGovernor && strings.HasPrefix(id, "governor~") {
		return errors.New("unknown external workflow")
	}
	switch a := arg.(type) {
	case batch.LeaseRelease:
		f.signals = append(f.signals, name+" "+a.Holder)
	case batch.Refusal:
		f.signals = append(f.signals, name+" "+a.Holder+" "+a.Reason)
	default:
		f.signals = append(f.signals, name+" "+id)
	}
	return nil
}

// playBatch takes its time, or until it is told to cancel, and tells its end.
func (f *floor) playBatch(ctx workflow.Context, raw json.RawMessage) (batch.Result, error) {
	id := workflow.GetInfo(ctx).WorkflowExecution.ID
	job, err := batch.ParseJob(raw)
	if err != nil || job.ValidateSingle() != nil || job.Notify == nil || job.Notify.WorkflowID != workflowID {
		return batch.Result{}, fmt.Errorf("job of %s: %w", id, errors.Join(err, job.ValidateSingle()))
	}
	f.note(func() {
		f.begun = append(f.begun, id)
		f.prefixes = append(f.prefixes, job.ResultsPrefix)
		f.most = max(f.most, len(f.begun)-len(f.ended))
	})
	done := f.says(id)
	cancelled, _ := workflow.GetSignalChannel(ctx, batch.SignalCancel).ReceiveWithTimeout(ctx, f.takes(id), nil)
	if cancelled {
		done = batch.Finished{WorkflowID: id, Outcome: batch.OutcomeCancelled}
	}
	f.note(func() { f.ended = append(f.ended, id) })
	if !f.lost[id] && !f.env.IsWorkflowCompleted() { // the environment is not made for signals to a run that is over
		f.env.SignalWorkflow(batch.SignalFinished, done) //workflowcheck:ignore
	}
	if cancelled {
		return batch.Result{}, temporal.NewCanceledError()
	}
	return batch.Result{}, nil
}

func (f *floor) note(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// runBulk executes a job to its end.
func (f *floor) runBulk(job string) ending {
	f.t.Helper()
	f.env.ExecuteWorkflow(batch.WorkflowBulk, json.RawMessage(job))
	require.True(f.t, f.env.IsWorkflowCompleted(), "the run hangs")
	return f.ending()
}

// renewed executes what a run continued as, on a floor of its own.
func (f *floor) renewed() (*floor, string) {
	f.t.Helper()
	var next *workflow.ContinueAsNewError
	require.ErrorAs(f.t, f.env.GetWorkflowError(), &next)
	after := newFloor(f.t, f.shards)
	after.env.SetContinuedExecutionRunID("the-run-before")
	after.planned, after.total, after.begun, after.ended = f.planned, f.total, f.begun, f.ended
	return after, string(next.Input.GetPayloads()[0].GetData())
}

func child(round, unit int) string { return batch.ChildID(workflowID, round, unit, 1) }

// said are the signals to others that begin with a name.
func (f *floor) said(name string) int {
	n := 0
	for _, s := range f.signals {
		if strings.HasPrefix(s, name+" ") {
			n++
		}
	}
	return n
}
