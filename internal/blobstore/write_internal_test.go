package blobstore

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
	"gocloud.dev/blob"
	"gocloud.dev/blob/driver"
	"gocloud.dev/gcerrors"
)

var errDiskFull = errors.New("disk full")

// fullDisk is a store whose writers take a few bytes and then fail, and which
// would publish those bytes on Close.
type fullDisk struct {
	driver.Bucket
	published bool
}

func (f *fullDisk) ErrorCode(error) gcerrors.ErrorCode { return gcerrors.Unknown }
func (f *fullDisk) Close() error                       { return nil }
func (f *fullDisk) NewTypedWriter(ctx context.Context, _, _ string, _ *driver.WriterOptions) (driver.Writer, error) {
	return &fullWriter{disk: f, ctx: ctx}, nil
}

type fullWriter struct {
	disk *fullDisk
	ctx  context.Context
	n    int
}

func (w *fullWriter) Write(p []byte) (int, error) {
	if w.n+len(p) > 4 {
		return 0, errDiskFull
	}
	w.n += len(p)
	return len(p), nil
}

func (w *fullWriter) Close() error {
	w.disk.published = w.ctx.Err() == nil
	return w.ctx.Err()
}

func TestAnOverlookedWriteErrorPublishesNothing(t *testing.T) {
	disk := &fullDisk{}
	s := &Store{bucket: blob.NewBucket(disk)}
	defer func() { require.NoError(t, s.Close()) }()

	_, err := s.WriteAtomic(t.Context(), "a", func(w io.Writer) error {
		for range 3 {
			_, _ = io.WriteString(w, "abc") // nobody looks
		}
		return nil
	})
	require.ErrorIs(t, err, errDiskFull)
	require.False(t, disk.published)

	_, err = s.WriteAtomic(t.Context(), "a", func(w io.Writer) error { _, err := io.WriteString(w, "abc"); return err })
	require.NoError(t, err)
	require.True(t, disk.published)
}
