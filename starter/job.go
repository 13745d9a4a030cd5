package main

import (
	"cmp"
	"os"
	"time"

	"batchkeeper/batch"
)

// jobFlags are the fields of a job as flags.
type jobFlags struct {
	Job string `help:"File with the job as JSON; arguments and flags replace its fields." placeholder:"FILE"`

	Endpoint          string            `help:"The API's path, such as /v1/responses; by default what the rows name." placeholder:"PATH"`
	Model             string            `help:"The model; by default what the rows name."`
	Provider          string            `help:"The provider behind the gateway; by default the gateway chooses."`
	CompletionWindow  string            `help:"Time the provider has for the batch; by default 24h." placeholder:"24h"`
	Metadata          map[string]string `help:"Metadata for the gateway; repeat it for more." mapsep:"none" placeholder:"KEY=VALUE"`
	CreateMode        string            `help:"How the rows travel; by default in an uploaded file, of a bulk run auto." placeholder:"file|inline|auto"`
	Profile           string            `help:"Limits that apply; by default those of the worker's gateway." placeholder:"phaseo|openai|NAME"`
	WebhookEndpointID string            `name:"webhook-endpoint-id" help:"The gateway's managed webhook endpoint." placeholder:"ID"`
	ResultsPrefix     string            `help:"Where in the store the results go." placeholder:"PREFIX"`

	MaxRowsPerBatch  int64   `help:"Bulk: rows in a batch at most; by default the profile's limit." placeholder:"N"`
	MaxBytesPerBatch int64   `help:"Bulk: bytes in a batch at most; by default the profile's limit." placeholder:"N"`
	MaxInFlight      int     `help:"Bulk: batches at a time; by default the profile's number, else 20." placeholder:"N"`
	Rounds           int     `help:"Bulk: how often a row is sent at most; by default 3." placeholder:"N"`
	BudgetUSD        float64 `name:"budget-usd" help:"Bulk: start no batch beyond it; by default no limit." placeholder:"USD"`
	OnBadRows        string  `help:"Bulk: reject an input with bad rows, or quarantine them; by default reject." placeholder:"reject|quarantine"`

	StaleAfter    time.Duration `help:"Cancel the batch when it has not ended after this long." placeholder:"36h"`
	CancelGrace   time.Duration `help:"How long a cancelling batch may take; by default 30m." placeholder:"30m"`
	CreateTimeout time.Duration `help:"How long a create that may pass later is tried; by default 24h." placeholder:"24h"`
	SettleTimeout time.Duration `help:"How long an ambiguous create waits for proof; by default 24h." placeholder:"24h"`
	PollMin       time.Duration `help:"Least time between two reads; by default 15s." placeholder:"15s"`
	PollMax       time.Duration `help:"Longest time between two reads; by default 15m." placeholder:"15m"`
}

// job is the job that the flags describe.
func (f jobFlags) job() (batch.Job, error) {
	var job batch.Job
	if f.Job != "" {
		raw, err := os.ReadFile(f.Job)
		if err != nil {
			return batch.Job{}, usage("--job: %w", err)
		}
		if job, err = batch.ParseJob(raw); err != nil {
			return batch.Job{}, usage("--job %s: %w", f.Job, err)
		}
	}
	for _, t := range []struct {
		to    *string
		given string
	}{
		{&job.Endpoint, f.Endpoint}, {&job.Model, f.Model}, {&job.Provider, f.Provider},
		{&job.CompletionWindow, f.CompletionWindow}, {&job.Profile, f.Profile},
		{&job.WebhookEndpointID, f.WebhookEndpointID}, {&job.ResultsPrefix, f.ResultsPrefix},
	} {
		if t.given != "" {
			*t.to = t.given
		}
	}
	if f.CreateMode != "" {
		job.CreateMode = batch.CreateMode(f.CreateMode)
	}
	if len(f.Metadata) > 0 {
		job.Metadata = f.Metadata
	}
	f.setBulk(&job.BulkJob)
	f.setTimes(&job)
	return job, nil
}

// setBulk sets what makes a run a bulk run.
func (f jobFlags) setBulk(job *batch.BulkJob) {
	job.MaxRowsPerBatch = cmp.Or(f.MaxRowsPerBatch, job.MaxRowsPerBatch)
	job.MaxBytesPerBatch = cmp.Or(f.MaxBytesPerBatch, job.MaxBytesPerBatch)
	job.MaxInFlight = cmp.Or(f.MaxInFlight, job.MaxInFlight)
	job.Rounds = cmp.Or(f.Rounds, job.Rounds)
	job.BudgetUSD = cmp.Or(f.BudgetUSD, job.BudgetUSD)
	job.OnBadRows = cmp.Or(batch.OnBadRows(f.OnBadRows), job.OnBadRows)
}

func (f jobFlags) setTimes(job *batch.Job) {
	for _, t := range []struct {
		to    *batch.Duration
		given time.Duration
	}{
		{&job.StaleAfter, f.StaleAfter}, {&job.CancelGrace, f.CancelGrace},
		{&job.CreateTimeout, f.CreateTimeout}, {&job.SettleTimeout, f.SettleTimeout},
		{&job.Poll.Min, f.PollMin}, {&job.Poll.Max, f.PollMax},
	} {
		if t.given != 0 {
			*t.to = batch.Duration(t.given)
		}
	}
}
