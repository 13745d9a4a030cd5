package batchkeeper_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"batchkeeper"
	"batchkeeper/batch"
)

func TestASweepThatCannotBeIsNotStarted(t *testing.T) {
	for name, sweep := range map[string]func() error{
		"a negative age": func() error {
			_, err := batchkeeper.Sweep(t.Context(), server, batch.SweepJob{MaxAge: -1}, batchkeeper.WithTaskQueue(queue))
			return err
		},
		"a bad id": func() error {
			_, err := batchkeeper.Sweep(t.Context(), server, batch.SweepJob{}, batchkeeper.WithTaskQueue(queue), batchkeeper.WithID("a~b"))
			return err
		},
		"no task queue": func() error {
			_, err := batchkeeper.Sweep(t.Context(), server, batch.SweepJob{}, batchkeeper.WithTaskQueue(""))
			return err
		},
		"no time between two": func() error {
			_, err := batchkeeper.ScheduleSweep(t.Context(), server, batch.SweepJob{}, 0)
			return err
		},
		"parts of a second": func() error {
			_, err := batchkeeper.ScheduleSweep(t.Context(), server, batch.SweepJob{}, 1500*time.Millisecond)
			return err
		},
	} {
		require.ErrorIs(t, sweep(), batchkeeper.ErrInvalidJob, name)
	}
}

// A Schedule that a person has paused stays paused, whatever is changed about it.
func TestChangingAPausedScheduleLeavesItPaused(t *testing.T) {
	_, err := batchkeeper.ScheduleSweep(t.Context(), server, batch.SweepJob{}, time.Hour, batchkeeper.WithTaskQueue(queue))
	require.NoError(t, err)
	handle := server.ScheduleClient().GetHandle(t.Context(), batch.ScheduleSweep)
	require.NoError(t, handle.Pause(t.Context(), client.SchedulePauseOptions{Note: "looking"}))
	s, err := batchkeeper.ScheduleSweep(t.Context(), server, batch.SweepJob{Cancel: true}, 2*time.Hour, batchkeeper.WithTaskQueue(queue))
	require.NoError(t, err)
	require.Equal(t, batchkeeper.Scheduled{ID: batch.ScheduleSweep, Paused: true}, s)
	now, err := handle.Describe(t.Context())
	require.NoError(t, err)
	require.Equal(t, 2*time.Hour, now.Schedule.Spec.Intervals[0].Every)
	require.Equal(t, "looking", now.Schedule.State.Note)
	require.NoError(t, handle.Delete(t.Context()))
}
