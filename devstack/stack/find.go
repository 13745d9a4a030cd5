package stack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// findServer finds the embedded server's binary: where TEMPORAL_DEV_BIN says,
// beside this program, or in bin/ below the working directory.
func findServer(o Options) (string, error) {
	if path, ok := o.Lookup("TEMPORAL_DEV_BIN"); ok && path != "" {
		if !isFile(path) {
			return "", fmt.Errorf("TEMPORAL_DEV_BIN: %s is not a file", path)
		}
		return path, nil
	}
	places := []string{filepath.Join("bin", "temporal-dev")}
	if self, err := os.Executable(); err == nil {
		places = append([]string{filepath.Join(filepath.Dir(self), "temporal-dev")}, places...)
	}
	for _, path := range places {
		if isFile(path) {
			return filepath.Abs(path)
		}
	}
	return "", errors.New("temporal-dev is not built: run make build, or set TEMPORAL_ADDRESS to use another server")
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func freePort(ctx context.Context) (int, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}
