package main

import (
	"fmt"

	"batchkeeper/batch"
)

// planned prints what a start would do, and does nothing.
func (f startFlags) planned(a *app, job batch.Job, name string, found findings) error {
	if f.JSON {
		if err := a.printJSON(found); err != nil {
			return err
		}
	} else if err := a.print("%s%s", found.named(), found.plan(job, name)); err != nil {
		return err
	}
	a.say("nothing was started")
	if !found.Valid {
		return exit{code: exitUsage}
	}
	return nil
}

// plan is the run that the findings lead to, as a table.
func (f findings) plan(job batch.Job, name string) *table {
	var t table
	t.add("input", "%s", f.verdict(name))
	if !f.Valid {
		return &t
	}
	travel := map[bool]string{false: "in uploaded files", true: "in the create calls"}[f.CreateMode == batch.CreateInline]
	t.add("run", "%s: %s, the rows travel %s", f.Type, count(int64(f.Batches), "batch", "batches"), travel)
	e := f.Estimate
	t.add("tokens", "about %d of input; by the rows' limits %d of output", e.InputTokens, e.OutputTokens)
	if f.profile.Known() {
		t.add("cost", "about %.4f USD, if every row uses all the output that it allows", e.USD())
	} else {
		t.add("cost", "not known: profile %s has no price (input_usd_per_million_tokens, output_usd_per_million_tokens in the limits file)", f.Profile)
	}
	if job.BudgetUSD > 0 {
		t.add("budget", "%s", f.budget(job.BudgetUSD))
	}
	if least := f.profile.AtLeast(f.Batches, f.Bytes, f.CreateMode); least > 0 {
		t.add("time", "at least %s, by the profile's quotas alone", batch.Duration(least))
	}
	return &t
}

// budget compares a budget with the estimate.
func (f findings) budget(usd float64) string {
	switch {
	case !f.profile.Known():
		return batch.USD(usd)
	case batch.Afford(usd, 0, 0, f.firstNanos, true, true) != batch.Affordable:
		return fmt.Sprintf("%s, less than the first batch may cost: nothing would be sent", batch.USD(usd))
	case f.Estimate.USD() > usd:
		return fmt.Sprintf("%s, less than the estimate: the run may end before all rows are sent", batch.USD(usd))
	default:
		return fmt.Sprintf("%s, enough for every row once", batch.USD(usd))
	}
}
