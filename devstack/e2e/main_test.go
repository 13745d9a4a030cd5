package e2e_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// bin is where TestMain puts the programs; shared is the Temporal server of
// every test that does not kill it.
var (
	bin    string
	shared *temporal
)

func TestMain(m *testing.M) {
	os.Exit(runAll(m))
}

func runAll(m *testing.M) int {
	dir, err := os.MkdirTemp("", "batchkeeper-e2e-")
	if err != nil {
		return complain(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	bin = dir
	if err := build(dir); err != nil {
		return complain(err)
	}
	if shared, err = startTemporal(filepath.Join(dir, "temporal.db")); err != nil {
		return complain(err)
	}
	_ = flag.Set("test.parallel", "8") // worlds mostly wait for one another
	code := m.Run()
	shared.stop()
	if err := searchSecrets(dir, "temporal.db*"); err != nil {
		return complain(fmt.Errorf("the database of the shared server: %w", err))
	}
	return code
}

func complain(err error) int {
	_, _ = fmt.Fprintln(os.Stderr, "e2e:", err)
	return 1
}

// build makes the programs under test; the command line is one of them.
func build(dir string) error {
	if os.Getenv("TEMPORAL_DEV_BIN") == "" {
		return errors.New("TEMPORAL_DEV_BIN is not set: run make test")
	}
	args := append([]string{"build"}, buildFlags...)
	args = append(args, "-o", dir+string(filepath.Separator), "batchkeeper/worker", "batchkeeper/webhookbridge", "batchkeeper/starter")
	out, err := exec.Command("go", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("build the programs: %w\n%s", err, out)
	}
	return nil
}
