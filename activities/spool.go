package activities

import (
	"context"
	"fmt"
	"io"
	"os"
)

// spool is a file on local disk that no name points at for long.
type spool struct{ file *os.File }

func (a *Activities) spool() (spool, error) {
	f, err := os.CreateTemp(a.spoolDir, "batchkeeper-*.spool")
	if err != nil {
		return spool{}, fmt.Errorf("spool: %w", err)
	}
	return spool{f}, nil
}

func (s spool) remove() {
	_ = s.file.Close()
	_ = os.Remove(s.file.Name())
}

// spoolObject copies an object of the store to local disk, for random access.
func (a *Activities) spoolObject(ctx context.Context, key string) (spool, int64, error) {
	r, err := a.store.Read(ctx, key, 0, -1)
	if err != nil {
		return spool{}, 0, err
	}
	defer r.Close()
	s, err := a.spool()
	if err != nil {
		return spool{}, 0, err
	}
	n, err := io.Copy(s.file, r)
	if err != nil {
		s.remove()
		return spool{}, 0, fmt.Errorf("spool %s: %w", key, err)
	}
	return s, n, nil
}
