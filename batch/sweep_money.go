package batch

import "encoding/json"

// CostSource is how a cost is known.
type CostSource string

// The ways to know a cost, the surest first.
const (
	CostBilled  CostSource = "billed"  // the gateway's figure
	CostPriced  CostSource = "priced"  // the profile's price of the tokens counted
	CostAverage CostSource = "average" // what the account's other batches cost a row
	CostUnknown CostSource = "unknown"
)

// Cost is what a batch costs, or is expected to.
type Cost struct {
	Nanos  int64      `json:"cost_nanos"` // billionths of a US dollar
	Source CostSource `json:"cost_source"`
}

// USD is the cost in US dollars.
func (c Cost) USD() float64 { return float64(c.Nanos) / nanosPerUSD }

// CostOf is what the gateway's figures of a batch tell of its cost.
func CostOf(p Prices, usage, billing json.RawMessage) Cost {
	if nanos, ok := billedNanos(usage, billing); ok {
		return Cost{nanos, CostBilled}
	}
	var tokens struct {
		Input  int64 `json:"input_tokens"`
		Output int64 `json:"output_tokens"`
	}
	if p.Known() && json.Unmarshal(usage, &tokens) == nil && tokens.Input+tokens.Output > 0 {
		return Cost{p.Nanos(tokens.Input, tokens.Output), CostPriced}
	}
	return Cost{Source: CostUnknown}
}

// costs estimates from the batches whose cost is known.
type costs struct{ nanos, rows int64 }

func costsOf(listed []AccountBatch) (c costs) {
	for _, b := range listed {
		if b.Source != CostUnknown && b.Rows > 0 {
			c.nanos, c.rows = c.nanos+b.Nanos, c.rows+b.Rows
		}
	}
	return c
}

// of is the cost of a batch: its own where that is known, else by its rows.
func (c costs) of(b AccountBatch) Cost {
	if b.Source != CostUnknown || c.rows == 0 || b.Rows == 0 {
		return b.Cost
	}
	return Cost{int64(float64(c.nanos) / float64(c.rows) * float64(b.Rows)), CostAverage}
}

func sumsOf(found []Finding) []SweepSum {
	sums := []SweepSum{}
	for _, class := range SweepClasses() {
		sum := SweepSum{Class: class}
		for _, f := range found {
			if f.Class != class {
				continue
			}
			sum.Batches, sum.Rows, sum.CostNanos = sum.Batches+1, sum.Rows+f.Rows, sum.CostNanos+f.Nanos
			if f.Source == CostUnknown {
				sum.Unpriced++
			}
		}
		if sum.Batches > 0 {
			sums = append(sums, sum)
		}
	}
	return sums
}
