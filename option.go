package batchkeeper

import (
	"crypto/rand"
	"errors"
	"fmt"
	"path"
	"strings"

	"batchkeeper/batch"
)

// Option changes how a run is started.
type Option func(*options)

type options struct {
	id, taskQueue, workflow string
	rerun                   bool
}

// WithID names the run; see batch.CheckWorkflowID for what can be a name. An
// empty id stands for a new one.
func WithID(id string) Option { return func(o *options) { o.id = id } }

// WithTaskQueue sends the run to the workers of another task queue than
// batch.DefaultTaskQueue.
func WithTaskQueue(queue string) Option { return func(o *options) { o.taskQueue = queue } }

// WithType chooses the workflow by name. batch.WorkflowBatch, the default, is
// or batch.WorkflowBulk for an input of any size; another is ErrInvalidJob.
func WithType(workflow string) Option { return func(o *options) { o.workflow = workflow } }

// WithRerun starts anew, on purpose, under the id of a run that has ended. It
// pays again. While that run is open, Start answers ErrStillOpen.
func WithRerun() Option { return func(o *options) { o.rerun = true } }

func newOptions(job batch.Job, opts []Option) options {
	o := options{taskQueue: batch.DefaultTaskQueue, workflow: batch.WorkflowBatch}
	for _, set := range opts {
		set(&o)
	}
	if o.id == "" {
		o.id = NewID(job)
	}
	return o
}

func (o options) check(job batch.Job) error {
	var errs []error
	switch o.workflow {
	case batch.WorkflowBatch:
		errs = append(errs, job.ValidateSingle())
	case batch.WorkflowBulk:
		errs = append(errs, batch.CheckBulkID(o.id), job.ValidateBulk())
	default:
		errs = append(errs, fmt.Errorf("workflow type %q: want %s or %s", o.workflow, batch.WorkflowBatch, batch.WorkflowBulk))
	}
	if o.taskQueue == "" {
		errs = append(errs, errors.New("task queue: it is empty"))
	}
	if job.Carried != nil {
		errs = append(errs, errors.New("carried: only continue-as-new sets it"))
	}
	return errors.Join(append(errs, batch.CheckWorkflowID(o.id), job.Validate())...)
}

// maxStem keeps a made-up id short enough to read and to append to.
const maxStem = 60

// NewID makes a workflow id that a person recognizes, after the name of what the
// job runs on, and that no other run has.
func NewID(job batch.Job) string {
	source := path.Base(firstOf(job.Input, job.InputFileID, job.BatchID, "batch"))
	source = strings.TrimSuffix(source, path.Ext(source))
	stem := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
			return r
		default:
			return '-'
		}
	}, source)
	stem = strings.Trim(stem[:min(len(stem), maxStem)], "-.")
	return firstOf(stem, "batch") + "-" + strings.ToLower(rand.Text()[:10])
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// maxSummary is well below what the server takes, and what a list can show.
const maxSummary = 160

// summary is the one line that lists in the Web UI show.
func summary(job batch.Job) string {
	what := path.Base(firstOf(job.Input, job.InputFileID, job.BatchID))
	if to := strings.TrimSpace(job.Endpoint + " " + job.Model); to != "" {
		what += " → " + to
	}
	return strings.ToValidUTF8(what[:min(len(what), maxSummary)], "")
}

// details is the job as a table, in Markdown.
func details(job batch.Job) string {
	var b strings.Builder
	b.WriteString("| | |\n|---|---|\n")
	for _, f := range []struct{ name, value string }{
		{"Input", job.Input}, {"Input file", job.InputFileID}, {"Batch", job.BatchID}, {"Endpoint", job.Endpoint},
		{"Model", job.Model}, {"Provider", job.Provider}, {"Profile", job.Profile}, {"Results", job.ResultsPrefix},
	} {
		if f.value != "" {
			fmt.Fprintf(&b, "| %s | `%s` |\n", f.name, strings.NewReplacer("|", "\\|", "`", "'").Replace(f.value))
		}
	}
	return b.String()
}
