package activities

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"batchkeeper/batch"
	"batchkeeper/internal/jsonl"
)

// ReconcileInput names the rows, the provider's files and where the result goes.
type ReconcileInput struct {
	Input   string           `json:"input"` // the rows: what the job named, or the key of the gateway's copy
	Range   *batch.Range     `json:"range,omitempty"`
	Answers []NamedRef       `json:"answers,omitempty"` // output file first, then the error file
	Status  batch.Status     `json:"status"`
	Prefix  string           `json:"prefix"`
	Facts   batch.InputFacts `json:"facts"`
	// Manifest is the manifest but for what the join finds out.
	Manifest batch.Manifest `json:"manifest"`
}

// NamedRef is an object with the name that people know it by.
type NamedRef struct {
	Name string    `json:"name"`
	Ref  batch.Ref `json:"ref"`
}

// ReconcileOutput is where every row went.
type ReconcileOutput struct {
	Results batch.Results `json:"results"`
	Outcome batch.Outcome `json:"outcome"`
}

// Reconcile joins the answers to the rows by custom_id and publishes the result,
// the manifest last. The same input gives the same bytes, so it may be repeated.
func (a *Activities) Reconcile(ctx context.Context, in ReconcileInput) (ReconcileOutput, error) {
	h, stop := startHeart(ctx)
	defer stop()
	answers, release, err := a.answers(ctx, in.Answers)
	defer release()
	if err != nil {
		return ReconcileOutput{}, translate(err)
	}
	rows, err := a.openRows(ctx, in.Input, in.Range, in.Facts.SHA256)
	if err != nil {
		return ReconcileOutput{}, translate(err)
	}
	defer rows.Close()
	unmatched, err := a.spool()
	if err != nil {
		return ReconcileOutput{}, translate(err)
	}
	defer unmatched.remove()
	p := publication{store: a.store, prefix: in.Prefix}
	tally, err := p.write(ctx, unmatched, jsonl.Join{
		Input: rows, Answers: answers, Absent: batch.AbsentClass(in.Status), Progress: func(n int64) { h.note(n) },
	})
	if err != nil {
		return ReconcileOutput{}, translate(err)
	}
	if err := conserve(tally, in.Facts); err != nil {
		return ReconcileOutput{}, fault(batch.KindInputInvalid, err)
	}
	out := ReconcileOutput{Results: results(in.Prefix, tally)}
	out.Outcome = batch.OutcomeOf(in.Status, out.Results)
	ref, err := p.manifest(ctx, in, tally, out.Outcome)
	if err != nil {
		return ReconcileOutput{}, translate(err)
	}
	out.Results.Manifest = &ref
	return out, nil
}

// answers brings the provider's files to local disk.
func (a *Activities) answers(ctx context.Context, refs []NamedRef) ([]jsonl.Source, func(), error) {
	var spools []spool
	release := func() {
		for _, s := range spools {
			s.remove()
		}
	}
	var sources []jsonl.Source
	for _, n := range refs {
		s, size, err := a.spoolObject(ctx, n.Ref.Key)
		if err != nil {
			return nil, release, err
		}
		spools = append(spools, s)
		sources = append(sources, jsonl.Source{R: s.file, Size: size, Name: n.Name})
	}
	return sources, release, nil
}

// conserve is the law that no row is lost or doubled; a run that breaks it must
// fail loudly, and trying again would not help.
func conserve(t jsonl.Tally, facts batch.InputFacts) error {
	sum := t.Succeeded + t.Failed + t.Expired + t.Cancelled + t.Missing
	if sum == t.Rows && (facts.Rows == 0 || facts.Rows == t.Rows) {
		return nil
	}
	return fmt.Errorf("reconcile: %d rows were inspected, %d read again and %d accounted for", facts.Rows, t.Rows, sum)
}

func results(prefix string, t jsonl.Tally) batch.Results {
	return batch.Results{
		Prefix: prefix, Rows: t.Rows, Succeeded: t.Succeeded, Failed: t.Failed + t.Expired + t.Cancelled,
		Missing: t.Missing, Duplicates: t.Duplicates, Unmatched: t.Unmatched, Malformed: t.Malformed,
	}
}

func (p *publication) manifest(ctx context.Context, in ReconcileInput, t jsonl.Tally, o batch.Outcome) (batch.Ref, error) {
	m := in.Manifest
	m.Version, m.Outcome, m.Status, m.Files = 1, o, in.Status, p.files
	m.Input.Rows = t.Rows
	m.Counts = batch.ManifestCounts{
		Rows: t.Rows, Succeeded: t.Succeeded, RowErrors: t.Failed, Expired: t.Expired, Cancelled: t.Cancelled,
		Missing: t.Missing, Duplicates: t.Duplicates, Unmatched: t.Unmatched, Malformed: t.Malformed,
	}
	m.Usage = batch.ManifestUsage{
		InputTokens: t.Usage.InputTokens, OutputTokens: t.Usage.OutputTokens, TotalTokens: t.Usage.TotalTokens,
	}
	raw, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return batch.Ref{}, fmt.Errorf("manifest: %w", err)
	}
	return p.store.WriteAtomic(ctx, p.key(batch.FileManifest), func(w io.Writer) error {
		_, err := w.Write(append(raw, '\n'))
		return err
	})
}
