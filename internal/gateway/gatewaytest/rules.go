package gatewaytest

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Op is an operation that a rule can be about.
type Op string

// The operations.
const (
	OpUpload   Op = "upload"
	OpFile     Op = "file"    // a file's metadata
	OpContent  Op = "content" // a file's bytes
	OpCreate   Op = "create"
	OpList     Op = "list"
	OpRetrieve Op = "retrieve"
	OpCancel   Op = "cancel"
	OpRequests Op = "requests" // the rows of a batch as the gateway stores them
	OpWebhook  Op = "webhook"  // one attempt of a delivery; FileID matches nothing, EventType the event
	opOther    Op = "other"
)

// Rule puts a fault onto some calls of an operation. Empty matches match everything. From and To count the calls that
// match this rule, from 1; From 0 is the first, To 0 is for ever.
type Rule struct {
	Op        Op     `json:"op"` // empty: every operation but webhook
	BatchID   string `json:"batch_id,omitempty"`
	SessionID string `json:"session_id,omitempty"`
	FileID    string `json:"file_id,omitempty"`
	EventType string `json:"event_type,omitempty"` // of a webhook, such as batch.completed
	From      int    `json:"from,omitempty"`
	To        int    `json:"to,omitempty"`
	Fault     Fault  `json:"fault"`
}

// Fault is one named deviation; which of the fields count stands beside each kind in the catalog.
type Fault struct {
	Kind   FaultKind         `json:"kind"`
	Delay  Duration          `json:"delay,omitempty"`
	Status int               `json:"status,omitempty"`
	Reason string            `json:"reason,omitempty"`
	Value  string            `json:"value,omitempty"`
	Body   string            `json:"body,omitempty"`
	Header map[string]string `json:"header,omitempty"`
	Bytes  int64             `json:"bytes,omitempty"`
	Rows   int               `json:"rows,omitempty"`
	Count  int               `json:"count,omitempty"`
	Effect bool              `json:"effect,omitempty"`
}

// Duration is a time.Duration that JSON shows as text, such as "1m30s".
type Duration time.Duration

// MarshalText gives the text form.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads the text form.
func (d *Duration) UnmarshalText(b []byte) error {
	parsed, err := time.ParseDuration(string(b))
	*d = Duration(parsed)
	return err
}

// scripted is a rule with its count of matching calls.
type scripted struct {
	Rule
	calls int
}

// call is what a rule is matched against.
type call struct {
	op        Op
	batchID   string
	sessionID string
	fileID    string
	eventType string
}

func (r *scripted) matches(c call) bool {
	if r.Op == "" && c.op == OpWebhook || r.Op != "" && r.Op != c.op {
		return false
	}
	return matchesText(r.BatchID, c.batchID) && matchesText(r.SessionID, c.sessionID) &&
		matchesText(r.FileID, c.fileID) && matchesText(r.EventType, c.eventType)
}

func matchesText(want, got string) bool { return want == "" || want == got }

// faults are those that apply to one call, in the order of the script.
type faults []Fault

func (f faults) find(kinds ...FaultKind) (Fault, bool) {
	for _, fault := range f {
		if slices.Contains(kinds, fault.Kind) {
			return fault, true
		}
	}
	return Fault{}, false
}

func (f faults) has(kind FaultKind) bool {
	_, found := f.find(kind)
	return found
}

func (f faults) String() string {
	names := make([]string, len(f))
	for i, fault := range f {
		names[i] = string(fault.Kind)
	}
	return strings.Join(names, "+")
}

// match counts the call in every rule that it matches and gives the faults of those that are due.
func (s *Server) match(c call) faults {
	s.mu.Lock()
	defer s.mu.Unlock()
	var due faults
	for _, r := range s.rules {
		if !r.matches(c) {
			continue
		}
		r.calls++
		if r.calls >= r.From && (r.To == 0 || r.calls <= r.To) {
			due = append(due, r.Fault)
		}
	}
	return due
}

// Script adds faults after those that are there. It panics on a rule that names an unknown fault, or one that its
// operation does not have: a test whose fault never happens would pass for the wrong reason.
func (s *Server) Script(rules ...Rule) {
	if err := s.addRules(rules); err != nil {
		panic("gatewaytest: " + err.Error())
	}
}

// ClearScript removes all faults; what they already did stays.
func (s *Server) ClearScript() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules = nil
}

func (s *Server) addRules(rules []Rule) error {
	for i, r := range rules {
		if err := r.check(); err != nil {
			return fmt.Errorf("script rule %d: %w", i+1, err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range rules {
		s.rules = append(s.rules, &scripted{Rule: r})
	}
	return nil
}

// checkValue knows the words of the faults that take one of a list.
func (f Fault) checkValue() error {
	words := map[FaultKind][]string{
		FaultNamed: NamedErrors(), FaultMutate: Mutations(),
		FaultOutcome: {statusCompleted, statusFailed, statusExpired, "expired_without_files", statusCancelled, "all_failed", "stuck"},
	}[f.Kind]
	if words != nil && !slices.Contains(words, f.Value) {
		return fmt.Errorf("fault %q has no value %q: use one of %s", f.Kind, f.Value, strings.Join(words, ", "))
	}
	return nil
}

func (r Rule) check() error {
	entry, known := catalog[r.Fault.Kind]
	if !known {
		return fmt.Errorf("unknown fault %q", r.Fault.Kind)
	}
	if r.Op == OpWebhook && len(entry.Ops) == 0 || len(entry.Ops) > 0 && !slices.Contains(entry.Ops, r.Op) {
		return fmt.Errorf("fault %q does not exist for operation %q", r.Fault.Kind, r.Op)
	}
	if err := r.Fault.checkValue(); err != nil {
		return err
	}
	if r.To != 0 && r.To < r.From {
		return fmt.Errorf("fault %q: from %d is after to %d", r.Fault.Kind, r.From, r.To)
	}
	return nil
}
