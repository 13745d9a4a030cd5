package bridge_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"batchkeeper/webhookbridge/bridge"
)

func TestBodiesAreBoundedInMemory(t *testing.T) {
	w := connectedWorld(t, nil)
	allocated := testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			r := post(b, bridge.PathPhaseo, nil)
			r.Body, r.ContentLength = io.NopCloser(io.LimitReader(zeros{}, 1<<30)), -1
			require.Equal(b, http.StatusRequestEntityTooLarge, w.send(r).Code)
		}
	}).AllocedBytesPerOp()
	require.Less(t, allocated, int64(2<<20))
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func BenchmarkForged(b *testing.B) {
	w := connectedWorld(b, nil)
	body := completed().json(b)
	for b.Loop() {
		w.send(post(b, bridge.PathPhaseo, bytes.Clone(body)))
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "refused/s")
}

func FuzzHandler(f *testing.F) {
	plain := completed().json(f)
	timestamp := fmt.Sprint(clock.Unix())
	f.Add("POST", bridge.PathPhaseo, "application/json", "", timestamp, strings.Repeat("a", 64), plain)
	f.Add("POST", bridge.PathOpenAI, "application/json", "identity", timestamp, "v1,AAAA", plain)
	f.Add("GET", "//webhooks/phaseo", "", "gzip", "", "", []byte("\x1f\x8b"))
	w := connectedWorld(f, nil)
	f.Fuzz(func(t *testing.T, method, path, contentType, encoding, timestamp, signature string, body []byte) {
		r := post(t, "/", body)
		r.Method, r.URL.Path = method, path
		r.Header = http.Header{
			"Content-Type": {contentType}, "Content-Encoding": {encoding},
			timestampHeader: {timestamp}, signatureHeader: {signature},
			"Webhook-Id": {"wh_1"}, "Webhook-Timestamp": {timestamp}, "Webhook-Signature": {signature},
		}
		answer := w.send(r)
		// The fuzzer cannot know the keys: whatever it sends is a forgery.
		require.GreaterOrEqual(t, answer.Code, 400)
		require.Empty(t, w.runs.signals())
	})
}
