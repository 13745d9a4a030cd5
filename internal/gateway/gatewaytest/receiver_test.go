package gatewaytest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/gateway"
	"batchkeeper/internal/gateway/gatewaytest"
	"batchkeeper/internal/secret"
)

const signingKey = "whsec_0123456789abcdefghijklmnopqrstuvwxyz_-ABCDE"

// taken is one delivery as the receiver saw it.
type taken struct {
	header http.Header
	raw    []byte
	body   map[string]any
	valid  bool
}

func (d taken) data() map[string]any { return d.body["data"].(map[string]any) }

// receiver takes deliveries and answers them in turn; after the last of its answers it answers 200.
type receiver struct {
	*httptest.Server
	mu      sync.Mutex
	got     []taken
	answers []int
}

func receive(t *testing.T, verify *gateway.Verifier, answers ...int) *receiver {
	t.Helper()
	r := &receiver{answers: answers}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		raw, _ := io.ReadAll(req.Body)
		d := taken{header: req.Header, raw: raw, valid: verify.Verify(req.Header, raw, time.Now()) == nil}
		_ = json.Unmarshal(raw, &d.body)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.got = append(r.got, d)
		status := http.StatusOK
		if len(r.answers) > 0 {
			status, r.answers = r.answers[0], r.answers[1:]
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) all() []taken {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]taken{}, r.got...)
}

// wait returns when n deliveries were taken.
func (r *receiver) wait(t *testing.T, n int) []taken {
	t.Helper()
	require.Eventually(t, func() bool { return len(r.all()) >= n }, 10*time.Second, 2*time.Millisecond, "%d deliveries", n)
	return r.all()
}

func phaseoVerifier(t *testing.T) *gateway.Verifier {
	t.Helper()
	v, err := gateway.NewPhaseoVerifier([]secret.Value{secret.New(signingKey)})
	require.NoError(t, err)
	return v
}

// hooked is an emulator whose endpoint is a receiver; all batches of create subscribe to created and the ends.
func hooked(t *testing.T, opts gatewaytest.Options, answers ...int) (*harness, *receiver) {
	t.Helper()
	r := receive(t, phaseoVerifier(t), answers...)
	opts.WebhookURL, opts.WebhookSecret = r.URL, signingKey
	return start(t, opts), r
}

var toEndpoint = map[string]any{"webhook_endpoint_id": gatewaytest.DefaultEndpointID}

var toEverything = map[string]any{"webhook": map[string]any{
	"endpoint_id": gatewaytest.DefaultEndpointID, "events": []string{"created", "job.completed", "batch.failed", "canceled", "expired"},
}}
