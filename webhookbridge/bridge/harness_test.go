package bridge_test

import (
	"context"
	"encoding/base64"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"batchkeeper/internal/secret"
	"batchkeeper/internal/telemetry"
	"batchkeeper/webhookbridge/bridge"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	clock     = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	phaseoKey = secret.New("whsec_canary_phaseo_canary_phaseo_canary_pha")
	openAIKey = secret.New("whsec_" + base64.StdEncoding.EncodeToString([]byte("canary openai canary openai 1234")))
)

// keys is a SecretSource that a test can change or break.
type keys struct {
	mu   sync.Mutex
	list []secret.Value
	err  error
}

func newKeys(list ...secret.Value) *keys { return &keys{list: list} }

func (k *keys) Configured() bool { return true }

func (k *keys) Keys() ([]secret.Value, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.list, k.err
}

func (k *keys) set(err error, list ...secret.Value) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.list, k.err = list, err
}

// runs is a Notifier that records, and answers what the test says.
type runs struct {
	mu        sync.Mutex
	notices   []bridge.Notice
	signalErr error
	found     string
	findErr   error
}

func (r *runs) Signal(_ context.Context, n bridge.Notice) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notices = append(r.notices, n)
	return r.signalErr
}

func (r *runs) Find(context.Context, string) (string, error) { return r.found, r.findErr }

func (r *runs) signals() []bridge.Notice {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.notices
}

// world is a bridge whose both routes work, with everything it touches.
type world struct {
	*bridge.Bridge
	runs    *runs
	metrics *telemetry.Metrics
	log     *safeBuffer
	phaseo  *keys
	now     time.Time
}

// newOptions are a bridge's with nothing to reach.
func newOptions(change func(*bridge.Options)) bridge.Options {
	o := bridge.Options{
		Addr: "127.0.0.1:0", AdminAddr: "127.0.0.1:0",
		Phaseo: bridge.Route{Secrets: newKeys(phaseoKey)}, OpenAI: bridge.Route{Secrets: newKeys(openAIKey)},
		Connect: func(context.Context) (bridge.Notifier, error) { return &runs{}, nil },
		Logger:  slog.New(slog.DiscardHandler),
	}
	change(&o)
	return o
}

func newWorld(t testing.TB, change func(*bridge.Options)) *world {
	t.Helper()
	w := &world{runs: &runs{found: "nightly-1"}, log: &safeBuffer{}, phaseo: newKeys(phaseoKey), now: clock}
	logger := slog.New(slog.NewJSONHandler(w.log, nil))
	var err error
	w.metrics, err = telemetry.NewMetrics(logger)
	require.NoError(t, err)
	w.Bridge, err = bridge.New(newOptions(func(o *bridge.Options) {
		o.Phaseo.Secrets, o.Logger, o.Metrics, o.Now = w.phaseo, logger, w.metrics, func() time.Time { return w.now }
		o.Connect = func(context.Context) (bridge.Notifier, error) { return w.runs, nil }
		if change != nil {
			change(o)
		}
	}))
	require.NoError(t, err)
	return w
}

// connectedWorld is a world that is connected but opens no port.
func connectedWorld(t testing.TB, change func(*bridge.Options)) *world {
	t.Helper()
	w := newWorld(t, change)
	require.NoError(t, w.ConnectForTest(t.Context()))
	return w
}

// running starts both ports and stops them when the test ends.
func (w *world) running(t testing.TB) (stop func() error) {
	t.Helper()
	require.NoError(t, w.Listen(t.Context()))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	stop = sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() { _ = stop() })
	require.Eventually(t, w.Connected, 5*time.Second, time.Millisecond)
	return stop
}

func (w *world) send(r *http.Request) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	w.ServeHTTP(answer, r)
	return answer
}

func (w *world) counted(t testing.TB, name, provider, label, value string) float64 {
	t.Helper()
	families, err := w.metrics.Registry.Gather()
	require.NoError(t, err)
	for _, family := range families {
		for _, m := range family.GetMetric() {
			labels := map[string]string{}
			for _, pair := range m.GetLabel() {
				labels[pair.GetName()] = pair.GetValue()
			}
			if family.GetName() == name && labels["provider"] == provider && labels[label] == value {
				return m.GetCounter().GetValue()
			}
		}
	}
	require.Fail(t, "no such series", "%s{%s=%q} of %s", name, label, value, provider)
	return 0
}

// safeBuffer is a log that can be read while it is written.
type safeBuffer struct {
	mu  sync.Mutex
	buf strings.Builder
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
