package bridge_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"batchkeeper/webhookbridge/bridge"
)

// outcome is one row of the answer table.
type outcome struct {
	request func(t *testing.T) *http.Request
	change  func(*world)
	want
}

// want is what a row of the table promises.
type want struct {
	status  int
	body    string
	result  string
	alert   bool
	signals int
}

var (
	accepted     = want{status: 200, body: "ok\n", result: "accepted", signals: 1}
	ignoredType  = want{status: 200, body: "ignored\n", result: "ignored_type"}
	otherSession = want{status: 200, body: "ignored\n", result: "ignored_session"}
	malformed    = want{status: 400, body: "bad request\n", result: "malformed", alert: true}
	unauthentic  = want{status: 401, body: "unauthorized\n", result: "unauthentic"}
	wrongMethod  = want{status: 405, body: "method not allowed\n", result: "method"}
	wrongMedia   = want{status: 415, body: "unsupported media type\n", result: "media"}
	unavailable  = want{status: 503, body: "unavailable\n", result: "unavailable", signals: 1}
	tooLarge     = want{status: 413, body: "too large\n", result: "too_large"}
)

// failed is a 503 that a person must look at, after so many signals.
func failed(result string, signals int) want {
	return want{status: 503, body: "unavailable\n", result: result, alert: true, signals: signals}
}

func signed(change func(*event)) func(*testing.T) *http.Request {
	return func(t *testing.T) *http.Request {
		e := completed()
		if change != nil {
			change(&e)
		}
		return phaseo(t, e)
	}
}

func genuine(change func(*http.Request)) func(*testing.T) *http.Request {
	return func(t *testing.T) *http.Request {
		r := phaseo(t, completed())
		change(r)
		return r
	}
}

func signalFails(err error) func(*world) {
	return func(w *world) { w.runs.signalErr = fmt.Errorf("signal: %w", err) }
}

func (o outcome) check(t *testing.T, provider string) {
	t.Helper()
	w := connectedWorld(t, nil)
	if o.change != nil {
		o.change(w)
	}
	answer := w.send(o.request(t))
	require.Equal(t, o.status, answer.Code)
	require.Equal(t, o.body, answer.Body.String())
	require.Equal(t, "nosniff", answer.Header().Get("X-Content-Type-Options"))
	require.Equal(t, o.status == http.StatusServiceUnavailable, answer.Header().Get("Retry-After") == "30")
	require.Len(t, w.runs.signals(), o.signals)
	require.InDelta(t, 1, w.counted(t, "batchkeeper_webhook_deliveries_total", provider, "result", o.result), 0)
	if o.alert {
		require.InDelta(t, 1, w.counted(t, "batchkeeper_webhook_alerts_total", provider, "reason", o.result), 0)
		require.Contains(t, w.log.String(), `"level":"ERROR"`)
	}
	require.NotContains(t, w.log.String(), "canary")
	require.NotContains(t, w.log.String(), "elsewhere.example")
}

