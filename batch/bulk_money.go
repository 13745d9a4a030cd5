package batch

import "encoding/json"

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

// Prices are what a profile knows of a model's price; zero: nothing.
type Prices struct {
	InputUSDPerMillion  float64 `json:"input_usd_per_million_tokens,omitempty"`
	OutputUSDPerMillion float64 `json:"output_usd_per_million_tokens,omitempty"`
}

// Known tells whether there is a price.
func (p Prices) Known() bool { return p.InputUSDPerMillion > 0 || p.OutputUSDPerMillion > 0 }

// Nanos is the price of tokens.
func (p Prices) Nanos(input, output int64) int64 {
	return int64((float64(input)*p.InputUSDPerMillion + float64(output)*p.OutputUSDPerMillion) * nanosPerUSD / 1e6)
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

func billedNanos(usage, billing json.RawMessage) (nanos int64, ok bool) {
	for _, raw := range []json.RawMessage{billing, usage} {
		var figures struct {
			CostNanos *int64 `json:"cost_nanos"`
		}
		if json.Unmarshal(raw, &figures) == nil && figures.CostNanos != nil {
			return *figures.CostNanos, true
		}
	}
	return 0, false
}

// Hold is what a live batch is expected to cost: its price by the estimate
// where there is one, else what the batches that have ended cost a row. Before
// the first has ended, nothing is known.
func Hold(p Prices, u Unit, spent Money, rowsSpent int64) (nanos int64, known bool) {
	switch {
	case p.Known():
		return p.Nanos(u.Tokens, u.MaxOutput), true
	case rowsSpent > 0:
		return int64(float64(spent.CostNanos) / float64(rowsSpent) * float64(u.Rows)), true
	default:
		return 0, false
	}
}

// WithinBudget tells whether a batch may be started that is expected to cost
// next beside what was spent and what the live batches hold.
func WithinBudget(budgetUSD float64, spent Money, held, next int64) bool {
	budget := int64(budgetUSD * nanosPerUSD)
	return budgetUSD <= 0 || spent.CostNanos < budget && spent.CostNanos+held+next <= budget
}
