package stack

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"batchkeeper/internal/blobstore"
	"batchkeeper/internal/env"
	"batchkeeper/internal/gateway/gatewaytest"
)

// Emulated tells whether the gateway is the emulator.
func (s *Stack) Emulated() bool { return s.Emulator != nil }

// hasKey tells whether the environment names a credential of a real gateway.
func hasKey(lookup env.Lookup) bool {
	for _, name := range []string{"PHASEO_API_KEY", "PHASEO_API_KEY_FILE", "OPENAI_API_KEY", "OPENAI_API_KEY_FILE"} {
		if value, ok := lookup(name); ok && value != "" {
			return true
		}
	}
	return false
}

// openGateway starts the emulator, unless there is a key to the real gateway.
func (s *Stack) openGateway(context.Context) error {
	if hasKey(s.o.Lookup) {
		return nil
	}
	o := gatewaytest.Options{Addr: loopback(s.o.GatewayPort), BatchDuration: s.o.BatchDuration}
	if s.o.DataDir != "" {
		if err := os.MkdirAll(s.o.DataDir, 0o700); err != nil {
			return err
		}
		o.JournalPath = filepath.Join(s.o.DataDir, "gateway-journal.jsonl")
	}
	emulator, err := gatewaytest.New(o) //nolint:contextcheck // the emulator outlives the start
	if err != nil {
		return err
	}
	s.Emulator = emulator
	return nil
}

// configure reads the environment as every program does, with what the stack
// decides put over it.
func (s *Stack) configure(context.Context) error {
	over := map[string]string{
		"WEBHOOKBRIDGE_ADDR":       loopback(s.o.BridgePort),
		"WEBHOOKBRIDGE_ADMIN_ADDR": loopback(0),
		"WORKER_METRICS_ADDR":      loopback(0),
	}
	if s.o.DataDir != "" && !given(s.o.Lookup, "BATCHKEEPER_STORE") {
		dir, err := filepath.Abs(filepath.Join(s.o.DataDir, "store"))
		if err != nil {
			return fmt.Errorf("data directory: %w", err)
		}
		over["BATCHKEEPER_STORE"] = blobstore.FileURL(dir)
	}
	if s.Emulated() {
		over["PHASEO_BASE_URL"] = s.Emulator.URL()
		over["PHASEO_API_KEY"] = gatewaytest.DefaultAPIKey
		over["PHASEO_WEBHOOK_SECRET"], over["PHASEO_WEBHOOK_SECRET_FILE"] = rand.Text()+rand.Text(), ""
	}
	var err error
	s.Config, err = env.Load(func(name string) (string, bool) {
		if value, ok := over[name]; ok {
			return value, true
		}
		return s.o.Lookup(name)
	})
	return err
}

// announceWebhook tells the emulator where the bridge listens; a real gateway
// cannot reach it here.
func (s *Stack) announceWebhook() {
	if !s.Emulated() {
		return
	}
	keys, err := s.Config.PhaseoWebhook.Keys()
	if err != nil { // it was generated
		panic("stack: " + err.Error())
	}
	s.Emulator.SetWebhook(s.WebhookURL, keys[0].Reveal())
}

// WebhookEndpointID is what a job names as webhook_endpoint_id to have its end
// delivered; empty where the gateway is real and cannot reach the bridge.
func (s *Stack) WebhookEndpointID() string {
	if !s.Emulated() {
		return ""
	}
	return s.Emulator.EndpointID()
}

func given(lookup env.Lookup, name string) bool {
	value, ok := lookup(name)
	return ok && value != ""
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
