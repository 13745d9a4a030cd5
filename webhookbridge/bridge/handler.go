package bridge

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strings"
	"time"

	"batchkeeper/internal/gateway"
)

// ServeHTTP answers one delivery by the table of the package comment.
func (b *Bridge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rt, ok := b.routes[r.URL.EscapedPath()]
	if !ok {
		b.finish(w, noProvider, resultNoPath)
		return
	}
	d, res := b.receive(w, r, rt)
	if res == proceed {
		res = b.deliver(r.Context(), rt, d)
	}
	b.finish(w, rt.provider, res)
}

// receive takes the request in, cheapest checks first, and returns a delivery
// that is proven and parsed, or why there is none.
func (b *Bridge) receive(w http.ResponseWriter, r *http.Request, rt *route) (gateway.Delivery, result) {
	if res := checkHead(r, b.o.MaxBody); res != proceed {
		return gateway.Delivery{}, res
	}
	if rt.keys == nil {
		return gateway.Delivery{}, resultNoSecret
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, b.o.MaxBody))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return gateway.Delivery{}, resultTooLarge
	}
	if err != nil {
		return gateway.Delivery{}, resultUnreadable
	}
	if err := rt.keys.current().Verify(r.Header, body, b.o.Now()); err != nil {
		return gateway.Delivery{}, resultUnauthentic
	}
	d, err := rt.parse(r.Header, body)
	if err != nil {
		b.o.Logger.Error("signed delivery is unusable", slog.String("provider", rt.provider), slog.String("reason", reason(err)))
		return gateway.Delivery{}, resultMalformed
	}
	return d, proceed
}

// reason keeps the sender's text out of the log: a parser's error may quote it.
func reason(err error) string {
	if errors.Is(err, gateway.ErrMismatch) {
		return gateway.ErrMismatch.Error()
	}
	return gateway.ErrMalformed.Error()
}

func checkHead(r *http.Request, maxBody int64) result {
	if r.Method != http.MethodPost {
		return resultMethod
	}
	if types := r.Header.Values("Content-Type"); len(types) != 1 || !isJSON(types[0]) {
		return resultMedia
	}
	// Nothing is ever inflated, so that no body can grow.
	for _, encoding := range r.Header.Values("Content-Encoding") {
		if !strings.EqualFold(encoding, "identity") {
			return resultMedia
		}
	}
	if r.ContentLength > maxBody {
		return resultTooLarge
	}
	return proceed
}

func isJSON(contentType string) bool {
	media, params, err := mime.ParseMediaType(contentType)
	if err != nil || media != "application/json" {
		return false
	}
	charset, given := params["charset"]
	return !given || strings.EqualFold(charset, "utf-8")
}

// deliver hands a proven delivery to its run.
func (b *Bridge) deliver(ctx context.Context, rt *route, d gateway.Delivery) result {
	if !rt.wants(d) {
		return resultIgnoredType
	}
	log := b.o.Logger.With(slog.String("provider", rt.provider), slog.String("event_type", d.EventType))
	if !wellFormed(d) {
		log.Error("signed delivery is unusable", slog.String("reason", "an id has another form than the sender documents"))
		return resultMalformed
	}
	log = log.With(slog.String("event_id", d.EventID), slog.String("batch_id", d.BatchID))
	notifier := b.connected()
	if notifier == nil {
		return resultNotConnected
	}
	started := b.o.Now()
	workflowID, ok, err := rt.find(ctx, notifier, d)
	if err == nil && (!ok || !strings.HasPrefix(workflowID, rt.prefix)) {
		log.Info("delivery is for no run of ours")
		return resultIgnoredSession
	}
	if err == nil {
		log = log.With(slog.String("workflow_id", workflowID))
		err = notifier.Signal(ctx, Notice{Provider: rt.provider, Route: rt.path, WorkflowID: workflowID, Delivery: message(d, started)})
	}
	res := resultOf(err)
	b.metrics.signaled(b.o.Now().Sub(started))
	b.noteAccess(res)
	b.report(ctx, log, res, err)
	return res
}

func (b *Bridge) report(ctx context.Context, log *slog.Logger, res result, err error) {
	log = log.With(slog.String("result", string(res)))
	switch a := b.answers[res]; {
	case a.alert:
		log.ErrorContext(ctx, "delivery needs a look", slog.Any("error", err))
	case a.status != http.StatusOK:
		log.WarnContext(ctx, "delivery not handed over; the sender will repeat it", slog.Any("error", err))
	default:
		log.InfoContext(ctx, "delivery handed over")
	}
}

func (b *Bridge) finish(w http.ResponseWriter, provider string, res result) {
	a := b.answers[res]
	b.metrics.deliveries.WithLabelValues(provider, string(res)).Inc()
	if a.alert {
		b.metrics.alerts.WithLabelValues(provider, string(res)).Inc()
	}
	write(w, res, a)
}

// denialHold is how long readiness stays off after Temporal refused the
// credential; then deliveries may try again.
const denialHold = 30 * time.Second

func (b *Bridge) noteAccess(res result) {
	switch res {
	case resultDenied:
		b.deniedAt.Store(b.o.Now().UnixNano())
	case resultAccepted, resultClosed:
		b.deniedAt.Store(0)
	default:
	}
}
