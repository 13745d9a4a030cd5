package main

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
)

// asServer tells the test binary to be the program itself, so that tests can kill it.
const asServer = "TEMPORAL_DEV_TEST_AS_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(asServer) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

var readyLine = regexp.MustCompile(`^Temporal is ready: frontend (\S+), Web UI (\S+), database (.+)$`)

// process is a server in a process of its own.
type process struct {
	cmd          *exec.Cmd
	frontend, ui string
	log          *bytes.Buffer
}

func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Env = append(os.Environ(), asServer+"=1")
	return cmd
}

// start returns once the server has said that it is ready.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{cmd: command(t, args...), log: &bytes.Buffer{}}
	p.cmd.Stderr = p.log
	out, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	line, _, err := bufio.NewReader(out).ReadLine()
	require.NoError(t, err, "the server ended before it was ready: %s", p.log)
	match := readyLine.FindStringSubmatch(string(line))
	require.NotNil(t, match, "ready line: %s", line)
	p.frontend, p.ui = match[1], match[2]
	return p
}

func (p *process) dial(t *testing.T) client.Client {
	t.Helper()
	c, err := client.DialContext(t.Context(), client.Options{HostPort: p.frontend})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// runToFailure returns what a server that cannot start leaves on standard error.
func runToFailure(t *testing.T, args ...string) string {
	t.Helper()
	cmd := command(t, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	require.Equal(t, 1, exit.ExitCode())
	return stderr.String()
}

func databaseFile(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "a directory", "temporal 100%.db")
}
