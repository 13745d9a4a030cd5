package e2e_test

import (
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"batchkeeper/internal/blobstore"
	"batchkeeper/internal/gateway/gatewaytest"
)

// world is one test's own gateway, store, worker and bridge on a Temporal
// server. Whatever a test does, the end of its world checks that no program
// had a data race and that none let a secret out.
type world struct {
	t       *testing.T
	server  *temporal
	client  client.Client
	gateway *gatewaytest.Server
	dir     string // the children's home; the store is below it
	queue   string
	env     []string

	worker, bridge *process // nil while it does not run
	logs           map[string]*record
}

// setup is what a world is made with.
type setup struct {
	server  *temporal
	gateway gatewaytest.Options
	env     []string // more variables for the children
	deaf    bool     // no bridge
}

// newWorld makes a world whose batches end when the test says so.
func newWorld(t *testing.T, changes ...func(*setup)) *world {
	t.Helper()
	o := setup{server: shared, gateway: gatewaytest.Options{
		APIKey: canaryKey, WebhookSecret: canarySecret, BatchDuration: time.Hour, CancelDuration: time.Second, WithoutQuota: true,
	}}
	for _, change := range changes {
		change(&o)
	}
	w := &world{t: t, server: o.server, dir: t.TempDir(), queue: "e2e-" + t.Name(), logs: map[string]*record{"worker": {}, "bridge": {}}}
	var err error
	w.gateway, err = gatewaytest.New(o.gateway)
	require.NoError(t, err)
	t.Cleanup(w.gateway.Close)
	w.client = w.server.dial(t)
	w.env = append(w.environment(), o.env...)
	t.Cleanup(w.end)
	if !o.deaf {
		w.startBridge()
	}
	w.startWorker()
	return w
}

func withServer(s *temporal) func(*setup) { return func(o *setup) { o.server = s } }

// deaf leaves the bridge out: no delivery arrives.
func deaf(o *setup) { o.deaf, o.gateway.WebhookURL = true, "http://127.0.0.1:1/webhooks/phaseo" }

// endsAfter makes batches end by themselves.
func endsAfter(d time.Duration) func(*setup) {
	return func(o *setup) { o.gateway.BatchDuration = d }
}

// faults scripts the gateway from its first request on.
func faults(rules ...gatewaytest.Rule) func(*setup) {
	return func(o *setup) { o.gateway.Rules = append(o.gateway.Rules, rules...) }
}

// environment is all that the children get.
func (w *world) environment() []string {
	return []string{
		"HOME=" + w.dir, "TMPDIR=" + w.t.TempDir(), "TEMPORAL_ADDRESS=" + w.server.address,
		"BATCHKEEPER_TASK_QUEUE=" + w.queue, "BATCHKEEPER_STORE=" + blobstore.FileURL(w.store()),
		"PHASEO_BASE_URL=" + w.gateway.URL(), "PHASEO_API_KEY=" + canaryKey, "PHASEO_WEBHOOK_SECRET=" + canarySecret,
		"WEBHOOKBRIDGE_ADDR=127.0.0.1:0", "WEBHOOKBRIDGE_ADMIN_ADDR=127.0.0.1:0", "WORKER_METRICS_ADDR=127.0.0.1:0",
	}
}

func (w *world) store() string { return filepath.Join(w.dir, "store") }

// The line with which the programs say where a port is.
var (
	publicPort = regexp.MustCompile(`"msg":"listening","server":"webhook","address":"([^"]+)"`)
	adminPort  = regexp.MustCompile(`"msg":"listening","server":"[a-z ]*(?:admin|metrics)","address":"([^"]+)"`)
)

func (w *world) startWorker() {
	w.t.Helper()
	w.launch(&w.worker, "worker", "worker")
}

// startBridge starts the bridge and makes it the gateway's webhook endpoint.
func (w *world) startBridge() {
	w.t.Helper()
	from := len(w.logs["bridge"].String())
	w.launch(&w.bridge, "bridge", "webhookbridge")
	public, err := w.bridge.awaitLine(publicPort, from)
	require.NoError(w.t, err)
	w.gateway.SetWebhook("http://"+public[1]+"/webhooks/phaseo", canarySecret)
}

// launch starts a program and waits until it says that it is ready.
func (w *world) launch(to **process, name, program string) {
	w.t.Helper()
	from := len(w.logs[name].String())
	p, err := launch(name, filepath.Join(bin, program), w.env, w.logs[name])
	require.NoError(w.t, err)
	*to = p
	admin, err := p.awaitLine(adminPort, from)
	require.NoError(w.t, err)
	p.admin = "http://" + admin[1]
	w.eventually("the "+name+" is ready", func() bool {
		status, _ := fetch(p.admin + "/readyz")
		return status == 200
	})
}

// killWorker ends the worker as a crash does.
func (w *world) killWorker() {
	w.worker.kill()
	w.worker = nil
}

// end stops what still runs and looks at what was said.
func (w *world) end() {
	for _, p := range []*process{w.worker, w.bridge} {
		if p == nil {
			continue
		}
		status, metrics := fetch(p.admin + "/metrics")
		if err := searchText(metrics); err != nil || status != 200 {
			w.t.Errorf("the metrics of the %s (status %d): %v", p.name, status, err)
		}
		if p.stop() != 0 {
			w.t.Errorf("the %s did not stop gracefully", p.name)
		}
	}
	if err := searchSecrets(w.dir); err != nil {
		w.t.Errorf("the files of the programs: %v", err)
	}
	for name, log := range w.logs {
		if err := log.check(); err != nil {
			w.t.Errorf("the log of the %s: %v", name, err)
		}
		if w.t.Failed() {
			w.t.Logf("the %s said last:\n%s", name, log.tail())
		}
	}
}
