package batch

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"
)

// Limits of a job's own fields; the gateway's limits on metadata are OpenAI's,
// less the two pairs that the gateway adds itself.
const (
	MaxMetadataPairs = 14
	maxMetadataKey   = 64
	maxMetadataValue = 512
	maxText          = 2048
	maxWorkflowID    = 200
)

// Validate says all that is wrong with the job, by field; nil when it may run.
func (j Job) Validate() error {
	return errors.Join(
		j.validateSource(),
		j.validateTexts(),
		validateMetadata(j.Metadata),
		j.validateTimes(),
		j.Poll.Validate(),
		validatePrefix(j.ResultsPrefix),
		j.validateNotify(),
	)
}

func (j Job) validateSource() error {
	if j.Input == "" && j.InputFileID == "" && j.BatchID == "" {
		return errors.New("job: one of input, input_file_id and batch_id is needed")
	}
	if r := j.InputRange; r != nil && (r.Offset < 0 || r.Length <= 0 || j.Input == "") {
		return fmt.Errorf("input_range: offset %d, length %d: want an input, offset >= 0 and length > 0", r.Offset, r.Length)
	}
	switch j.CreateMode {
	case "", CreateFile, CreateAuto:
	case CreateInline:
		if j.Input == "" || j.InputFileID != "" {
			return errors.New("create_mode: inline needs input, and no input_file_id")
		}
	default:
		return fmt.Errorf("create_mode: %q is none of file, inline, auto", j.CreateMode)
	}
	return nil
}

func (j Job) validateTexts() error {
	var errs []error
	for _, f := range []struct{ name, value string }{
		{"input", j.Input}, {"input_file_id", j.InputFileID}, {"batch_id", j.BatchID},
		{"endpoint", j.Endpoint}, {"model", j.Model}, {"completion_window", j.CompletionWindow},
		{"provider", j.Provider}, {"profile", j.Profile}, {"webhook_endpoint_id", j.WebhookEndpointID},
		{"results_prefix", j.ResultsPrefix},
	} {
		if len(f.value) > maxText || !printable(f.value) {
			errs = append(errs, fmt.Errorf("%s: want at most %d bytes of UTF-8 without control characters", f.name, maxText))
		}
	}
	if j.Endpoint != "" && !strings.HasPrefix(j.Endpoint, "/") {
		errs = append(errs, fmt.Errorf("endpoint: %q: want a path such as /v1/responses", j.Endpoint))
	}
	return errors.Join(errs...)
}

func (j Job) validateTimes() error {
	var errs []error
	for _, f := range []struct {
		name  string
		value Duration
	}{
		{"create_timeout", j.CreateTimeout}, {"settle_timeout", j.SettleTimeout},
		{"stale_after", j.StaleAfter}, {"cancel_grace", j.CancelGrace},
	} {
		if f.value < 0 {
			errs = append(errs, fmt.Errorf("%s: %s is negative", f.name, f.value))
		}
	}
	return errors.Join(errs...)
}

func (j Job) validateNotify() error {
	if n := j.Notify; n != nil && (n.WorkflowID == "" || n.Signal == "") {
		return errors.New("notify: both workflow_id and signal are needed")
	}
	return nil
}

func validateMetadata(m map[string]string) error {
	if len(m) > MaxMetadataPairs {
		return fmt.Errorf("metadata: %d pairs: at most %d, two are left to the gateway", len(m), MaxMetadataPairs)
	}
	for _, k := range sortedKeys(m) {
		if k == "" || len(k) > maxMetadataKey || len(m[k]) > maxMetadataValue || !printable(k) || !utf8.ValidString(m[k]) {
			return fmt.Errorf("metadata: %q: want a key of 1 to %d bytes and a value of at most %d", k, maxMetadataKey, maxMetadataValue)
		}
		if strings.HasPrefix(k, "phaseo_") || strings.HasPrefix(k, "batchkeeper_") {
			return fmt.Errorf("metadata: %q: keys that begin with phaseo_ or batchkeeper_ are reserved", k)
		}
	}
	return nil
}

func validatePrefix(prefix string) error {
	if prefix == "" {
		return nil
	}
	for seg := range strings.SplitSeq(strings.TrimSuffix(prefix, "/"), "/") {
		if seg == "" || seg == "." || seg == ".." || strings.Contains(seg, "\\") {
			return fmt.Errorf("results_prefix: %q: empty, \".\" and \"..\" segments and backslashes are refused", prefix)
		}
	}
	return nil
}

// CheckWorkflowID tells whether id can name a run: 1 to 200 bytes of printable
// ASCII without space and without '~', which separates it from the token in the
// gateway's session id.
func CheckWorkflowID(id string) error {
	if len(id) == 0 || len(id) > maxWorkflowID {
		return fmt.Errorf("workflow id %q: %d bytes: want 1 to %d", cut(id, 64), len(id), maxWorkflowID)
	}
	for i := range len(id) {
		if id[i] < 0x21 || id[i] > 0x7d {
			return fmt.Errorf("workflow id %q: byte %d: want printable ASCII without space and '~'", cut(id, 64), i+1)
		}
	}
	return nil
}

// maxBulkID leaves room for what names the batches of a bulk run.
const maxBulkID = 180

// CheckBulkID tells whether id can name a bulk run.
func CheckBulkID(id string) error {
	if len(id) > maxBulkID {
		return fmt.Errorf("workflow id %q: %d bytes: a bulk run's has at most %d", cut(id, 64), len(id), maxBulkID)
	}
	return CheckWorkflowID(id)
}

// ChildID names the batch of a unit: readable, and new for each try.
func ChildID(run string, round, unit, try int) string {
	id := fmt.Sprintf("%s/r%d/s%05d", run, round, unit)
	if try > 1 {
		id += fmt.Sprintf(".%d", try)
	}
	return id
}

var childID = regexp.MustCompile(`/r[1-9][0-9]*/s[0-9]{5,}(\.[1-9][0-9]*)?$`)

// IsChildID tells whether an id is one that ChildID makes.
func IsChildID(id string) bool { return childID.MatchString(id) }

// SessionID is what a run is called at the gateway; a delivery finds its
// workflow by it without any look-up table.
func SessionID(workflowID, token string) string { return workflowID + "~" + token }

// SplitSessionID undoes SessionID; ok is false for a session that is not ours.
func SplitSessionID(session string) (workflowID, token string, ok bool) {
	workflowID, token, ok = strings.Cut(session, "~")
	if !ok || token == "" || len(token) > 64 || strings.Contains(token, "~") || CheckWorkflowID(workflowID) != nil {
		return "", "", false
	}
	return workflowID, token, true
}

func printable(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f }) < 0
}

func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// ResultsPrefix is where a run's results live in the store: where the job says,
// else below the escaped workflow id and the token, which no other run shares.
func ResultsPrefix(job Job, workflowID, token string) string {
	if job.ResultsPrefix != "" {
		return strings.TrimSuffix(job.ResultsPrefix, "/")
	}
	id := url.PathEscape(workflowID)
	if strings.Trim(id, ".") == "" { // "." and ".." name folders
		id = strings.ReplaceAll(id, ".", "%2E")
	}
	if len(id) > maxSegment { // every byte may have become three
		sum := sha256.Sum256([]byte(workflowID))
		id = strings.TrimRight(id[:maxSegment-shortSum-1], "%0123456789ABCDEF") + "~" + hex.EncodeToString(sum[:])[:shortSum]
	}
	return id + "/" + token
}

// A store takes segments of so many bytes; a longer one ends in so many digits
// of a digest of the whole.
const (
	maxSegment = 200
	shortSum   = 24
)
