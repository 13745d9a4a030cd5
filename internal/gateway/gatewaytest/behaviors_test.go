package gatewaytest_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/gateway/gatewaytest"
)

// behaviors are what a client of the gateway must survive, and how a script asks for each. Those without a rule happen
// by themselves; the test that shows them is named.
var behaviors = map[string]struct {
	rule  gatewaytest.Rule
	shown string
}{
	"an event is delivered again with a higher attempt":    {rule: on(gatewaytest.OpWebhook, gatewaytest.FaultUnheard, "")},
	"an event is delivered again as attempt 1":             {rule: on(gatewaytest.OpWebhook, gatewaytest.FaultReset, "")},
	"the same bytes are delivered twice":                   {rule: on(gatewaytest.OpWebhook, gatewaytest.FaultDuplicate, "")},
	"created arrives before the create answer":             {rule: on(gatewaytest.OpCreate, gatewaytest.FaultCreatedEarly, "")},
	"created arrives after completed":                      {shown: "TestCreatedIsRetriedAfterTheEnd"},
	"the terminal event is never sent":                     {rule: on(gatewaytest.OpWebhook, gatewaytest.FaultNeverSent, "")},
	"all rows failed and no event":                         {rule: on(gatewaytest.OpCreate, gatewaytest.FaultOutcome, "all_failed")},
	"expired is announced as failed":                       {shown: "TestExpiredIsAnnouncedAsFailed"},
	"an event is late":                                     {rule: on(gatewaytest.OpWebhook, gatewaytest.FaultLate, "")},
	"four attempts, then silence":                          {shown: "TestRetryLadder"},
	"the secret changes between two attempts":              {rule: on(gatewaytest.OpWebhook, gatewaytest.FaultRotate, "whsec_x")},
	"a stale timestamp":                                    {rule: on(gatewaytest.OpWebhook, gatewaytest.FaultAge, "")},
	"a bad signature":                                      {rule: on(gatewaytest.OpWebhook, gatewaytest.FaultSignature, "")},
	"a tampered body":                                      {rule: on(gatewaytest.OpWebhook, gatewaytest.FaultTamper, "")},
	"missing headers":                                      {rule: on(gatewaytest.OpWebhook, gatewaytest.FaultHeader, "")},
	"an oversized body":                                    {rule: on(gatewaytest.OpWebhook, gatewaytest.FaultOversize, "")},
	"other types, batches, fields, contradictions":         {shown: "TestDeliveryFaults/rewrite"},
	"progress and other events of the future":              {shown: "TestDeliver"},
	"the lifecycle status goes backwards":                  {shown: "TestLifecycleReadsBackwards"},
	"any status at any time":                               {rule: on(gatewaytest.OpRetrieve, gatewaytest.FaultShow, "in_progress")},
	"list and retrieve disagree":                           {shown: "TestListAndRetrieveDisagree"},
	"a read is stale":                                      {rule: on(gatewaytest.OpRetrieve, gatewaytest.FaultStale, "")},
	"a batch that exists is not found":                     {rule: on(gatewaytest.OpRetrieve, gatewaytest.FaultNamed, "batch_not_found")},
	"the provider does not know it yet":                    {shown: "TestUnknownSubmissionIsFoundLater"},
	"the outcome of a submission is unknown":               {rule: on(gatewaytest.OpCreate, gatewaytest.FaultOutcomeUnknown, "")},
	"accepted but not stored":                              {rule: on(gatewaytest.OpCreate, gatewaytest.FaultPersistenceFailed, "completed")},
	"the create answer is lost":                            {rule: on(gatewaytest.OpCreate, gatewaytest.FaultEffectDrop, "")},
	"the create request is lost":                           {rule: on(gatewaytest.OpCreate, gatewaytest.FaultDrop, "")},
	"a second create makes a second batch":                 {shown: "TestCreateFaults"},
	"the provider refuses and a hidden row stays":          {rule: on(gatewaytest.OpCreate, gatewaytest.FaultProviderRejects, "")},
	"429 of the provider":                                  {rule: on(gatewaytest.OpCreate, gatewaytest.FaultNamed, "rate_limited")},
	"429 of the key, without Retry-After":                  {rule: on(gatewaytest.OpCreate, gatewaytest.FaultNamed, "key_limit_exceeded")},
	"429 of the upload quota":                              {rule: on(gatewaytest.OpUpload, gatewaytest.FaultNamed, "upload_quota")},
	"402 of the reservation":                               {rule: on(gatewaytest.OpCreate, gatewaytest.FaultNamed, "insufficient_funds")},
	"402 of the credit check":                              {rule: on(gatewaytest.OpCreate, gatewaytest.FaultNamed, "credit_check_failed")},
	"403 of the feature gate":                              {rule: on(gatewaytest.OpList, gatewaytest.FaultNamed, "gate_off")},
	"401 that is the database's":                           {rule: on(gatewaytest.OpList, gatewaytest.FaultNamed, "db_error")},
	"a fresh file is not priceable":                        {rule: on(gatewaytest.OpCreate, gatewaytest.FaultNamed, "not_priceable")},
	"503 before submission":                                {rule: on(gatewaytest.OpCreate, gatewaytest.FaultNamed, "submission_persistence_failed")},
	"500 in text":                                          {rule: on(gatewaytest.OpRetrieve, gatewaytest.FaultNamed, "text_error")},
	"502 in HTML":                                          {rule: on(gatewaytest.OpRetrieve, gatewaytest.FaultNamed, "html_error")},
	"completed without an output file":                     {rule: on(gatewaytest.OpRetrieve, gatewaytest.FaultNoOutput, "")},
	"the output file is not found":                         {rule: on(gatewaytest.OpContent, gatewaytest.FaultNamed, "file_not_found")},
	"the download is cut":                                  {rule: on(gatewaytest.OpContent, gatewaytest.FaultCut, "clean")},
	"the output is odd":                                    {rule: on(gatewaytest.OpContent, gatewaytest.FaultMutate, "shuffle")},
	"both files":                                           {shown: "TestBatchFromUploadToAnswers"},
	"cancelled with part of the output":                    {shown: "TestCancelKeepsWhatWasAnswered"},
	"expired with part of the output":                      {rule: on(gatewaytest.OpCreate, gatewaytest.FaultOutcome, "expired")},
	"expired without files":                                {rule: on(gatewaytest.OpCreate, gatewaytest.FaultOutcome, "expired_without_files")},
	"failed at validation":                                 {rule: on(gatewaytest.OpCreate, gatewaytest.FaultOutcome, "failed")},
	"cancel comes too late":                                {rule: on(gatewaytest.OpCancel, gatewaytest.FaultCancelTooLate, "")},
	"cancel is refused":                                    {rule: on(gatewaytest.OpCancel, gatewaytest.FaultCancelRefused, "")},
	"cancelling for ever":                                  {rule: on(gatewaytest.OpCancel, gatewaytest.FaultCancelStuck, "")},
	"a list without limit, a short page":                   {shown: "TestListOfABusyWorkspaceIsShort"},
	"charged turns false":                                  {shown: "TestChargedTurnsFalse"},
	"counts are missing":                                   {rule: on(gatewaytest.OpRetrieve, gatewaytest.FaultCounts, "")},
	"times are numbers here and text there":                {shown: "TestListItemsAreAnotherShape"},
	"the stored rows are no results":                       {shown: "TestStoredRowsAreNoResults"},
	"retrieve with a query is not found":                   {shown: "TestIdsAreCutFromTheRawURL"},
	"an answer drips":                                      {rule: on(gatewaytest.OpRetrieve, gatewaytest.FaultDrip, "")},
	"the provider's errors are passed through by retrieve": {rule: on(gatewaytest.OpRetrieve, gatewaytest.FaultNamed, "provider_error")},
}

