package workflows

import (
	"encoding/json"
	"path"

	"go.temporal.io/sdk/workflow"

	"batchkeeper/activities"
	"batchkeeper/batch"
)

// collect brings the provider's files home and joins them to the rows. What
// was answered is paid for, whatever the batch came to.
func (r *run) collect(ctx workflow.Context) error {
	prefix := r.prefix()
	in := activities.ReconcileInput{
		Input: r.job.Input, Range: r.job.InputRange, Status: r.state.Status, Prefix: prefix, Manifest: r.manifest(),
	}
	if r.state.Input != nil {
		in.Facts = *r.state.Input
	}
	for _, f := range []struct{ name, id string }{{"output", r.state.OutputFileID}, {"errors", r.state.ErrorFileID}} {
		if f.id == "" {
			continue
		}
		ref, err := r.download(ctx, f.name, f.id, prefix)
		if err != nil {
			return err
		}
		in.Answers = append(in.Answers, activities.NamedRef{Name: f.name, Ref: ref})
	}
	if in.Input == "" { // the rows are the gateway's to tell
		if r.state.InputFileID == "" {
			return end(batch.OutcomeResultsUnavailable, "the batch names no input file, so that its rows are not known: start again with input")
		}
		ref, err := r.download(ctx, "input", r.state.InputFileID, prefix)
		if err != nil {
			return err
		}
		in.Input = ref.Key
	}
	out, err := call(ctx, longTransfer("join the answers to the rows", patience), act.Reconcile, in)
	if err != nil {
		return end(batch.OutcomeResultsUnavailable, "join the answers to the rows: "+reason(err))
	}
	results := out.Results
	r.state.Results = &results
	return end(out.Outcome, "")
}

func (r *run) download(ctx workflow.Context, name, fileID, prefix string) (batch.Ref, error) {
	out, err := call(ctx, longTransfer("fetch the "+name+" file "+fileID, patience), act.Download, activities.DownloadInput{
		Dialect: r.dialect(), FileID: fileID, Key: path.Join(prefix, "raw", name+".jsonl"),
	})
	if err != nil {
		return batch.Ref{}, end(batch.OutcomeResultsUnavailable, "fetch the "+name+" file "+fileID+": "+reason(err))
	}
	return out.Ref, nil
}

// manifest is the manifest but for what the join finds out.
func (r *run) manifest() batch.Manifest {
	m := batch.Manifest{
		WorkflowID: r.info.WorkflowExecution.ID, RunID: r.token, SessionID: r.session,
		BatchIDs: append([]string{r.state.BatchID}, r.submission().Duplicates...),
		Input:    batch.ManifestInput{Source: r.source(), SHA256: r.sha256()},
	}
	m.Gateway = batch.ManifestGateway{Usage: raw(r.state.Usage), Billing: raw(r.state.Billing)}
	return m
}

func raw(v json.RawMessage) any {
	if v == nil {
		return nil
	}
	return v
}
