package workflows

import (
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/workflow"

	"batchkeeper/activities"
	"batchkeeper/batch"
)

// act names the activities for calls: only its method values are used, never
// the nil pointer behind them.
var act *activities.Activities

// Registry is the part of a worker that takes registrations.
type Registry interface {
	RegisterWorkflowWithOptions(w any, options workflow.RegisterOptions)
	RegisterActivityWithOptions(a any, options activity.RegisterOptions)
}

// Register gives a worker everything that Batchkeeper runs, under explicit
// names: they stand in every recorded history.
func Register(r Registry, a *activities.Activities) {
	r.RegisterWorkflowWithOptions(BatchWorkflow, workflow.RegisterOptions{Name: batch.WorkflowBatch})
	r.RegisterWorkflowWithOptions(BulkWorkflow, workflow.RegisterOptions{Name: batch.WorkflowBulk})
	// It may live for ever, so it moves on with the workers: pinned, it would keep
	// every run of its account waiting once the workers of its build are gone.
	r.RegisterWorkflowWithOptions(GovernorWorkflow, workflow.RegisterOptions{
		Name: batch.WorkflowGovernor, VersioningBehavior: workflow.VersioningBehaviorAutoUpgrade,
	})
	r.RegisterWorkflowWithOptions(SweepWorkflow, workflow.RegisterOptions{Name: batch.WorkflowSweep})
	for _, step := range []struct {
		name string
		run  any
	}{
		{"Inspect", a.Inspect}, {"Upload", a.Upload}, {"LookUp", a.LookUp}, {"Create", a.Create},
		{"Poll", a.Poll}, {"Cancel", a.Cancel}, {"Download", a.Download}, {"Reconcile", a.Reconcile},
		{"Survey", a.Survey}, {"ReadPlan", a.ReadPlan}, {"ReadPages", a.ReadPages}, {"Prepare", a.Prepare}, {"SettleUnit", a.SettleUnit}, {"Ends", a.Ends},
		{"PlanRound", a.PlanRound}, {"PlanFinal", a.PlanFinal}, {"PublishShards", a.PublishShards}, {"PublishManifest", a.PublishManifest},
		{"Holders", a.Holders}, {"AskGovernor", a.AskGovernor},
		{"ListAccount", a.ListAccount}, {"Track", a.Track},
	} {
		r.RegisterActivityWithOptions(step.run, activity.RegisterOptions{Name: step.name})
	}
}
