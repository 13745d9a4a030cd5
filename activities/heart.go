package activities

import (
	"context"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"
)

// heart beats for a long activity: it tells the server that the worker lives
// and learns of a cancellation, whatever the step itself is blocked on.
type heart struct {
	ctx  context.Context
	mu   sync.Mutex
	last any
}

// startHeart beats at a third of the heartbeat timeout until stop is called.
func startHeart(ctx context.Context) (h *heart, stop func()) {
	h = &heart{ctx: ctx}
	every := activity.GetInfo(ctx).HeartbeatTimeout / 3
	if every <= 0 {
		return h, func() {}
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-ctx.Done():
				return
			case <-tick.C:
				h.beat()
			}
		}
	})
	return h, func() { close(done); wg.Wait() }
}

// set sets what the next beat says.
func (h *heart) set(details any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last = details
}

// note sets what the next attempt will find, and sends it at once.
func (h *heart) note(details any) {
	h.mu.Lock()
	h.last = details
	h.mu.Unlock()
	h.beat()
}

func (h *heart) beat() {
	h.mu.Lock()
	defer h.mu.Unlock()
	activity.RecordHeartbeat(h.ctx, h.last)
}