func on(op gatewaytest.Op, kind gatewaytest.FaultKind, value string) gatewaytest.Rule {
	f := gatewaytest.Fault{Kind: kind, Value: value, Bytes: 1000, Header: map[string]string{"X-Phaseo-Timestamp": ""}}
	return gatewaytest.Rule{Op: op, From: 1, To: 1, Fault: f}
}

// TestEveryBehaviorHappens runs an ordinary batch under each rule and looks into the journal whether it took place.
func TestEveryBehaviorHappens(t *testing.T) {
	for name, b := range behaviors {
		if b.shown != "" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			h, _ := hooked(t, gatewaytest.Options{})
			h.Script(b.rule)
			h.ordinaryRun(b.rule.Op == gatewaytest.OpCancel)
			want := string(b.rule.Fault.Kind)
			if b.rule.Fault.Kind == gatewaytest.FaultNeverSent {
				want = "scripted"
			}
			require.Eventually(t, func() bool {
				for _, e := range h.Journal() {
					if strings.Contains(e.Note, want) {
						return true
					}
				}
				return false
			}, 5*time.Second, time.Millisecond)
		})
	}
}

// ordinaryRun does what a client does, once again after each failure.
func (h *harness) ordinaryRun(cancel bool) {
	h.t.Helper()
	again := func(try func() reply) reply {
		got := try()
		if got.status != http.StatusOK {
			got = try()
		}
		require.Equal(h.t, http.StatusOK, got.status, "%s", got.raw)
		return got
	}
	file := again(func() reply { return h.upload(rows(3, nil)) }).id()
	id := again(func() reply { return h.createOf(file, "ordinary", toEverything) }).id()
	again(func() reply { return h.get("/batches?limit=100") })
	if cancel {
		h.post("/batches/"+id+"/cancel", nil)
	}
	h.Advance(time.Minute)
	again(func() reply { return h.get("/batches/" + id) })
	if output := again(func() reply { return h.get("/batches/" + id) }).text("output_file_id"); output != "" {
		again(func() reply { return h.get("/files/" + output + "/content") })
	}
}
