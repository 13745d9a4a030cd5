package gatewaytest

// FaultKind names a fault.
type FaultKind string

// Faults of every request.
const (
	FaultDelay      FaultKind = "delay"
	FaultHang       FaultKind = "hang"
	FaultDrop       FaultKind = "drop"
	FaultEffectDrop FaultKind = "effect_drop"
	FaultEffectHang FaultKind = "effect_hang"
	FaultAnswer     FaultKind = "answer"
	FaultDrip       FaultKind = "drip"
	FaultCut        FaultKind = "cut"
	FaultNamed      FaultKind = "named"
)

// Faults of a create call and of the batch that it makes.
const (
	FaultOutcomeUnknown    FaultKind = "outcome_unknown"
	FaultPersistenceFailed FaultKind = "persistence_failed"
	FaultProviderRejects   FaultKind = "provider_rejects"
	FaultOutcome           FaultKind = "outcome"
	FaultCreatedEarly      FaultKind = "created_early"
)

// Faults of reads and of cancel.
const (
	FaultShow          FaultKind = "show"
	FaultStale         FaultKind = "stale"
	FaultCounts        FaultKind = "counts"
	FaultNoOutput      FaultKind = "no_output"
	FaultHide          FaultKind = "hide"
	FaultShortPage     FaultKind = "short_page"
	FaultCancelRefused FaultKind = "cancel_refused"
	FaultCancelTooLate FaultKind = "cancel_too_late"
	FaultCancelStuck   FaultKind = "cancel_stuck"
	FaultMutate        FaultKind = "mutate"
)

// Faults of a webhook attempt.
const (
	FaultNeverSent FaultKind = "never_sent"
	FaultLose      FaultKind = "lose"
	FaultUnheard   FaultKind = "unheard"
	FaultDuplicate FaultKind = "duplicate"
	FaultReset     FaultKind = "reset"
	FaultLate      FaultKind = "late"
	FaultAge       FaultKind = "age"
	FaultSignature FaultKind = "bad_signature"
	FaultTamper    FaultKind = "tamper"
	FaultHeader    FaultKind = "header"
	FaultOversize  FaultKind = "oversize"
	FaultRewrite   FaultKind = "rewrite"
	FaultRotate    FaultKind = "rotate"
)

// CatalogEntry says where a fault exists, what it does and which fields it reads.
type CatalogEntry struct {
	Ops   []Op   `json:"ops,omitempty"` // none: every request
	About string `json:"about"`
}

// Catalog is the list of all faults, for people and for checks of a script.
func Catalog() map[FaultKind]CatalogEntry { return catalog }

var catalog = map[FaultKind]CatalogEntry{
	FaultDelay:      {About: "waits for delay (wall time), then goes on"},
	FaultHang:       {About: "nothing happens and nothing is answered until the client leaves"},
	FaultDrop:       {About: "the connection breaks before anything happens"},
	FaultEffectDrop: {About: "it happens, then the connection breaks without an answer"},
	FaultEffectHang: {About: "it happens, then nothing is answered until the client leaves"},
	FaultAnswer:     {About: "answers status, header and body; with effect it happens first"},
	FaultDrip:       {About: "the answer's bytes arrive bytes (default 1) at a time, delay (wall time) apart"},
	FaultCut:        {About: "the answer ends after bytes; value clean: without a sign of it, else Content-Length is not reached"},
	FaultNamed:      {About: "refuses with the named error in value; reason, status and header are its details"},

	FaultOutcomeUnknown: {[]Op{OpCreate}, "502 upstream_outcome_unknown; with effect the provider has the batch, and after delay " +
		"(emulated; 0: never) the gateway finds it; status is the provider's, 0 for a broken connection"},
	FaultPersistenceFailed: {[]Op{OpCreate}, "502 async_job_persistence_failed with the batch's id; value cancelled (default) or completed is how it goes on"},
	FaultProviderRejects:   {[]Op{OpCreate}, "the provider answers status (default 400), reason, body, header; a hidden failed row stays"},
	FaultOutcome: {[]Op{OpCreate}, "the batch ends as value: completed, failed (at validation), expired, expired_without_files, cancelled, all_failed or " +
		"stuck (never); the first rows rows of an expired or cancelled one are answered; delay (emulated) is its duration, else the server's"},
	FaultCreatedEarly: {[]Op{OpCreate}, "the created webhook is delivered before the create call is answered"},

	FaultShow:          {[]Op{OpRetrieve, OpList}, "the raw status reads as value, whatever it is"},
	FaultStale:         {[]Op{OpRetrieve}, "answers what the last read of it answered"},
	FaultCounts:        {[]Op{OpRetrieve, OpList, OpCancel}, "request_counts is null, or the JSON in body: stale, or less than total at the end"},
	FaultNoOutput:      {[]Op{OpRetrieve, OpList}, "output_file_id is null; with value both error_file_id too"},
	FaultHide:          {[]Op{OpList}, "the batches of session value are left out, all without a value"},
	FaultShortPage:     {[]Op{OpList}, "at most rows items"},
	FaultCancelRefused: {[]Op{OpCancel}, "the provider answers status (default 409) and nothing is cancelled"},
	FaultCancelTooLate: {[]Op{OpCancel}, "200 cancelling, then it ends completed"},
	FaultCancelStuck:   {[]Op{OpCancel}, "200 cancelling for ever"},
	FaultMutate: {[]Op{OpContent}, "changes the file: value is shuffle, duplicate_row, unknown_row, missing_row, crlf, blank_lines, " +
		"no_final_newline, cut_last_line, flip_byte or huge_line (of bytes); count rows are concerned, default 1"},

	FaultNeverSent: {[]Op{OpWebhook}, "the event is dropped silently: no attempt, no retry"},
	FaultLose:      {[]Op{OpWebhook}, "this attempt does not reach the receiver"},
	FaultUnheard:   {[]Op{OpWebhook}, "this attempt reaches the receiver, whose answer comes too late: the ladder goes on"},
	FaultDuplicate: {[]Op{OpWebhook}, "this attempt is sent count (default 2) times, byte for byte"},
	FaultReset:     {[]Op{OpWebhook}, "after this attempt the ladder starts again at attempt 1, with a new body"},
	FaultLate:      {[]Op{OpWebhook}, "this attempt leaves delay (emulated) later"},
	FaultAge:       {[]Op{OpWebhook}, "the signed timestamp is delay (wall time) old; negative: in the future"},
	FaultSignature: {[]Op{OpWebhook}, "the signature is of another key"},
	FaultTamper:    {[]Op{OpWebhook}, "one byte of the body is changed after signing"},
	FaultHeader:    {[]Op{OpWebhook}, "header replaces request headers; an empty value removes one"},
	FaultOversize:  {[]Op{OpWebhook}, "the signed body is filled up to bytes with a field nobody knows"},
	FaultRewrite:   {[]Op{OpWebhook}, "body is a JSON object merged into the signed body: other types, fields, batches"},
	FaultRotate:    {[]Op{OpWebhook}, "after this attempt the endpoint's secret is value, at once"},
}
