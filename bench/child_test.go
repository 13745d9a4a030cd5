package bench_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/jsonl"
)

// A child process is told by these variables what to do, and on what; a process
// without them is the parent.
const (
	childVar = "BENCH_CHILD_WORK"
	inputVar = "BENCH_CHILD_INPUT"
)

// works is what a child can do; each returns how many rows it has seen.
var works = map[string]func(ctx context.Context, path string) (int64, error){
	"cut": cutRows, "reconcile": reconcileRows, "copy": copyRows,
}

// report is what a child tells about itself.
type report struct {
	Rows    int64 `json:"rows"`
	PeakKiB int64 `json:"peak_kib"`
	took    took
}

// took is how long a process ran, and how long it had the processor: on a busy
// machine only the latter says what it needs.
type took struct{ wall, cpu time.Duration }

func (t *took) add(other took) {
	t.wall += other.wall
	t.cpu += other.cpu
}

func run(b *testing.B, cmd *exec.Cmd) took {
	b.Helper()
	cmd.Stderr = os.Stderr
	start := time.Now()
	require.NoError(b, cmd.Run())
	return took{wall: time.Since(start), cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
}

func TestMain(m *testing.M) {
	if work := os.Getenv(childVar); work != "" {
		os.Exit(child(work, os.Getenv(inputVar)))
	}
	os.Exit(m.Run())
}

// child does one piece of work and tells what it took.
func child(work, path string) int {
	ctx, stop := context.WithCancel(context.Background()) //nolint:forbidigo // there is no test here: it is a program
	defer stop()
	rows, err := works[work](ctx, path)
	if err == nil {
		var peak int64
		peak, err = peakKiB()
		err = errors.Join(err, json.NewEncoder(os.Stdout).Encode(report{Rows: rows, PeakKiB: peak}))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// cutRows checks and cuts one input, as a worker does.
func cutRows(ctx context.Context, path string) (int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	survey, err := jsonl.Cut{
		Input: f, MaxRows: 50_000, MaxBytes: 100 * mib, Spill: spill,
		Rules: jsonl.Rules{OneModel: true, RequireMaxOutputTokens: true, RequireInput: true, ForbiddenKeys: []string{"tools", "image_url"}},
	}.Run(ctx)
	if err == nil && survey.Bad > 0 {
		err = fmt.Errorf("the generated input is bad: %v", survey.Problems)
	}
	return survey.Rows, err
}

// spill is a file without a name: it is gone once it is closed.
func spill() (jsonl.Spill, error) {
	f, err := os.CreateTemp("", "bench-spill-")
	if err != nil {
		return nil, err
	}
	return f, os.Remove(f.Name())
}

// peakKiB is the most memory that this process has held, as the kernel counts it.
func peakKiB() (int64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for lines := bufio.NewScanner(bytes.NewReader(status)); lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), "VmHWM:"); ok {
			var peak int64
			_, err := fmt.Sscanf(text, "%d kB", &peak)
			return peak, err
		}
	}
	return 0, errors.New("/proc/self/status has no VmHWM")
}

// measure runs a child on one core.
func measure(b *testing.B, work, path string) report {
	b.Helper()
	self, err := os.Executable()
	require.NoError(b, err)
	cmd := exec.CommandContext(b.Context(), self)
	cmd.Env = append(os.Environ(), childVar+"="+work, inputVar+"="+path, "GOMAXPROCS=1")
	var out bytes.Buffer
	cmd.Stdout = &out
	r := report{took: run(b, cmd)}
	require.NoError(b, json.Unmarshal(out.Bytes(), &r))
	return r
}

// other runs a program on the same file and drops what it prints.
func other(b *testing.B, path string, command ...string) took {
	b.Helper()
	return run(b, exec.CommandContext(b.Context(), command[0], append(command[1:], path)...))
}
