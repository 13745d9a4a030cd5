package gatewaytest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"
)

// cronTick is how often the gateway's background work runs.
const cronTick = 5 * time.Minute

// sortedBatches needs the lock; oldest first.
func (s *Server) sortedBatches() []*batch {
	return slices.SortedFunc(maps.Values(s.batches), func(a, b *batch) int { return cmp.Compare(a.sequence, b.sequence) })
}

// settleAll brings every batch up to the emulated time and gives the ends of those that are being finished.
func (s *Server) settleAll() []<-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock.now()
	var finishing []<-chan struct{}
	for _, b := range s.batches {
		s.settle(b, now)
		if b.closing {
			finishing = append(finishing, b.done)
		}
	}
	return finishing
}

// watch settles a batch whenever something is due, until it is terminal.
func (s *Server) watch(b *batch) {
	for {
		s.mu.Lock()
		s.settle(b, s.clock.now())
		due := b.nextDue()
		s.mu.Unlock()
		if due.IsZero() {
			return
		}
		if s.clock.wait(s.ctx, due) != nil {
			return
		}
	}
}

// nextDue is when the batch changes by itself; zero when it never does.
func (b *batch) nextDue() time.Time {
	if b.closing || terminal(b.live.status) {
		return b.recover
	}
	far := b.live.created.AddDate(10, 0, 0)
	due := far
	for _, at := range []time.Time{b.plan.end, b.recover} {
		if !at.IsZero() && at.Before(due) {
			due = at
		}
	}
	switch b.live.status {
	case statusValidating:
		due = earlier(due, b.plan.start)
	case statusInProgress:
		due = earlier(due, b.plan.finalize)
	}
	return due
}

func earlier(a, b time.Time) time.Time {
	if b.IsZero() || a.Before(b) {
		return a
	}
	return b
}

// settle needs the lock: it brings one batch up to the time now.
func (s *Server) settle(b *batch, now time.Time) {
	if !b.recover.IsZero() && !now.Before(b.recover) {
		b.recover = time.Time{}
		b.native, b.row.status = b.providerID, statusValidating
		b.refresh(now)
		s.effect(b, EffectBatchRecovered, "")
	}
	if b.missing || b.rejected || b.closing || terminal(b.live.status) {
		return
	}
	b.progress(now)
	if tick := now.Truncate(cronTick); !tick.Before(b.row.nextReconcile) {
		b.refresh(tick)
		b.row.nextReconcile = tick.Add(reconcileDelay(b.live.status))
	}
	if b.plan.end.IsZero() || now.Before(b.plan.end) {
		return
	}
	b.closing = true
	s.work.Go(func() { s.finish(b) })
}

// progress moves the live view through its non-terminal states.
func (b *batch) progress(now time.Time) {
	if b.live.status == statusValidating && !b.plan.start.IsZero() && !now.Before(b.plan.start) && b.plan.outcome != statusFailed {
		b.live.status, b.live.started = statusInProgress, b.plan.start
	}
	if b.live.status == statusInProgress && !b.plan.finalize.IsZero() && !now.Before(b.plan.finalize) {
		b.live.status, b.live.finalizing = statusFinalizing, b.plan.finalize
	}
	if b.live.started.IsZero() {
		return
	}
	b.live.counts.total = b.rows
	until := now
	if !b.live.cancelling.IsZero() {
		until = b.live.cancelling
	}
	share := b.share(until)
	b.live.counts.failed = int(float64(b.failing) * share)
	b.live.counts.completed = int(float64(b.rows-b.failing) * share)
}

// share is how much of the work is done at a time, from 0 to 1.
func (b *batch) share(at time.Time) float64 {
	if b.live.started.IsZero() || !at.After(b.plan.start) {
		return 0
	}
	whole := b.plan.finalize.Sub(b.plan.start)
	if whole <= 0 {
		return 1
	}
	return min(1, float64(at.Sub(b.plan.start))/float64(whole))
}

// finish writes the outputs and makes the batch terminal; then the gateway hears of it and tells the receiver.
func (s *Server) finish(b *batch) {
	outputs, err := s.writeOutputs(b)
	s.mu.Lock()
	b.live.status, b.live.ended = b.plan.outcome, b.plan.end
	if err != nil {
		b.live.status = statusFailed
		b.problems = []rowProblem{{reason: "emulator_error", message: err.Error()}}
	} else if b.plan.outcome != statusFailed {
		b.live.counts, b.live.usage = outputs.counts, outputs.usage
	}
	b.closing, b.live.output, b.live.errors = false, outputs.output, outputs.errors
	b.refresh(s.clock.now())
	s.effect(b, EffectBatchFinished, fmt.Sprintf("%s %d completed %d failed", b.live.status, b.live.counts.completed, b.live.counts.failed))
	close(b.done)
	s.mu.Unlock()
	s.announceEnd(b)
}

func (s *Server) effect(b *batch, effect, note string) {
	s.journal.add(Entry{Kind: KindEffect, Op: effect, BatchID: b.id, FileID: b.inputFile, SessionID: b.sessionID, Note: note})
}

// Finish makes a batch terminal at once: status is completed, failed, expired or cancelled, answered the number of its
// rows with an answer (-1: all of a completed one, else as many as its progress). The other rows of a completed batch
// stand in no file at all. It returns when the outputs are there.
func (s *Server) Finish(batchID, status string, answered int) error {
	if !terminal(status) {
		return fmt.Errorf("finish %s: %q is not a terminal status", batchID, status)
	}
	s.mu.Lock()
	b := s.find(batchID)
	if b == nil {
		s.mu.Unlock()
		return fmt.Errorf("finish %s: no such batch", batchID)
	}
	now := s.clock.now()
	s.settle(b, now)
	if b.missing || b.rejected || b.closing || terminal(b.live.status) {
		s.mu.Unlock()
		return fmt.Errorf("finish %s: it is already finished or the provider does not have it", batchID)
	}
	if status != statusFailed && b.live.started.IsZero() {
		b.live.started = now
	}
	b.plan.outcome, b.plan.end, b.plan.answered = status, now, answered
	s.settle(b, now)
	s.mu.Unlock()
	select {
	case <-b.done:
		return nil
	case <-s.ctx.Done():
		return fmt.Errorf("finish %s: the emulator was closed", batchID)
	}
}
