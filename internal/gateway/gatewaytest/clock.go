package gatewaytest

import (
	"context"
	"sync"
	"time"
)

// clock is the emulated time: it starts at the wall time, runs scale times as fast and can be moved forward.
type clock struct {
	mu     sync.Mutex
	start  time.Time
	scale  float64
	offset time.Duration
	nudged chan struct{}
}

func newClock(scale float64) *clock {
	return &clock{start: time.Now(), scale: scale, nudged: make(chan struct{})}
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nowLocked()
}

func (c *clock) nowLocked() time.Time {
	passed := time.Duration(float64(time.Since(c.start)) * c.scale)
	return c.start.Add(passed + c.offset).UTC()
}

// advance moves the clock forward and wakes everything that waits on it; zero only wakes.
func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset += d
	close(c.nudged)
	c.nudged = make(chan struct{})
}

// wait returns at the emulated time until, or as soon as the clock was nudged: a caller looks again for itself.
func (c *clock) wait(ctx context.Context, until time.Time) error {
	c.mu.Lock()
	left := time.Duration(float64(until.Sub(c.nowLocked())) / c.scale)
	nudged := c.nudged
	c.mu.Unlock()
	if left <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
	case <-nudged:
	}
	return nil
}

// sleepUntil returns at the emulated time until and not before.
func (c *clock) sleepUntil(ctx context.Context, until time.Time) error {
	for c.now().Before(until) {
		if err := c.wait(ctx, until); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// pause is a wall-clock pause, for faults that a client feels in its own time.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
