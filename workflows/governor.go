package workflows

import (
	"time"

	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/workflow"

	"batchkeeper/activities"
	"batchkeeper/batch"
)

// governorLinger is how long a governor that nobody needs stays: long enough
// that a run of small jobs does not start a new one for each.
const governorLinger = time.Hour

// GovernorWorkflow hands out one account's capacity to all bulk runs that use
// it. It is started by the first that asks, and ends when nobody has needed it
// for an hour and what it remembers binds no more. Cancelling it forgets every
// lease: the runs ask again, but batches that are live then go uncounted.
func GovernorWorkflow(ctx workflow.Context, in batch.GovernorInput) error {
	g := newGovernor(ctx, in)
	err := workflow.SetQueryHandlerWithOptions(ctx, batch.QueryState, func() (batch.GovernorState, error) { return g.view(ctx), nil },
		workflow.QueryHandlerOptions{Description: "Who holds capacity, who waits for what, and why."})
	if err != nil {
		return err
	}
	return g.serve(ctx)
}

// governor is one execution of GovernorWorkflow.
type governor struct {
	in     batch.GovernorInput
	ledger *batch.Ledger
	self   string // workflow id
	log    log.Logger

	asks, releases, refusals workflow.ReceiveChannel

	idleSince time.Time // zero: not idle

	reapAt  time.Time
	asked   time.Time       // when the reaping under way was begun
	reaping workflow.Future // nil: none is under way

	timer     workflow.Future // nil: none is set
	timerAt   time.Time
	stopTimer workflow.CancelFunc
}

func newGovernor(ctx workflow.Context, in batch.GovernorInput) *governor {
	g := &governor{
		in: in, ledger: in.Ledger, self: workflow.GetInfo(ctx).WorkflowExecution.ID, log: workflow.GetLogger(ctx),
		asks: workflow.GetSignalChannel(ctx, batch.SignalLease), releases: workflow.GetSignalChannel(ctx, batch.SignalRelease),
		refusals: workflow.GetSignalChannel(ctx, batch.SignalRefused),
		reapAt:   workflow.Now(ctx).Add(batch.ReapEvery),
	}
	if g.ledger == nil {
		g.ledger = &batch.Ledger{Capacity: in.Capacity}
	}
	return g
}

// serve is the life of a governor: look, hear, grant, tell, rest. Nothing yields
// between hearing and the two ways out, so that no signal is left behind.
func (g *governor) serve(ctx workflow.Context) error {
	for {
		g.look(ctx)
		g.hear(ctx)
		if g.over(workflow.Now(ctx)) {
			return nil
		}
		if g.reaping == nil && workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
			next := g.in
			next.Capacity, next.Ledger = g.ledger.Capacity, g.ledger
			return workflow.NewContinueAsNewError(ctx, batch.WorkflowGovernor, next)
		}
		g.ledger.Grant(workflow.Now(ctx))
		if !g.tell(ctx) {
			continue // what was given back may do for another
		}
		workflow.SetCurrentDetails(ctx, governorDetails(g.view(ctx)))
		if err := g.rest(ctx); err != nil {
			return err
		}
	}
}

// tell announces the leases to the bulk runs that asked. A run that is not there
// to hear gives its lease back; ok is false then.
func (g *governor) tell(ctx workflow.Context) (ok bool) {
	leases := g.ledger.Untold()
	told := make([]workflow.Future, len(leases))
	for i, lease := range leases {
		told[i] = workflow.SignalExternalWorkflow(ctx, lease.RunID, "", batch.SignalLeaseGranted,
			batch.LeaseGranted{Holder: lease.Holder, Ask: lease.Ask, Governor: g.self})
	}
	ok = true
	for i, lease := range leases {
		if err := told[i].Get(ctx, nil); err != nil {
			g.log.Info("the bulk run is gone", "run", lease.RunID, "holder", lease.Holder, "error", err)
			g.ledger.Gone(lease)
			ok = false
			continue
		}
		g.ledger.Told(lease.Holder)
	}
	return ok
}

// look asks the server whether the holders still live, and takes its answer. It
// goes on beside everything else.
func (g *governor) look(ctx workflow.Context) {
	now := workflow.Now(ctx)
	if g.reaping != nil && g.reaping.IsReady() {
		g.takeReap(ctx)
		g.reaping, g.reapAt = nil, now.Add(batch.ReapEvery)
	}
	if g.reaping != nil || now.Before(g.reapAt) {
		return
	}
	g.reapAt = now.Add(batch.ReapEvery)
	if ids := g.ledger.Watched(); len(ids) > 0 {
		g.asked = now
		g.reaping = workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, quickRead("do the holders still live")),
			act.Holders, activities.HoldersInput{WorkflowIDs: ids})
	}
}

func (g *governor) takeReap(ctx workflow.Context) {
	var out activities.HoldersOutput
	if err := g.reaping.Get(ctx, &out); err != nil {
		g.log.Warn("reap", "error", err) // the next one may do better
		return
	}
	seen := make(map[string]batch.RunStatus, len(out.Holders))
	for _, h := range out.Holders {
		seen[h.WorkflowID] = h.Status
	}
	for _, lease := range g.ledger.Reap(seen, g.asked) {
		g.log.Info("a lease was left behind", "run", lease.RunID, "holder", lease.Holder)
	}
}

func (g *governor) view(ctx workflow.Context) batch.GovernorState {
	now := workflow.Now(ctx)
	return batch.GovernorState{
		Account: g.in.Account, Profile: g.in.Profile, Capacity: g.ledger.Capacity,
		Meters: g.ledger.Meters(now), Leases: g.ledger.Leases, Waiting: g.ledger.Waiting("", now),
	}
}
