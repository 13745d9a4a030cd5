package workflows

import (
	"context"

	"go.temporal.io/sdk/workflow"
)

// activityOf is an activity's method value: it binds name, input and output.
type activityOf[In, Out any] = func(context.Context, In) (Out, error)

// call runs an activity; a wrong input does not compile.
func call[In, Out any](ctx workflow.Context, opts workflow.ActivityOptions, step activityOf[In, Out], in In) (Out, error) {
	var out Out
	err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, opts), step, in).Get(ctx, &out)
	return out, err
}
