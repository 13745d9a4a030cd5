package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"batchkeeper/batch"
)

func readJSON[T any](ctx context.Context, a *Activities, key string) (T, error) {
	var v T
	r, err := a.store.Read(ctx, key, 0, -1)
	if err != nil {
		return v, err
	}
	defer r.Close()
	if err := json.NewDecoder(r).Decode(&v); err != nil {
		return v, fmt.Errorf("read %s: %w", key, err)
	}
	return v, nil
}

func (a *Activities) writeJSON(ctx context.Context, key string, v any) (batch.Ref, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return batch.Ref{}, fmt.Errorf("write %s: %w", key, err)
	}
	return a.store.WriteAtomic(ctx, key, func(w io.Writer) error {
		_, err := w.Write(append(raw, '\n'))
		return err
	})
}

// readLines decodes JSON lines of an object from an offset on and hands each to
// visit with the offset that it is found at, until visit has had enough. It
// returns where the line after the last begins.
func readLines[T any](ctx context.Context, a *Activities, key string, offset int64, visit func(at int64, line T) (more bool, err error)) (int64, error) {
	r, err := a.store.Read(ctx, key, offset, -1)
	if err != nil {
		return offset, err
	}
	defer r.Close()
	dec := json.NewDecoder(r)
	for more := true; more; {
		at := offset + dec.InputOffset()
		var line T
		if err := dec.Decode(&line); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return offset, fmt.Errorf("read %s: %w", key, err)
		}
		if more, err = visit(at, line); err != nil {
			return offset, err
		}
	}
	return offset + dec.InputOffset(), nil
}

// writeLines writes an object of JSON lines.
func writeLines[T any](ctx context.Context, a *Activities, key string, all []T) (batch.Ref, error) {
	return a.store.WriteAtomic(ctx, key, func(w io.Writer) error {
		lines := json.NewEncoder(w)
		for _, line := range all {
			if err := lines.Encode(line); err != nil {
				return fmt.Errorf("write %s: %w", key, err)
			}
		}
		return nil
	})
}
