package bridge

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"batchkeeper/batch"
	"batchkeeper/internal/gateway"
	"batchkeeper/internal/secret"
)

// The public paths.
const (
	PathPhaseo = "/webhooks/phaseo"
	PathOpenAI = "/webhooks/openai"
)

// The forms of ids of the senders' making: nothing in them can end a quoted
// string or a log line.
var (
	idForm    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.:-]{0,159}$`)
	tokenForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
)

// Route configures one public path.
type Route struct {
	// Secrets sign its deliveries; not configured: it answers 503.
	Secrets SecretSource
	// WorkflowPrefix binds the secrets to the workflow ids that begin so; empty:
	// any. It keeps one tenant's key from signaling another tenant's runs.
	WorkflowPrefix string
}

// route is one public path at work.
type route struct {
	provider, path string
	prefix         string
	keys           *keyring // nil: no secret is configured
	parse          func(http.Header, []byte) (gateway.Delivery, error)
	// types are the events that a run acts on. Progress is not among them: it
	// would fill histories and tell nothing that polling does not.
	types map[string]bool
	// find returns the workflow that a delivery is for; ok is false where it is
	// for none of ours.
	find func(context.Context, Notifier, gateway.Delivery) (workflowID string, ok bool, err error)
}

func phaseoRoute(o Route) *route {
	return &route{
		provider: "phaseo", path: PathPhaseo, prefix: o.WorkflowPrefix,
		parse: gateway.ParsePhaseo,
		types: setOf("batch.created", "batch.status_changed", "batch.completed", "batch.failed", "batch.cancelled", "batch.expired"),
		find: func(_ context.Context, _ Notifier, d gateway.Delivery) (string, bool, error) {
			id, token, ok := batch.SplitSessionID(d.SessionID)
			return id, ok && tokenForm.MatchString(token), nil
		},
	}
}

// openAIRoute looks the run up by its batch: OpenAI's events name nothing else.
func openAIRoute(o Route) *route {
	return &route{
		provider: "openai", path: PathOpenAI, prefix: o.WorkflowPrefix,
		parse: gateway.ParseOpenAI,
		types: setOf("batch.completed", "batch.failed", "batch.cancelled", "batch.expired"),
		find: func(ctx context.Context, n Notifier, d gateway.Delivery) (string, bool, error) {
			id, err := n.Find(ctx, d.BatchID)
			return id, err == nil, err
		},
	}
}

// secure reads the route's secrets; build is the verifier of its provider.
func (rt *route) secure(o Route, build func([]secret.Value) (*gateway.Verifier, error), now func() time.Time, trouble func(error)) error {
	if o.Secrets == nil || !o.Secrets.Configured() {
		return nil
	}
	rt.keys = &keyring{source: o.Secrets, build: build, now: now, trouble: trouble}
	if err := rt.keys.load(); err != nil {
		return fmt.Errorf("%s: %w", rt.path, err)
	}
	return nil
}

// wants reports whether a run acts on such an event.
func (rt *route) wants(d gateway.Delivery) bool {
	return d.Kind == "batch" && rt.types[d.EventType]
}

// The longest ids, in bytes, with which a message stays within 2 KiB however
// much of the workflow id JSON has to escape.
const (
	maxBatchID     = 100
	maxDeliveryKey = 64
)

// wellFormed reports whether the ids can be stored, logged and asked for.
func wellFormed(d gateway.Delivery) bool {
	return idForm.MatchString(d.EventID) &&
		idForm.MatchString(d.BatchID) && len(d.BatchID) <= maxBatchID &&
		idForm.MatchString(d.DeliveryKey) && len(d.DeliveryKey) <= maxDeliveryKey
}

// message is what the run is told: at most 2 KiB, and only a hint.
func message(d gateway.Delivery, now time.Time) batch.Delivery {
	m := batch.Delivery{
		SessionID: d.SessionID, DeliveryKey: d.DeliveryKey, EventID: d.EventID, EventType: d.EventType,
		BatchID: d.BatchID, Attempt: d.Attempt, ReceivedAt: now.UTC(),
	}
	// An expired batch is announced as batch.failed: the raw status knows better.
	if status := batch.Status(d.Status); status.IsTerminal() {
		m.LifecycleStatus = status.Lifecycle("")
		return m
	}
	switch l := batch.LifecycleStatus(strings.ToLower(d.LifecycleStatus)); l {
	case batch.Pending, batch.Running, batch.Completed, batch.Failed, batch.Cancelled, batch.Expired:
		m.LifecycleStatus = l
	default:
	}
	return m
}

func setOf(names ...string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, name := range names {
		set[name] = true
	}
	return set
}
