package workflows

import (
	"go.temporal.io/sdk/workflow"

	"batchkeeper/batch"
)

// inbox is the signals that a workflow hears. What they do must not block: it
// leaves word for the steps.
type inbox []signal

// signal is a kind of message and what is done about one; take tells whether
// there was one.
type signal struct {
	name string
	take func(ctx workflow.Context, c workflow.ReceiveChannel) bool
}

// on hears a signal whose argument is a T.
func on[T any](name string, do func(ctx workflow.Context, message T)) signal {
	return signal{name, func(ctx workflow.Context, c workflow.ReceiveChannel) bool {
		var message T
		if !c.ReceiveAsync(&message) {
			return false
		}
		do(ctx, message)
		return true
	}}
}

// hear takes the signals as they come, for as long as the workflow lives.
func (in inbox) hear(ctx workflow.Context) {
	for {
		sel := workflow.NewSelector(ctx)
		for _, s := range in {
			sel.AddReceive(workflow.GetSignalChannel(ctx, s.name), func(c workflow.ReceiveChannel, _ bool) { s.take(ctx, c) })
		}
		sel.Select(ctx)
	}
}

// drain takes the signals that are already here: those left behind at a
// continue-as-new would be lost.
func (in inbox) drain(ctx workflow.Context) {
	for _, s := range in {
		c := workflow.GetSignalChannel(ctx, s.name)
		for s.take(ctx, c) {
		}
	}
}

// cancelledFromOutside is what Temporal's own cancellation asks for.
var cancelledFromOutside = batch.CancelRequest{RequestedBy: "temporal", Reason: "the workflow was cancelled"}

// detach keeps a handler alive when the workflow's own context is cancelled.
func detach(ctx workflow.Context) workflow.Context {
	detached, _ := workflow.NewDisconnectedContext(ctx)
	return detached
}
