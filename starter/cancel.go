package main

import (
	"context"
	"errors"

	"batchkeeper"
	"batchkeeper/batch"
)

type cancelCmd struct {
	ID     string `arg:"" help:"The run's workflow id."`
	Reason string `help:"Why; it stands in the result." default:"asked for on the command line"`
	Wait   bool   `help:"Follow the run to its end."`
	JSON   bool   `help:"Print the state, with --wait the result, as one JSON object."`
}

// Run asks to cancel. It succeeds once the request stands, or comes too late.
func (c *cancelCmd) Run(ctx context.Context, a *app) error {
	r, done, err := a.attach(ctx, c.ID)
	if err != nil {
		return err
	}
	defer done()
	req := batch.CancelRequest{Reason: c.Reason, RequestedBy: a.user()}
	state, known, err := a.ask(ctx, r, req)
	if err != nil {
		return err
	}
	if c.Wait {
		return c.wait(ctx, a, r)
	}
	if !known && c.JSON {
		return a.printJSON(map[string]any{"workflow_id": c.ID})
	}
	if !known {
		return nil
	}
	return a.printState(ctx, state, c.ID, c.JSON)
}

// ask tells the run, and says what came of it; known is false where no worker
// tells the state.
func (a app) ask(ctx context.Context, r *batchkeeper.Run, req batch.CancelRequest) (state batch.State, known bool, err error) {
	asking, stop := context.WithTimeout(ctx, a.answerTime)
	defer stop()
	state, err = r.Cancel(asking, req)
	switch {
	case err == nil:
		a.say("%s", cancelText(state))
		return state, true, nil
	case errors.Is(err, batchkeeper.ErrAlreadyFinished):
		a.say("%v", err)
		state, err = r.State(ctx)
		if errors.Is(err, batchkeeper.ErrNoResult) {
			return state, false, nil
		}
		return state, err == nil, err
	case ctx.Err() != nil || !errors.Is(err, batchkeeper.ErrNoWorker):
		return state, false, err
	}
	if state, err = r.State(ctx); err == nil && state.Cancellation != nil {
		a.say("%s", cancelText(state))
		return state, true, nil
	}
	return a.leaveWord(ctx, r, req)
}

// leaveWord makes the request stand although no worker answers.
func (a app) leaveWord(ctx context.Context, r *batchkeeper.Run, req batch.CancelRequest) (batch.State, bool, error) {
	err := r.CancelAsync(ctx, req)
	if errors.Is(err, batchkeeper.ErrAlreadyFinished) {
		a.say("%s has already finished", r.ID())
		return batch.State{}, false, nil
	}
	if err == nil {
		a.say("no worker answers: the request is left with %s and takes effect when one runs", r.ID())
	}
	return batch.State{}, false, err
}

func cancelText(s batch.State) string {
	c := s.Cancellation
	switch {
	case c == nil:
		return "nothing was left to cancel"
	case c.Result == "":
		return "the request is accepted; the gateway has not answered yet"
	default:
		return "the request is accepted; the gateway's answer: " + string(c.Result)
	}
}

// wait follows the run. What was asked for is that nothing runs any more: only
// an end that leaves this open is a failure.
func (c *cancelCmd) wait(ctx context.Context, a *app, r *batchkeeper.Run) error {
	result, err := a.toTheEnd(ctx, r)
	if ctx.Err() != nil {
		return interrupted(r.ID())
	}
	if errors.Is(err, batchkeeper.ErrNoResult) {
		a.say("%v", err)
		return nil
	}
	if err != nil {
		return err
	}
	if err := a.printState(ctx, result, c.ID, c.JSON); err != nil {
		return err
	}
	if result.Outcome == batch.OutcomeCancelUnconfirmed || result.Outcome == batch.OutcomeSubmissionUnknown {
		return exit{code: exitFailed}
	}
	return nil
}

func (a app) user() string {
	for _, name := range []string{"USER", "LOGNAME"} {
		if user, ok := a.lookup(name); ok && user != "" {
			return user
		}
	}
	return "starter"
}
