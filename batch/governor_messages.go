package batch

import "net/url"

// GovernorInput is the input of GovernorWorkflow.
type GovernorInput struct {
	Account  string   `json:"account"`
	Profile  string   `json:"profile"`
	Capacity Capacity `json:"capacity"`
	// Ledger is what continue-as-new hands to the next run; a start has none.
	Ledger *Ledger `json:"ledger,omitempty"`
}

// GovernorID is the workflow id of the one governor of an account and profile.
// No job can have such an id: its tilde is not allowed there.
func GovernorID(account, profile string) string {
	return "governor~" + url.PathEscape(account) + "/" + url.PathEscape(profile)
}

// LeaseAsk is the payload of the signal "lease".
type LeaseAsk struct {
	LeaseRequest
	// Capacity, where given, are the limits from now on: a governor outlives
	// changes of the limits file.
	Capacity *Capacity `json:"capacity,omitempty"`
}

// LeaseRelease is the payload of the signal "release": the holder has ended, or
// its request is withdrawn.
type LeaseRelease struct {
	Holder string `json:"holder"`
	Ask    int    `json:"ask,omitempty"` // which of its asks is over
}

// LeaseGranted is the payload of the signal "lease_granted". It may come more
// than once for a holder, and leases granted together may come in any order.
type LeaseGranted struct {
	Holder   string `json:"holder"`
	Ask      int    `json:"ask,omitempty"`
	Governor string `json:"governor"` // the workflow id to release to
}
