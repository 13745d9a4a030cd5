package stack

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"

	"batchkeeper/internal/temporalclient"
)

// openTemporal connects to the environment's server, or to one of our own.
func (s *Stack) openTemporal(ctx context.Context) error {
	target, err := temporalclient.Where()
	if err != nil {
		return err
	}
	s.Address, s.Namespace = target.Address, target.Namespace
	if given(os.LookupEnv, "TEMPORAL_ADDRESS") {
		s.Client, err = temporalclient.DialWhenReady(ctx, temporalclient.Options{Logger: s.o.Logger, Metrics: s.metrics.Temporal})
		return err
	}
	if s.server, err = startServer(ctx, s.o, s.Namespace); err != nil {
		return err
	}
	s.Address, s.UI = s.server.address, s.server.ui
	s.Client, err = client.DialContext(ctx, client.Options{
		HostPort: s.Address, Namespace: s.Namespace, Logger: log.NewStructuredLogger(s.o.Logger), MetricsHandler: s.metrics.Temporal,
	})
	return err
}

// server is the Temporal server as a child process.
type server struct {
	address, ui string
	process     *exec.Cmd
	gone        chan struct{} // closed once the process has ended
	err         error         // how it ended; valid once gone
}

// stopTime is ten times what a clean stop takes.
const stopTime = 10 * time.Second

// readyLine is what temporal-dev prints once everything answers.
var readyLine = regexp.MustCompile(`^Temporal is ready: frontend (\S+), Web UI (\S+),`)

func startServer(ctx context.Context, o Options, namespace string) (*server, error) {
	binary, err := findServer(o)
	if err != nil {
		return nil, err
	}
	args := []string{
		"--ip", "127.0.0.1", "--namespace", namespace,
		"--port", strconv.Itoa(o.TemporalPort), "--ui-port", strconv.Itoa(o.UIPort),
	}
	if o.UIPort == 0 { // to the server, 0 means no Web UI
		args = args[:len(args)-2]
		if o.TemporalPort != 0 {
			free, err := freePort(ctx)
			if err != nil {
				return nil, err
			}
			args = append(args, "--ui-port", strconv.Itoa(free))
		}
	}
	if o.DataDir != "" {
		if err := os.MkdirAll(o.DataDir, 0o700); err != nil {
			return nil, err
		}
		args = append(args, "--db-filename", filepath.Join(o.DataDir, "temporal.db"))
	}
	return launch(ctx, binary, args, o.ServerLog)
}

// launch starts the process and waits for its ready line.
func launch(ctx context.Context, binary string, args []string, complaints io.Writer) (*server, error) {
	process := exec.Command(binary, args...)                  // #nosec G204 -- our own program; it is stopped by stop, not by a context
	process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for us: the server ends last
	process.Stderr = complaints
	out, err := process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := process.Start(); err != nil {
		return nil, fmt.Errorf("start the Temporal server: %w", err)
	}
	s := &server{process: process, gone: make(chan struct{})}
	ready := make(chan []string, 1)
	go func() {
		defer close(s.gone)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if found := readyLine.FindStringSubmatch(lines.Text()); found != nil {
				ready <- found
				break
			}
		}
		_, _ = io.Copy(io.Discard, out)
		s.err = process.Wait()
	}()
	select {
	case found := <-ready:
		s.address, s.ui = found[1], found[2]
		return s, nil
	case <-s.gone:
		return nil, fmt.Errorf("start the Temporal server: it has ended: %w", errors.Join(s.err, errNotReady))
	case <-ctx.Done():
		return nil, errors.Join(fmt.Errorf("start the Temporal server: %w", ctx.Err()), s.stop())
	}
}

var errNotReady = errors.New("see its own words above")

func (s *server) stop() error {
	_ = s.process.Process.Signal(syscall.SIGTERM) // it may have ended by itself
	select {
	case <-s.gone:
		return nil
	case <-time.After(stopTime):
		_ = s.process.Process.Kill()
		<-s.gone
		return fmt.Errorf("stop the Temporal server: it took longer than %s and was killed", stopTime)
	}
}
