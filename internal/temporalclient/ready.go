package temporalclient

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"go.temporal.io/sdk/client"
)

// The pause between tries doubles up to a cap that keeps a program within
// seconds of a server that has just come up.
const (
	firstPause = 200 * time.Millisecond
	maxPause   = 3 * time.Second
)

// DialWhenReady connects, trying again until the server answers or ctx ends,
// and logs one line per new reason. Wrong settings are an error at once.
func DialWhenReady(ctx context.Context, o Options) (client.Client, error) {
	settings, err := load(o)
	if err != nil {
		return nil, err
	}
	logger := o.Logger
	if logger == nil {
		logger = slog.Default()
	}
	reason := ""
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		c, err := dial(ctx, settings)
		if err == nil {
			logger.Info("connected to Temporal", slog.String("address", settings.HostPort), slog.String("namespace", settings.Namespace))
			return c, nil
		}
		if err.Error() != reason && ctx.Err() == nil {
			reason = err.Error()
			logger.Warn("Temporal is not ready; trying again", slog.String("error", reason))
		}
		if !wait(ctx, pause) {
			return nil, fmt.Errorf("wait for Temporal: %w (last try: %w)", context.Cause(ctx), err)
		}
	}
}

func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
