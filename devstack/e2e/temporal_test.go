package e2e_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"log/slog"
)

var serverReady = regexp.MustCompile(`Temporal is ready: frontend (\S+),`)

// temporal is a Temporal server on a file.
type temporal struct {
	process *process
	address string
	file    string
	args    []string
}

// startTemporal starts a server on its file, at a free port that it keeps for
// later lives.
func startTemporal(file string, args ...string) (*temporal, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	s := &temporal{file: file, args: append([]string{
		"server", "start-dev", "--ip", "127.0.0.1", "--headless", "--port", strconv.Itoa(port), "--db-filename", file,
	}, args...)}
	return s, s.start()
}

func (s *temporal) start() error {
	var log *record
	if s.process != nil {
		log = s.process.log
	}
	from := 0
	if log != nil {
		from = len(log.String())
	}
	var err error
	if s.process, err = launch("temporal-dev", os.Getenv("TEMPORAL_DEV_BIN"), os.Environ(), log, s.args...); err != nil {
		return err
	}
	found, err := s.process.awaitLine(serverReady, from)
	if err != nil {
		s.process.kill()
		return err
	}
	s.address = found[1]
	return nil
}

func (s *temporal) stop() { s.process.stop() }

// ownTemporal is a server for one test.
func ownTemporal(t *testing.T, args ...string) *temporal {
	t.Helper()
	s, err := startTemporal(t.TempDir()+"/temporal.db", args...)
	require.NoError(t, err)
	t.Cleanup(s.stop)
	return s
}

// dial connects a test's own client, which says nothing.
func (s *temporal) dial(t *testing.T) client.Client {
	t.Helper()
	c, err := client.DialContext(t.Context(), client.Options{
		HostPort: s.address, Identity: "e2e", Logger: log.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it does not block
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	at, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return 0, errors.New("find a free port: not a TCP address")
	}
	return at.Port, l.Close()
}
