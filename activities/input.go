package activities

import (
	"context"
	"io"

	"batchkeeper/batch"
)

// openInput opens the job's rows: a store key or an allowed URL, or a part of it.
func (a *Activities) openInput(ctx context.Context, input string, r *batch.Range) (io.ReadCloser, error) {
	rc, _, err := a.openSized(ctx, input, r)
	return rc, err
}

func (a *Activities) openSized(ctx context.Context, input string, r *batch.Range) (io.ReadCloser, int64, error) {
	offset, length := int64(0), int64(-1)
	if r != nil {
		offset, length = r.Offset, r.Length
	}
	rc, size, err := a.store.OpenInput(ctx, input, offset, length)
	if err != nil {
		return nil, 0, err
	}
	return rc, size, nil
}
