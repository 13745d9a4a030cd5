package activities

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"batchkeeper/batch"
	"batchkeeper/internal/blobstore"
	"batchkeeper/internal/jsonl"
)

// PrepareInput is a unit about to be sent.
type PrepareInput struct {
	batch.Files
	Round      int        `json:"round"`
	Unit       batch.Unit `json:"unit"`
	Try        int        `json:"try"`
	Input      string     `json:"input"` // of the bulk run
	WorkflowID string     `json:"workflow_id"`
	// LookOnly tells that the unit is not to be sent: nothing is gathered.
	LookOnly bool `json:"look_only,omitempty"`
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
	prefix := in.Files.Unit(in.Round, in.Unit.Number, in.Try)
	_, err := a.collected(ctx, prefix, in.Unit)
	if err == nil {
		out.Collected = true
	}
	if !errors.Is(err, blobstore.ErrNotFound) {
		return out, translate(err)
	}
	if err := a.lookForSent(ctx, in.WorkflowID, prefix, &out); err != nil || out != (PrepareOutput{}) {
		return out, err
	}
	if in.LookOnly || clean(in.Unit) {
		return out, nil
	}
	out.Key = in.Rows(in.Round, in.Unit.Number)
	_, err = a.store.WriteAtomic(ctx, out.Key, func(w io.Writer) error { return a.gather(ctx, in, w) })
	return out, translate(err)
}

// collected is the manifest of a unit's own batch. One that counts other rows
// than the unit has is not about it.
func (a *Activities) collected(ctx context.Context, prefix string, u batch.Unit) (batch.Manifest, error) {
	key := path.Join(prefix, batch.FileManifest)
	m, err := readJSON[batch.Manifest](ctx, a, key)
	if err == nil && m.Counts.Rows != u.Rows {
		err = lost(batch.ErrBroken, "%s is about %d rows, unit %d has %d", key, m.Counts.Rows, u.Number, u.Rows)
	}
	return m, err
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
		bad, err := a.openBad(ctx, in.Files, s)
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
	unit, err := a.planned(ctx, in.Files, in.Round, in.Unit)
	if err != nil {
		return err
	}
	for _, p := range unit.Pieces {
		left, err := a.openLeft(ctx, in.Files, in.Round, p)
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

// openLeft reads the rows of a piece of a round.
func (a *Activities) openLeft(ctx context.Context, f batch.Files, round int, p batch.Piece) (io.ReadCloser, error) {
	key := f.Left(round-1, p.From)
	left, err := a.store.Read(ctx, key, p.Range.Offset, p.Range.Length)
	return left, lost(err, "round %d, shard %d: its rows in %s", round, p.Shard, key)
}

// openBad reads a shard's part of the list of quarantined lines.
func (a *Activities) openBad(ctx context.Context, f batch.Files, s *batch.Shard) (io.ReadCloser, error) {
	if s.Bad == nil {
		return io.NopCloser(strings.NewReader("")), nil
	}
	bad, err := a.store.Read(ctx, f.Bad(), s.Bad.Offset, s.Bad.Length)
	return bad, lost(err, "shard %d: its bad lines in %s", s.Number, f.Bad())
}

// openUnit opens the rows that a unit has sent.
func (a *Activities) openUnit(ctx context.Context, f batch.Files, input string, round int, u batch.Unit) (io.ReadCloser, error) {
	if clean(u) {
		return a.openRows(ctx, input, &u.Shard.Range, u.Shard.SHA256)
	}
	key := f.Rows(round, u.Number)
	rows, err := a.store.Read(ctx, key, 0, -1)
	return rows, lost(err, "round %d, unit %d: its rows in %s", round, u.Number, key)
}
