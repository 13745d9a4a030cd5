package workflows

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"batchkeeper/activities"
	"batchkeeper/batch"
)

// SweepWorkflow looks over the account once: it lists the batches, starts a run
// for each of ours that none follows, and reports what it found. With cancel set
// it asks the runs to cancel what it found; it never does so itself. Its input is
// a batch.SweepJob, taken raw so that one with an unknown field is refused.
func SweepWorkflow(ctx workflow.Context, input json.RawMessage) (batch.SweepReport, error) {
	s := &sweep{log: workflow.GetLogger(ctx), report: batch.SweepReport{StartedAt: workflow.Now(ctx)}}
	err := workflow.SetQueryHandlerWithOptions(ctx, batch.QueryState, func() (batch.SweepReport, error) { return s.report, nil },
		workflow.QueryHandlerOptions{Description: "The report as far as it is known."})
	if err != nil {
		return batch.SweepReport{}, err
	}
	job, err := batch.ParseSweepJob(input)
	if err != nil {
		return batch.SweepReport{}, temporal.NewNonRetryableApplicationError(err.Error(), string(batch.KindInputInvalid), nil)
	}
	s.job = job.WithDefaults()
	if err := s.run(ctx); err != nil {
		return batch.SweepReport{}, err
	}
	return s.report, nil
}

// sweep is one execution of SweepWorkflow.
type sweep struct {
	job    batch.SweepJob
	log    log.Logger
	report batch.SweepReport
}

// run lists before it asks who follows: a run that has ended in between has told
// its end, while one that began after would look like none.
func (s *sweep) run(ctx workflow.Context) error {
	now := s.report.StartedAt
	workflow.SetCurrentDetails(ctx, "listing the account's batches")
	listed, err := call(ctx, longRead("list the account's batches"), act.ListAccount,
		activities.ListAccountInput{Profile: s.job.Profile, Since: now.Add(-s.job.Since.Std())})
	if err != nil {
		return swept("list the account's batches", err)
	}
	seen, err := s.track(ctx, listed.Account.Batches)
	if err != nil {
		return swept("find who follows them", err)
	}
	s.report = batch.Classify(now, s.job, listed.Account, seen)
	steps, _ := workflow.NewDisconnectedContext(ctx) // cancelling a sweep must not reach what it has started
	s.adopt(steps)
	s.cancel(steps)
	workflow.SetCurrentDetails(ctx, sweepDetails(s.report))
	return nil
}

// swept ends a sweep that could not be made. The next one may do better: trying
// this one again is not for a retry policy.
func swept(doing string, err error) error {
	if temporal.IsCanceledError(err) {
		return err
	}
	kind := string(batch.KindTemporalUnavailable)
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		kind = app.Type()
	}
	return temporal.NewNonRetryableApplicationError(doing+": "+reason(err), kind, nil)
}

// trackPage is how many batches one activity asks about, so that neither its
// time nor its answer grows with the account.
const trackPage = 200

func (s *sweep) track(ctx workflow.Context, batches []batch.AccountBatch) ([]batch.Tracking, error) {
	var seen []batch.Tracking
	for page := range slices.Chunk(batches, trackPage) {
		in := activities.TrackInput{}
		for _, b := range page {
			in.Batches = append(in.Batches, activities.SweptBatch{BatchID: b.BatchID, SessionID: b.SessionID})
		}
		workflow.SetCurrentDetails(ctx, fmt.Sprintf("finding who follows %d batches: %d done", len(batches), len(seen)))
		out, err := call(ctx, longRead(fmt.Sprintf("who follows %d batches", len(page))), act.Track, in)
		if err != nil {
			return nil, err
		}
		seen = append(seen, out.Seen...)
	}
	return seen, nil
}

