package activities

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"

	"batchkeeper/batch"
	"batchkeeper/internal/blobstore"
	"batchkeeper/internal/jsonl"
)

// PrepareInput is a unit about to be sent.
type PrepareInput struct {
	Prefix     string     `json:"prefix"`
	Round      int        `json:"round"`
	Unit       batch.Unit `json:"unit"`
	Try        int        `json:"try"`
	Input      string     `json:"input"` // of the bulk run
	WorkflowID string     `json:"workflow_id"`
}

// PrepareOutput says what to send, and whether it was sent before.
type PrepareOutput struct {
	// Key is where the rows are; empty: they are a clean range of the input.
	Key string `json:"key,omitempty"`
	// Collected tells that the batch has its results, Open that its workflow runs,
	// Ended how it ended: a run that was reset must not send the unit again.
	Collected bool            `json:"collected,omitempty"`
	Open      bool            `json:"open,omitempty"`
	Ended     *batch.Finished `json:"ended,omitempty"`
	// Foreign says why the unit's workflow id cannot be used yet.
	Foreign string `json:"foreign,omitempty"`
}

// Prepare gathers the rows of a unit that are no clean range of the input, and
// looks whether the unit was sent before. It may be repeated.
func (a *Activities) Prepare(ctx context.Context, in PrepareInput) (PrepareOutput, error) {
	_, stop := startHeart(ctx)
	defer stop()
	var out PrepareOutput
	prefix := batch.UnitPrefix(in.Prefix, in.Round, in.Unit.Number, in.Try)
	_, err := a.store.Stat(ctx, path.Join(prefix, batch.FileManifest))
	switch {
	case err == nil:
		out.Collected = true
		return out, nil
	case !errors.Is(err, blobstore.ErrNotFound):
		return out, translate(err)
	}
	if err := a.lookForSent(ctx, in.WorkflowID, prefix, &out); err != nil || out != (PrepareOutput{}) {
		return out, err
	}
	if clean(in.Unit) {
		return out, nil
	}
	out.Key = batch.RowsKey(in.Prefix, in.Round, in.Unit.Number)
	_, err = a.store.WriteAtomic(ctx, out.Key, func(w io.Writer) error { return a.gather(ctx, in, w) })
	return out, translate(err)
}

// lookForSent finds a workflow under the unit's id: this unit's own from before
// a reset, or what another run of the same name has left behind.
func (a *Activities) lookForSent(ctx context.Context, id, prefix string, out *PrepareOutput) error {
	runs, err := a.server()
	if err != nil {
		return err
	}
	status, err := runs.Describe(ctx, id)
	if err != nil {
		return fault(batch.KindTemporalUnavailable, fmt.Errorf("describe %s: %w", id, err))
	}
	if status == batch.RunMissing {
		return nil
	}
	job, err := runs.Job(ctx, id)
	if err != nil {
		return fault(batch.KindTemporalUnavailable, fmt.Errorf("job of %s: %w", id, err))
	}
	own, open := job.ResultsPrefix == prefix, status == batch.RunOpen
	switch {
	case open && own:
		out.Open = true
	case open:
		out.Foreign = "workflow " + id + " of another run is open: cancel it, or wait for its end"
	case own:
		end, err := runs.Finished(ctx, id)
		if err != nil {
			return fault(batch.KindTemporalUnavailable, fmt.Errorf("how %s ended: %w", id, err))
		}
		out.Ended = &end
	}
	return nil
}

// clean tells whether a unit is sent as a range of the input.
func clean(u batch.Unit) bool { return u.Shard != nil && u.Shard.Invalid == 0 }

// gather writes the rows of a unit: a shard without its bad lines, or pieces.
func (a *Activities) gather(ctx context.Context, in PrepareInput, w io.Writer) error {
	if s := in.Unit.Shard; s != nil {
		rows, err := a.openRows(ctx, in.Input, &s.Range, s.SHA256)
		if err != nil {
			return err
		}
		defer rows.Close()
		bad, err := a.openBad(ctx, in.Prefix, s)
		if err != nil {
			return err
		}
		defer bad.Close()
		done, err := jsonl.Clean{Input: rows, FirstLine: s.FirstLine, Skip: bad, Output: w}.Run(ctx)
		if err == nil && done.Rows != s.Rows {
			err = fmt.Errorf("shard %d: %d rows, the survey counted %d: %w", s.Number, done.Rows, s.Rows, errInputChanged)
		}
		return err
	}
	for _, p := range in.Unit.Pieces {
		left, err := a.store.Read(ctx, batch.LeftKey(in.Prefix, in.Round-1, p.From), p.Range.Offset, p.Range.Length)
		if err != nil {
			return err
		}
		_, err = io.Copy(w, left)
		if err = errors.Join(err, left.Close()); err != nil {
			return fmt.Errorf("gather the rows of unit %d: %w", in.Unit.Number, err)
		}
	}
	return nil
}

// openBad reads a shard's part of the list of quarantined lines.
func (a *Activities) openBad(ctx context.Context, prefix string, s *batch.Shard) (io.ReadCloser, error) {
	if s.Bad == nil {
		return a.openFile(ctx, path.Join(prefix, "work", "none"))
	}
	return a.store.Read(ctx, batch.BadKey(prefix), s.Bad.Offset, s.Bad.Length)
}

// openUnit opens the rows that a unit has sent.
func (a *Activities) openUnit(ctx context.Context, prefix, input string, round int, u batch.Unit) (io.ReadCloser, error) {
	if clean(u) {
		return a.openRows(ctx, input, &u.Shard.Range, u.Shard.SHA256)
	}
	return a.store.Read(ctx, batch.RowsKey(prefix, round, u.Number), 0, -1)
}
