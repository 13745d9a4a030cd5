package batch

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// AccountBatch is one batch of ours as the account shows it.
type AccountBatch struct {
	BatchID   string    `json:"batch_id"`
	SessionID string    `json:"session_id"`
	Status    Status    `json:"status"`
	CreatedAt time.Time `json:"created_at,omitzero"`
	Rows      int64     `json:"rows,omitempty"`
	Cost
	// Lost tells that the gateway lists it and does not find it: there is nothing
	// that a run could follow.
	Lost bool `json:"lost,omitempty"`
	// Problem says why it is shown as listed, which may be old.
	Problem string `json:"problem,omitempty"`
}

// Account is what the gateway showed of an account: the figures of a
// SweepReport, and the batches of ours.
type Account struct {
	Batches    []AccountBatch `json:"batches,omitempty"`
	Listed     int            `json:"listed"`
	Foreign    int            `json:"foreign"`
	Refused    int            `json:"refused"`
	Complete   bool           `json:"complete"`
	Incomplete string         `json:"incomplete,omitempty"`
}

// Sighting is what the server knows of one run that may follow a batch.
type Sighting struct {
	WorkflowID string    `json:"workflow_id,omitempty"`
	Status     RunStatus `json:"status,omitempty"` // empty: nobody looked
	BatchID    string    `json:"batch_id,omitempty"`
	// Outcome is how it ended; empty on a closed run that left no result.
	Outcome Outcome `json:"outcome,omitempty"`
	// Ended tells that it saw its batch end.
	Ended           bool `json:"ended,omitempty"`
	CancelRequested bool `json:"cancel_requested,omitempty"`
	// Problem says why its state could not be read; BatchID says nothing then.
	Problem string `json:"problem,omitempty"`
}

func (s Sighting) follows(batchID string) bool { return s.Status == RunOpen && s.BatchID == batchID }

// accounts tells whether the run has seen the batch to its end: what there was
// to collect is collected, or the run says why it is not.
func (s Sighting) accounts(batchID string) bool {
	return s.Status == RunClosed && s.Ended && s.BatchID == batchID
}

// Tracking is what the server knows of the runs that may follow one batch.
type Tracking struct {
	BatchID string   `json:"batch_id"`
	Maker   Sighting `json:"maker"`          // the run whose session the batch carries
	Adopter Sighting `json:"adopter"`        // the run under AdoptID
	Other   Sighting `json:"other,omitzero"` // any other run that names the batch
}

// Settled tells whether one of the runs follows the batch, or has seen its end.
func (t Tracking) Settled() bool {
	follower, accounted := t.settled()
	return follower.Status == RunOpen || accounted
}

func (t Tracking) settled() (follower Sighting, accounted bool) {
	adopter := t.Adopter
	if adopter.Status == RunOpen { // it was started for nothing else, and may not have read its batch yet
		adopter.BatchID = t.BatchID
	}
	maker := t.Maker
	if maker.Status == RunOpen && maker.BatchID == "" && maker.Problem == "" { // it is still being settled
		maker.BatchID = t.BatchID
	}
	for _, s := range []Sighting{adopter, maker, t.Other} {
		if s.follows(t.BatchID) {
			return s, false
		}
		accounted = accounted || s.accounts(t.BatchID)
	}
	return Sighting{}, accounted
}

// standing is where a batch stands; the classes are those that are findings.
type standing struct {
	class     SweepClass // empty: nothing is wrong
	follower  Sighting
	accounted bool
	elsewhere bool
	problem   string
}

// standingOf decides what a batch is. A terminal status is never left again, so a
// run that saw the end is right even where the list still shows the batch live.
func standingOf(b AccountBatch, t Tracking) standing {
	live := !b.Status.IsTerminal()
	follower, accounted := t.settled()
	switch {
	case follower.Status == RunOpen:
		return standing{follower: follower}
	case accounted:
		return standing{accounted: true}
	case t.Maker.Status == "":
		return standing{class: SweepUnknown, problem: "nobody looked for its run"}
	case t.Maker.Problem != "":
		return standing{class: SweepUnknown, problem: t.Maker.WorkflowID + ": " + t.Maker.Problem}
	case t.Maker.Status == RunMissing && live:
		return standing{class: SweepUnknown, problem: "its run is of another namespace, or past its retention"}
	case t.Maker.Status == RunMissing:
		return standing{elsewhere: true}
	case t.Maker.BatchID != "" && t.Maker.BatchID != b.BatchID:
		return standing{class: SweepDuplicate, problem: "its run has the batch " + t.Maker.BatchID}
	default:
		return standing{class: SweepOrphan}
	}
}

