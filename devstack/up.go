package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"

	"batchkeeper/devstack/stack"
)

// upCmd keeps the stack up.
type upCmd struct{}

func (upCmd) run(ctx context.Context, s *stack.Stack, e environment) int {
	show(e.out, s)
	return keepUp(ctx, s, e)
}

// keepUp says how to use the stack and waits for the end of it.
func keepUp(ctx context.Context, s *stack.Stack, e environment) int {
	_, _ = fmt.Fprintf(e.out, "\nIn another terminal:\n\n%s  bin/starter run examples/requests.jsonl%s\n\nPress Ctrl-C to stop.\n", exports(s), endpointFlag(s))
	if err := s.Wait(ctx); err != nil {
		_, _ = fmt.Fprintln(e.err, "devstack:", err)
		return exitFailure
	}
	return 0
}

// show says where everything is.
func show(w io.Writer, s *stack.Stack) {
	ui, gateway := s.UI, s.Config.Gateway.BaseURL
	if ui == "" {
		ui = "the one of that server"
	}
	if s.Emulated() {
		gateway += " (an emulator: no model runs, nothing is billed)"
	}
	for _, line := range [][2]string{
		{"Temporal", s.Address + ", namespace " + s.Namespace}, {"Web UI", ui}, {"Gateway", gateway},
		{"Webhooks", s.WebhookURL}, {"Store", s.Config.StoreURL}, {"Task queue", s.Config.TaskQueue},
	} {
		_, _ = fmt.Fprintf(w, "  %-11s %s\n", line[0], line[1])
	}
	if !s.Emulated() {
		_, _ = fmt.Fprintln(w, "\nThe gateway cannot reach this machine, so that no webhook arrives: runs are carried by polling.")
	}
}

// exports are the variables that differ from every program's default.
func exports(s *stack.Stack) string {
	var b strings.Builder
	for _, v := range [][2]string{
		{"TEMPORAL_ADDRESS", s.Address}, {"TEMPORAL_NAMESPACE", s.Namespace}, {"BATCHKEEPER_STORE", s.Config.StoreURL},
	} {
		fmt.Fprintf(&b, "  export %s='%s'\n", v[0], v[1])
	}
	return b.String()
}

func endpointFlag(s *stack.Stack) string {
	if id := s.WebhookEndpointID(); id != "" {
		return " --webhook-endpoint-id " + id
	}
	return ""
}

// prefer takes the port that was asked for, else the well-known one, so that
// other tools find it by themselves, else a free one.
func prefer(ctx context.Context, asked, known int) int {
	if asked != 0 {
		return asked
	}
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(known)))
	if err != nil {
		return 0
	}
	_ = l.Close()
	return known
}
