package batch

import "time"

// SweepClass is what is wrong with a batch.
type SweepClass string

// The classes, by urgency. A batch has one: one that is over its age besides
// says so in Finding.OverAge.
const (
	SweepOrphan    SweepClass = "orphan"    // no run follows it, and none has collected it
	SweepDuplicate SweepClass = "duplicate" // its run has another batch
	SweepOverAge   SweepClass = "over_age"  // live for longer than it may be, though followed
	SweepUnknown   SweepClass = "unknown"   // whether a run follows it cannot be told here
)

// SweepClasses lists every class, by urgency.
func SweepClasses() []SweepClass {
	return []SweepClass{SweepOrphan, SweepDuplicate, SweepOverAge, SweepUnknown}
}

// SweepAction is what a sweep did about a batch.
type SweepAction string

// The actions. None says that a batch is cancelled: only a run that has seen it
// end can.
const (
	SweepAdopted         SweepAction = "adopted"          // a run follows it now
	SweepCancelRequested SweepAction = "cancel_requested" // the run that follows it was asked to cancel it
	SweepReported        SweepAction = "reported"         // nothing
)

// Finding is one batch that somebody should know of.
type Finding struct {
	BatchID    string     `json:"batch_id"`
	SessionID  string     `json:"session_id"`
	WorkflowID string     `json:"workflow_id"` // of the run that made it
	Class      SweepClass `json:"class"`
	OverAge    bool       `json:"over_age,omitempty"`
	Status     Status     `json:"status"`
	CreatedAt  time.Time  `json:"created_at,omitzero"`
	Age        Duration   `json:"age"` // when it was listed, in whole seconds
	Rows       int64      `json:"rows"`
	Cost
	Action SweepAction `json:"action"`
	// FollowedBy is the workflow id of the open run that follows it; empty: none.
	FollowedBy string `json:"followed_by,omitempty"`
	Problem    string `json:"problem,omitempty"`
	// Move is what is to be done, before it is.
	Move SweepMove `json:"-"`
}

// SweepMove is what a sweep is to do about a batch: start a run that follows it,
// then ask the run that follows it to cancel.
type SweepMove struct{ Adopt, Cancel bool }

// SweepSum is what the batches of a class come to, those that are not reported
// one by one included.
type SweepSum struct {
	Class     SweepClass `json:"class"`
	Batches   int        `json:"batches"`
	Rows      int64      `json:"rows"`
	CostNanos int64      `json:"cost_nanos"`         // billionths of a US dollar
	Unpriced  int        `json:"unpriced,omitempty"` // batches of unknown cost
}

// SweepReport is the result of SweepWorkflow. Each listed batch stands in one of
// Foreign, Followed, Accounted, Elsewhere, Refused and the sums of the classes,
// but for those over their age, which are followed as well.
type SweepReport struct {
	StartedAt time.Time `json:"started_at"`
	Cancel    bool      `json:"cancel,omitempty"`
	Listed    int       `json:"listed"`
	// Complete tells that the gateway's list hid nothing; Incomplete says what it
	// may have hidden, or what was left out.
	Complete   bool   `json:"complete"`
	Incomplete string `json:"incomplete,omitempty"`

	Foreign   int `json:"foreign"`             // not made by a run: never touched
	Followed  int `json:"followed"`            // by an open run
	Accounted int `json:"accounted"`           // ended, and a run knows how
	Elsewhere int `json:"elsewhere,omitempty"` // ended, of runs that this namespace does not know
	Refused   int `json:"refused,omitempty"`   // by the provider: they never ran

	Findings []Finding  `json:"findings"`       // by urgency, then age; at most MaxSweepFindings
	Left     int        `json:"left,omitempty"` // findings beyond them
	Sums     []SweepSum `json:"sums"`           // of the classes that have a batch
}
