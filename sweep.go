package batchkeeper

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"batchkeeper/batch"
)

// Sweep looks over the account once and waits for the report: it starts a run
// for each batch of ours that none follows, and with job.Cancel asks the runs to
// cancel what it found. ErrInvalidJob: nothing was started. Of the options it
// heeds WithID and WithTaskQueue. It needs a worker, and waits for one.
func Sweep(ctx context.Context, c client.Client, job batch.SweepJob, opts ...Option) (batch.SweepReport, error) {
	o, err := sweepOptions(job, "sweep-"+strings.ToLower(rand.Text()[:10]), opts)
	if err != nil {
		return batch.SweepReport{}, err
	}
	started, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: o.id, TaskQueue: o.taskQueue, StaticSummary: sweepSummary(job),
	}, batch.WorkflowSweep, job)
	if err != nil {
		return batch.SweepReport{}, fmt.Errorf("sweep: start %s: %w", o.id, err)
	}
	var report batch.SweepReport
	if err := started.Get(ctx, &report); err != nil {
		if failed, ok := errors.AsType[*temporal.ApplicationError](err); ok {
			err = errors.New(failed.Message())
		}
		return batch.SweepReport{}, fmt.Errorf("sweep: %s: %w", o.id, err)
	}
	return report, nil
}

func sweepOptions(job batch.SweepJob, id string, opts []Option) (options, error) {
	o := options{id: id, taskQueue: batch.DefaultTaskQueue}
	for _, set := range opts {
		set(&o)
	}
	o.id = firstOf(o.id, id)
	err := errors.Join(batch.CheckWorkflowID(o.id), job.Validate())
	if o.taskQueue == "" {
		err = errors.Join(err, errors.New("task queue: it is empty"))
	}
	if err != nil {
		return o, fmt.Errorf("sweep: %w: %w", ErrInvalidJob, err)
	}
	return o, nil
}

func sweepSummary(job batch.SweepJob) string {
	if job.Cancel {
		return "look over the account, and cancel what is found"
	}
	return "look over the account"
}

// Scheduled is a Schedule of sweeps as it stands.
type Scheduled struct {
	ID      string     `json:"schedule_id"`
	Created bool       `json:"created"` // by this call; else it was changed
	Paused  bool       `json:"paused"`
	Next    *time.Time `json:"next,omitempty"`
}

// sweepCatchUp is how late a sweep may still be made that the server missed: the
// next one sees the same account.
const sweepCatchUp = time.Minute

// sweepOverlap keeps sweeps from queueing up behind a slow one.
const sweepOverlap = enumspb.SCHEDULE_OVERLAP_POLICY_SKIP

// ScheduleSweep has the account swept every so often, in whole seconds, by the
// Schedule batch.ScheduleSweep of the namespace. Where there is one its interval
// and job are replaced; one that is paused stays so. A sweep that takes longer
// than the interval keeps the next from starting. ErrInvalidJob: nothing changed.
func ScheduleSweep(ctx context.Context, c client.Client, job batch.SweepJob, every time.Duration, opts ...Option) (Scheduled, error) {
	o, err := sweepOptions(job, batch.ScheduleSweep, opts)
	if err == nil && (every < time.Second || every%time.Second != 0) {
		err = fmt.Errorf("sweep: %w: every %s: want 1s or more, in whole seconds", ErrInvalidJob, every)
	}
	if err != nil {
		return Scheduled{}, err
	}
	spec := client.ScheduleSpec{Intervals: []client.ScheduleIntervalSpec{{Every: every}}}
	action := &client.ScheduleWorkflowAction{
		ID: o.id, Workflow: batch.WorkflowSweep, Args: []any{job}, TaskQueue: o.taskQueue, StaticSummary: sweepSummary(job),
	}
	_, err = c.ScheduleClient().Create(ctx, client.ScheduleOptions{
		ID: batch.ScheduleSweep, Spec: spec, Action: action, Overlap: sweepOverlap, CatchupWindow: sweepCatchUp,
	})
	created := err == nil
	handle := c.ScheduleClient().GetHandle(ctx, batch.ScheduleSweep)
	if errors.Is(err, temporal.ErrScheduleAlreadyRunning) {
		err = handle.Update(ctx, client.ScheduleUpdateOptions{DoUpdate: func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
			s := in.Description.Schedule
			s.Spec, s.Action = &spec, action
			s.Policy = &client.SchedulePolicies{Overlap: sweepOverlap, CatchupWindow: sweepCatchUp}
			return &client.ScheduleUpdate{Schedule: &s}, nil
		}})
	}
	if err != nil {
		return Scheduled{}, fmt.Errorf("sweep: schedule %s: %w", batch.ScheduleSweep, err)
	}
	return scheduled(ctx, handle, created)
}

func scheduled(ctx context.Context, handle client.ScheduleHandle, created bool) (Scheduled, error) {
	now, err := handle.Describe(ctx)
	if err != nil {
		return Scheduled{}, fmt.Errorf("sweep: describe schedule %s: %w", batch.ScheduleSweep, err)
	}
	s := Scheduled{ID: batch.ScheduleSweep, Created: created}
	if state := now.Schedule.State; state != nil {
		s.Paused = state.Paused
	}
	if next := now.Info.NextActionTimes; len(next) > 0 && !s.Paused {
		s.Next = &next[0]
	}
	return s, nil
}