// Classify judges each batch of ours in an account by what the server knows of
// its runs, and says what is to be done. Nothing is done about a batch whose run
// is not known here.
func Classify(now time.Time, job SweepJob, account Account, seen []Tracking) SweepReport {
	job = job.WithDefaults()
	r := SweepReport{
		StartedAt: now, Cancel: job.Cancel, Listed: account.Listed, Foreign: account.Foreign, Refused: account.Refused,
		Complete: account.Complete, Incomplete: account.Incomplete,
	}
	tracking := make(map[string]Tracking, len(seen))
	for _, t := range seen {
		tracking[t.BatchID] = t
	}
	known := costsOf(account.Batches)
	found := []Finding{}
	for _, b := range account.Batches {
		if f := r.judge(describe(now, job, b, known), job, b, tracking[b.BatchID]); f.Class != "" {
			found = append(found, f)
		}
	}
	r.keep(found)
	return r
}

// judge gives a batch its class and what is to be done, and counts it where
// nothing is wrong.
func (r *SweepReport) judge(f Finding, job SweepJob, b AccountBatch, t Tracking) Finding {
	s := standingOf(b, t)
	switch {
	case s.accounted:
		r.Accounted++
	case s.elsewhere:
		r.Elsewhere++
	case s.class == "":
		r.Followed++
	}
	if f.Class = s.class; f.Class == "" && f.OverAge && s.follower.Status == RunOpen {
		f.Class = SweepOverAge
	}
	if f.Class != "" {
		f.FollowedBy, f.Problem = s.follower.WorkflowID, cmp.Or(s.problem, b.Problem)
		f.decide(job, b, s, t.Adopter)
	}
	return f
}

func describe(now time.Time, job SweepJob, b AccountBatch, known costs) Finding {
	f := Finding{
		BatchID: b.BatchID, SessionID: b.SessionID, Status: b.Status, CreatedAt: b.CreatedAt, Rows: b.Rows,
		Cost: known.of(b), Action: SweepReported,
	}
	f.WorkflowID, _, _ = SplitSessionID(b.SessionID)
	if !b.CreatedAt.IsZero() {
		f.Age = Duration(max(0, now.Sub(b.CreatedAt)).Truncate(time.Second))
		f.OverAge = !b.Status.IsTerminal() && f.Age > job.MaxAge
	}
	return f
}

// decide sets what is to be done. A run cancels what it follows, never the sweep
// itself: only a run sees whether the batch ended and what it has cost.
func (f *Finding) decide(job SweepJob, b AccountBatch, s standing, adopter Sighting) {
	cancel := job.Cancel && !b.Status.IsTerminal()
	switch {
	case f.Class == SweepUnknown:
	case f.Class == SweepOverAge && s.follower.CancelRequested:
		f.Problem = cmp.Or(f.Problem, "it was asked to cancel before")
	case f.Class == SweepOverAge:
		f.Move = SweepMove{Cancel: cancel}
	case b.Lost:
		f.Problem = cmp.Or(b.Problem, "the gateway lists it and does not find it")
	case f.Class == SweepDuplicate:
		f.Move = SweepMove{Adopt: cancel, Cancel: cancel}
	case adopter.Outcome == OutcomeRejected && !cancel: // it would be again
		f.Problem = fmt.Sprintf("%s ended %s", adopter.WorkflowID, adopter.Outcome)
	default:
		f.Move = SweepMove{Adopt: true, Cancel: cancel}
	}
}

// keep takes the findings into the report, the most urgent first, within the
// bounds of one sweep.
func (r *SweepReport) keep(found []Finding) {
	classes := SweepClasses()
	slices.SortStableFunc(found, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(slices.Index(classes, a.Class), slices.Index(classes, b.Class)),
			a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.BatchID, b.BatchID))
	})
	r.Sums = sumsOf(found)
	kept := min(len(found), MaxSweepFindings)
	r.Findings, r.Left = found[:kept], len(found)-kept
	moves := 0
	for i := range r.Findings {
		f := &r.Findings[i]
		if f.Move == (SweepMove{}) {
			continue
		}
		if moves++; moves > MaxSweepMoves {
			f.Move, f.Problem = SweepMove{}, "left for the next sweep"
		}
	}
}