// adopt starts the runs, which outlive the sweep. A run that is there already is
// as good: its id is made from the batch's.
func (s *sweep) adopt(ctx workflow.Context) {
	children := make([]workflow.ChildWorkflowFuture, len(s.report.Findings))
	for i, f := range s.report.Findings {
		if !f.Move.Adopt {
			continue
		}
		job := s.job.AdoptJob(f.BatchID)
		children[i] = workflow.ExecuteChildWorkflow(workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
			WorkflowID: batch.AdoptID(f.BatchID), ParentClosePolicy: enumspb.PARENT_CLOSE_POLICY_ABANDON,
			Memo:          map[string]any{batch.MemoJob: job.Fingerprint()},
			StaticSummary: fmt.Sprintf("%s of %s, found by a sweep", f.Class, f.WorkflowID),
		}), batch.WorkflowBatch, job)
	}
	for i, child := range children {
		if child == nil {
			continue
		}
		f := &s.report.Findings[i]
		err := child.GetChildWorkflowExecution().Get(ctx, nil)
		if err != nil && !temporal.IsWorkflowExecutionAlreadyStartedError(err) {
			f.Problem, f.Move = "start a run that follows it: "+reason(err), batch.SweepMove{}
			s.log.Warn("adopt", "batch_id", f.BatchID, "error", err)
			continue
		}
		f.Action, f.FollowedBy = batch.SweepAdopted, batch.AdoptID(f.BatchID)
	}
}

// cancel asks the runs that follow, old and new.
func (s *sweep) cancel(ctx workflow.Context) {
	asked := make([]workflow.Future, len(s.report.Findings))
	for i, f := range s.report.Findings {
		if f.Move.Cancel {
			asked[i] = workflow.SignalExternalWorkflow(ctx, f.FollowedBy, "", batch.SignalCancel,
				batch.CancelRequest{RequestedBy: batch.SweepCaller, Reason: cancelReason(f)})
		}
	}
	for i, answer := range asked {
		if answer == nil {
			continue
		}
		f := &s.report.Findings[i]
		if err := answer.Get(ctx, nil); err != nil {
			f.Problem = "ask " + f.FollowedBy + " to cancel: " + reason(err)
			s.log.Warn("cancel", "batch_id", f.BatchID, "workflow_id", f.FollowedBy, "error", err)
			continue
		}
		f.Action = batch.SweepCancelRequested
	}
}

func cancelReason(f batch.Finding) string {
	switch f.Class {
	case batch.SweepOrphan:
		return "no run followed it"
	case batch.SweepDuplicate:
		return f.Problem
	case batch.SweepOverAge, batch.SweepUnknown:
	}
	return fmt.Sprintf("it is %s old", f.Age.Std().Round(time.Minute))
}

// maxDetails bounds the table in the Web UI; the result has the rest.
const maxDetails = 50

// sweepDetails is the status page of a sweep, in Markdown, for the Web UI.
func sweepDetails(r batch.SweepReport) string {
	var b strings.Builder
	fmt.Fprintf(&b, "### %d findings\n\n%d batches listed: %d followed, %d accounted for, %d not ours\n",
		len(r.Findings)+r.Left, r.Listed, r.Followed, r.Accounted, r.Foreign)
	if r.Incomplete != "" {
		fmt.Fprintf(&b, "\n**Not all were seen**: %s\n", cell(r.Incomplete))
	}
	if len(r.Findings) == 0 {
		return b.String()
	}
	b.WriteString("\n| Class | Batch | Status | Age | Cost in USD | Done | Followed by | Problem |\n|---|---|---|---|---|---|---|---|\n")
	for _, f := range r.Findings[:min(len(r.Findings), maxDetails)] {
		cost := string(f.Source)
		if f.Source != batch.CostUnknown {
			cost = fmt.Sprintf("%.4f (%s)", f.USD(), f.Source)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s |\n", f.Class, code(cell(f.BatchID)), cell(string(f.Status)),
			f.Age, cost, f.Action, code(cell(f.FollowedBy)), cell(f.Problem))
	}
	return b.String()
}
