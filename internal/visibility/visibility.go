// Package visibility turns the state of a run into search attributes, so that
// runs can be listed by what matters of them. It exists apart from the workflow
// because the worker registers the same set that the workflow writes.
package visibility

import (
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"

	"batchkeeper/batch"
)

// Definitions are the search attributes that the namespace must have, by name.
func Definitions() map[string]enumspb.IndexedValueType {
	out := map[string]enumspb.IndexedValueType{
		batch.AttrRows:     enumspb.INDEXED_VALUE_TYPE_INT,
		batch.AttrProgress: enumspb.INDEXED_VALUE_TYPE_INT,
	}
	for _, name := range []string{
		batch.AttrLifecycleStatus, batch.AttrOutcome, batch.AttrBatchID, batch.AttrProvider, batch.AttrModel,
	} {
		out[name] = enumspb.INDEXED_VALUE_TYPE_KEYWORD
	}
	return out
}

// Attributes are the values that a run shows. Two equal values need no upsert.
type Attributes struct {
	LifecycleStatus, Outcome, BatchID, Provider, Model string
	Rows, Progress                                     int64
}

// Of reads the attributes from the state.
func Of(s batch.State) Attributes {
	a := Attributes{
		LifecycleStatus: string(s.LifecycleStatus), Outcome: string(s.Outcome), BatchID: s.BatchID,
		Provider: s.Provider, Model: s.Model, Progress: int64(s.Progress),
	}
	switch {
	case s.Results != nil:
		a.Rows = s.Results.Rows
	case s.Input != nil:
		a.Rows = s.Input.Rows
	}
	return a
}

// Updates are the changes that turn before into a; nil when there are none.
func (a Attributes) Updates(before Attributes) []temporal.SearchAttributeUpdate {
	var out []temporal.SearchAttributeUpdate
	for _, f := range []struct{ name, was, is string }{
		{batch.AttrLifecycleStatus, before.LifecycleStatus, a.LifecycleStatus},
		{batch.AttrOutcome, before.Outcome, a.Outcome},
		{batch.AttrBatchID, before.BatchID, a.BatchID},
		{batch.AttrProvider, before.Provider, a.Provider},
		{batch.AttrModel, before.Model, a.Model},
	} {
		key := temporal.NewSearchAttributeKeyKeyword(f.name)
		switch f.is {
		case f.was:
		case "":
			out = append(out, key.ValueUnset())
		default:
			out = append(out, key.ValueSet(f.is))
		}
	}
	if a.Rows != before.Rows {
		out = append(out, temporal.NewSearchAttributeKeyInt64(batch.AttrRows).ValueSet(a.Rows))
	}
	if a.Progress != before.Progress {
		out = append(out, temporal.NewSearchAttributeKeyInt64(batch.AttrProgress).ValueSet(a.Progress))
	}
	return out
}
