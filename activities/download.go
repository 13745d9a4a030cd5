package activities

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"go.temporal.io/sdk/activity"

	"batchkeeper/batch"
	"batchkeeper/internal/gateway"
	"batchkeeper/internal/jsonl"
)

// maxMisses is how often a file may be missing or truncated before that is the
// answer: a whole file that ends in the middle of a line is then taken as it is,
// and one that is not there, or shorter than the gateway says, is unavailable.
const maxMisses = 6

// DownloadInput names a file of the gateway and where it goes in the store.
type DownloadInput struct {
	Dialect batch.Dialect `json:"dialect"`
	FileID  string        `json:"file_id"`
	Key     string        `json:"key"`
}

// DownloadOutput points at the copy.
type DownloadOutput struct {
	Ref batch.Ref `json:"ref"`
}

// misses counts the attempts that found the file missing or truncated; later
// attempts find it in the heartbeat.
type misses struct {
	Count int `json:"count"`
}

// Download streams a file of the gateway into the store. It may be repeated:
// the copy appears whole or not at all, and a repeat replaces it.
func (a *Activities) Download(ctx context.Context, in DownloadInput) (DownloadOutput, error) {
	var missed misses
	if activity.HasHeartbeatDetails(ctx) {
		_ = activity.GetHeartbeatDetails(ctx, &missed) // unreadable: count anew
	}
	h, stop := startHeart(ctx)
	defer stop()
	h.note(missed)
	out, err := a.download(ctx, in, missed.Count >= maxMisses)
	if !isKind(err, batch.KindGatewayNotFound, batch.KindDownloadTruncated) {
		return out, err
	}
	missed.Count++
	h.note(missed)
	if missed.Count > maxMisses {
		return out, fault(batch.KindResultsUnavailable, fmt.Errorf("after %d tries: %w", missed.Count, err))
	}
	return out, faultAfter(batch.KindDownloadTruncated, err, time.Second<<min(missed.Count-1, 3))
}

func (a *Activities) download(ctx context.Context, in DownloadInput, believe bool) (DownloadOutput, error) {
	client, err := a.gateway(in.Dialect)
	if err != nil {
		return DownloadOutput{}, err
	}
	spool, err := a.spool()
	if err != nil {
		return DownloadOutput{}, translate(err)
	}
	defer spool.remove()
	size, err := fetch(ctx, client, in.FileID, spool.file)
	if err != nil {
		return DownloadOutput{}, translate(err)
	}
	if err := whole(ctx, client, in.FileID, spool.file, size, believe); err != nil {
		return DownloadOutput{}, err
	}
	ref, err := a.store.WriteAtomic(ctx, in.Key, func(w io.Writer) error {
		_, err := io.Copy(w, io.NewSectionReader(spool.file, 0, size))
		return err
	})
	if err != nil {
		return DownloadOutput{}, translate(err)
	}
	return DownloadOutput{Ref: ref}, nil
}

func fetch(ctx context.Context, client *gateway.Client, fileID string, to io.Writer) (int64, error) {
	content, err := client.Content(ctx, fileID)
	if err != nil {
		return 0, err
	}
	defer content.Body.Close()
	body := &source{ReadCloser: content.Body}
	n, err := io.Copy(to, body)
	switch {
	case ctx.Err() != nil:
		return n, ctx.Err()
	case body.err != nil:
		return n, fault(batch.KindDownloadTruncated, fmt.Errorf("download %s: broke off after %d bytes: %w", fileID, n, body.err))
	case err != nil:
		return n, err
	case content.Length >= 0 && n != content.Length:
		return n, fault(batch.KindDownloadTruncated, fmt.Errorf("download %s: %d of %d bytes", fileID, n, content.Length))
	}
	return n, nil
}

// whole checks what a clean end of the transfer does not: the size that the
// gateway knows of, and that the last line is not cut, unless that is believed.
func whole(ctx context.Context, client *gateway.Client, fileID string, f *os.File, size int64, cutIsBelieved bool) error {
	if meta, err := client.File(ctx, fileID); err == nil && meta.Bytes > 0 && meta.Bytes != size {
		return fault(batch.KindDownloadTruncated, fmt.Errorf("download %s: %d bytes, the gateway says %d", fileID, size, meta.Bytes))
	}
	if err := jsonl.CheckTail(f, size); err != nil && !cutIsBelieved {
		return fault(batch.KindDownloadTruncated, fmt.Errorf("download %s: %w", fileID, err))
	}
	return nil
}