func TestAnswersToHandedOverDeliveries(t *testing.T) {
	for name, o := range map[string]outcome{
		"accepted":         {request: signed(nil), want: accepted},
		"closed":           {request: signed(nil), change: signalFails(bridge.ErrClosed), want: want{status: 200, body: "ok\n", result: "closed", signals: 1}},
		"no such run":      {request: signed(nil), change: signalFails(bridge.ErrNoRun), want: failed("no_run", 1)},
		"credential":       {request: signed(nil), change: signalFails(bridge.ErrDenied), want: failed("denied", 1)},
		"signal limit":     {request: signed(nil), change: signalFails(bridge.ErrFull), want: failed("signal_limit", 1)},
		"refused":          {request: signed(nil), change: signalFails(bridge.ErrRefused), want: failed("refused", 1)},
		"unavailable":      {request: signed(nil), change: signalFails(errors.New("down")), want: unavailable},
		"video":            {request: signed(func(e *event) { e.Kind, e.Type, e.Key = "video", "video.completed", "video.completed" }), want: ignoredType},
		"kind differs":     {request: signed(func(e *event) { e.Kind = "video" }), want: ignoredType},
		"progress":         {request: signed(func(e *event) { e.Type, e.Key = "batch.progress", "batch.progress:40" }), want: ignoredType},
		"unknown type":     {request: signed(func(e *event) { e.Type = "batch.archived" }), want: ignoredType},
		"no session":       {request: signed(func(e *event) { e.Session = "" }), want: otherSession},
		"foreign session":  {request: signed(func(e *event) { e.Session = "run-17/shard-3/submit-1" }), want: otherSession},
		"foreign token":    {request: signed(func(e *event) { e.Session = "nightly-1~a b" }), want: otherSession},
		"created":          {request: signed(func(e *event) { e.Type, e.Key = "batch.created", "batch.created" }), want: accepted},
		"status changed":   {request: signed(func(e *event) { e.Type = "batch.status_changed" }), want: accepted},
		"quote in an id":   {request: signed(func(e *event) { e.BatchID = "b' OR 'a" }), want: malformed},
		"long batch id":    {request: signed(func(e *event) { e.BatchID = strings.Repeat("b", 101) }), want: malformed},
		"long event id":    {request: signed(func(e *event) { e.ID = strings.Repeat("e", 161) }), want: malformed},
		"long key":         {request: signed(func(e *event) { e.Key = strings.Repeat("k", 65) }), want: malformed},
		"no id":            {request: signed(func(e *event) { e.ID = "" }), want: malformed},
		"newline in an id": {request: signed(func(e *event) { e.ID = "evt\nlevel=ERROR" }), want: malformed},
		"header differs": {
			request: genuine(func(r *http.Request) { r.Header.Set("X-Phaseo-Event-Id", "evt_other") }),
			want:    malformed,
		},
		"header agrees": {
			request: genuine(func(r *http.Request) { r.Header.Set("X-Phaseo-Event-Id", completed().ID) }),
			want:    accepted,
		},
	} {
		t.Run(name, func(t *testing.T) { o.check(t, "phaseo") })
	}
}

func TestAnswersToTheOpenAIRoute(t *testing.T) {
	request := func(eventType, batchID string) func(*testing.T) *http.Request {
		return func(t *testing.T) *http.Request { return openAI(t, eventType, batchID) }
	}
	notFound := func(w *world) { w.runs.findErr = bridge.ErrNoRun }
	for name, o := range map[string]outcome{
		"accepted":  {request: request("batch.completed", "batch_9"), want: accepted},
		"expired":   {request: request("batch.expired", "batch_9"), want: accepted},
		"response":  {request: request("response.completed", "resp_1"), want: ignoredType},
		"not found": {request: request("batch.failed", "batch_9"), change: notFound, want: failed("no_run", 0)},
		"injection": {request: request("batch.failed", "x' OR BatchId != '"), want: malformed},
		"phaseo's signature": {request: func(t *testing.T) *http.Request {
			r := phaseo(t, completed())
			r.URL.Path = bridge.PathOpenAI
			return r
		}, want: unauthentic},
	} {
		t.Run(name, func(t *testing.T) { o.check(t, "openai") })
	}
}

