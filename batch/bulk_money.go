package batch

import (
	"encoding/json"
	"fmt"
)

// Money is what rows cost. Costs are in billionths of a US dollar.
type Money struct {
	InputTokens  int64 `json:"input_tokens"`
	OutputTokens int64 `json:"output_tokens"`
	TotalTokens  int64 `json:"total_tokens"`
	CostNanos    int64 `json:"cost_nanos"`
	// Unpriced counts the batches whose cost neither the gateway nor the profile tells.
	Unpriced int `json:"unpriced,omitempty"`
}

const nanosPerUSD = 1_000_000_000

// Plus adds two sums.
func (m Money) Plus(o Money) Money {
	return Money{
		InputTokens: m.InputTokens + o.InputTokens, OutputTokens: m.OutputTokens + o.OutputTokens,
		TotalTokens: m.TotalTokens + o.TotalTokens, CostNanos: m.CostNanos + o.CostNanos, Unpriced: m.Unpriced + o.Unpriced,
	}
}

// USD is the cost in US dollars.
func (m Money) USD() float64 { return float64(m.CostNanos) / nanosPerUSD }

// Spend is what a run has spent, beside the estimate, for people.
func (b Bulk) Spend() string {
	text := fmt.Sprintf("%.4f USD, %d tokens", b.Money.USD(), b.Money.TotalTokens)
	switch {
	case b.Estimate.CostNanos > 0:
		text += fmt.Sprintf(" (estimated: %.4f USD, %d tokens)", b.Estimate.USD(), b.Estimate.TotalTokens)
	case b.Estimate.TotalTokens > 0:
		text += fmt.Sprintf(" (estimated: %d tokens)", b.Estimate.TotalTokens)
	}
	if b.AtRiskNanos > 0 {
		text += fmt.Sprintf("; %.4f USD may have been spent besides, on batches whose end is not known", float64(b.AtRiskNanos)/nanosPerUSD)
	}
	if b.Money.Unpriced > 0 {
		text += fmt.Sprintf("; %d batches at an unknown price", b.Money.Unpriced)
	}
	return text
}

// Prices are what a profile knows of a model's price; zero: nothing.
type Prices struct {
	InputUSDPerMillion  float64 `json:"input_usd_per_million_tokens,omitempty"`
	OutputUSDPerMillion float64 `json:"output_usd_per_million_tokens,omitempty"`
}

// Known tells whether there is a price.
func (p Prices) Known() bool { return p.InputUSDPerMillion > 0 || p.OutputUSDPerMillion > 0 }

// maxNanos bounds the cost of one batch to 100,000 US dollars, so that those of an
// account can be summed.
const maxNanos = 100_000 * nanosPerUSD

// Nanos is the price of tokens, from nothing to 100,000 US dollars.
func (p Prices) Nanos(input, output int64) int64 {
	return int64(min(maxNanos, max(0, (float64(input)*p.InputUSDPerMillion+float64(output)*p.OutputUSDPerMillion)*nanosPerUSD/1e6)))
}

// Priced sets the cost of a batch: what the gateway says, of whose figures only
// cost_nanos is dependable, else the profile's price of the tokens counted.
func (m Money) Priced(p Prices, usage, billing json.RawMessage) Money {
	nanos, billed := billedNanos(usage, billing)
	switch {
	case billed:
		m.CostNanos = nanos
	case p.Known():
		m.CostNanos = p.Nanos(m.InputTokens, m.OutputTokens)
	case m.TotalTokens > 0:
		m.Unpriced = 1
	}
	return m
}

// billedNanos is what the gateway says that a batch costs. What can be no cost, as
// below nothing or beyond 100,000 US dollars, is not believed: it would open a
// budget or close it.
func billedNanos(usage, billing json.RawMessage) (nanos int64, ok bool) {
	for _, raw := range []json.RawMessage{billing, usage} {
		var figures struct {
			CostNanos *int64 `json:"cost_nanos"`
		}
		if json.Unmarshal(raw, &figures) == nil && figures.CostNanos != nil && *figures.CostNanos >= 0 && *figures.CostNanos <= maxNanos {
			return *figures.CostNanos, true
		}
	}
	return 0, false
}

// Hold is what a live batch is expected to cost: its price by the estimate, where
// there is one, or what the batches that have ended cost a row, whichever is
// more. Before the first has ended, without a price, nothing is known.
func Hold(p Prices, u Unit, spent Money, rowsSpent int64) (nanos int64, known bool) {
	if p.Known() {
		nanos = p.Nanos(u.Tokens, u.MaxOutput)
	}
	if rowsSpent > 0 {
		nanos = max(nanos, int64(float64(spent.CostNanos)/float64(rowsSpent)*float64(u.Rows)))
	}
	return nanos, p.Known() || rowsSpent > 0
}

// Affordability is whether a batch fits a budget.
type Affordability string

// Whether a batch fits a budget.
const (
	Affordable   Affordability = "affordable"
	AffordLater  Affordability = "later" // perhaps, once what is under way has ended
	Unaffordable Affordability = "unaffordable"
)

// Afford tells whether a batch may be started that is expected to cost next
// beside what is spent, what cannot be known to be spent, and what the batches
// under way hold. While what a batch costs is not known, one is tried alone.
func Afford(budgetUSD float64, spent, held, next int64, known, alone bool) Affordability {
	budget := int64(budgetUSD * nanosPerUSD)
	switch {
	case budgetUSD <= 0, spent < budget && spent+held+next <= budget && (known || alone):
		return Affordable
	case alone:
		return Unaffordable
	default:
		return AffordLater
	}
}

// MayBePaid tells whether a batch that ended so, and of which no cost is known,
// may have been paid for.
func MayBePaid(o Outcome) bool {
	return o == OutcomeSubmissionUnknown || o == OutcomeResultsUnavailable || o == OutcomeCancelUnconfirmed
}