func TestAnswersBeforeASignatureIsLookedAt(t *testing.T) {
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, err := z.Write(bytes.Repeat([]byte(" "), 1<<20))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	header := func(name string, values ...string) func(*testing.T) *http.Request {
		return genuine(func(r *http.Request) { r.Header[name] = values })
	}
	for name, o := range map[string]outcome{
		"get":               {request: genuine(func(r *http.Request) { r.Method = http.MethodGet }), want: wrongMethod},
		"head":              {request: genuine(func(r *http.Request) { r.Method = http.MethodHead }), want: wrongMethod},
		"text":              {request: header("Content-Type", "text/plain"), want: wrongMedia},
		"no type":           {request: header("Content-Type"), want: wrongMedia},
		"two types":         {request: header("Content-Type", "application/json", "text/plain"), want: wrongMedia},
		"broken type":       {request: header("Content-Type", "application/json; charset"), want: wrongMedia},
		"latin1":            {request: header("Content-Type", "application/json; charset=latin1"), want: wrongMedia},
		"utf-8":             {request: header("Content-Type", "application/json; charset=UTF-8"), want: accepted},
		"identity":          {request: header("Content-Encoding", "identity"), want: accepted},
		"gzip":              {request: header("Content-Encoding", "gzip"), want: wrongMedia},
		"identity and gzip": {request: header("Content-Encoding", "identity", "gzip"), want: wrongMedia},
		"gzip unannounced": {request: func(t *testing.T) *http.Request {
			return post(t, bridge.PathPhaseo, zipped.Bytes())
		}, want: unauthentic},
		"too large": {request: func(t *testing.T) *http.Request {
			return signedPhaseo(t, make([]byte, 256<<10+1), clock)
		}, want: tooLarge},
		"too large, unannounced": {request: func(t *testing.T) *http.Request {
			r := signedPhaseo(t, make([]byte, 256<<10+1), clock)
			r.ContentLength = -1
			return r
		}, want: tooLarge},
		"cut": {request: func(t *testing.T) *http.Request {
			r := phaseo(t, completed())
			r.Body = io.NopCloser(iotest.ErrReader(errors.New("cut")))
			return r
		}, want: want{status: 400, body: "bad request\n", result: "unreadable"}},
	} {
		t.Run(name, func(t *testing.T) { o.check(t, "phaseo") })
	}
}

func TestNoPathIsEverRedirected(t *testing.T) {
	w := connectedWorld(t, nil)
	for _, path := range []string{
		"/", "//webhooks/phaseo", "/./webhooks/phaseo", "/webhooks/../webhooks/phaseo", "/webhooks/phaseo/", "/webhooks", "/webhooks//phaseo",
		"/webhooks%2Fphaseo", "/webhooks/%70haseo", "/Webhooks/phaseo", "/metrics", "/healthz", "/webhooks/phaseo/redeliver",
	} {
		r := phaseo(t, completed())
		u, err := url.Parse("http://bridge.example" + path)
		require.NoError(t, err)
		r.URL = u
		answer := w.send(r)
		require.Equal(t, http.StatusNotFound, answer.Code, path)
		require.Equal(t, "not found\n", answer.Body.String())
		require.Empty(t, answer.Header().Get("Location"))
	}
	require.Empty(t, w.runs.signals())
	require.InDelta(t, 13, w.counted(t, "batchkeeper_webhook_deliveries_total", "none", "result", "no_path"), 0)
}

func TestMethodIsNamedAndNotOverridden(t *testing.T) {
	w := connectedWorld(t, nil)
	r := phaseo(t, completed())
	r.Method = http.MethodPut
	r.Header.Set("X-Http-Method-Override", http.MethodPost)
	answer := w.send(r)
	require.Equal(t, http.StatusMethodNotAllowed, answer.Code)
	require.Equal(t, http.MethodPost, answer.Header().Get("Allow"))
}

func TestRouteWithoutSecretIsUnavailable(t *testing.T) {
	w := connectedWorld(t, func(o *bridge.Options) { o.Phaseo = bridge.Route{} })
	answer := w.send(phaseo(t, completed()))
	require.Equal(t, http.StatusServiceUnavailable, answer.Code)
	require.InDelta(t, 1, w.counted(t, "batchkeeper_webhook_deliveries_total", "phaseo", "result", "no_secret"), 0)
	require.Contains(t, w.log.String(), "it has no signing secret")
	require.Equal(t, http.StatusOK, w.send(openAI(t, "batch.completed", "batch_9")).Code)
}

func TestUnavailableUntilConnected(t *testing.T) {
	w := newWorld(t, nil)
	require.Equal(t, http.StatusServiceUnavailable, w.send(phaseo(t, completed())).Code)
	require.ErrorContains(t, w.Ready(t.Context()), "not connected")
	require.NoError(t, w.ConnectForTest(t.Context()))
	require.NoError(t, w.Ready(t.Context()))
	require.Equal(t, http.StatusOK, w.send(phaseo(t, completed())).Code)
}
