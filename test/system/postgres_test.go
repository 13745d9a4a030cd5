//go:build system

package system_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
)

// postgres is a real PostgreSQL server with an empty database, on this machine.
type postgres struct {
	t              *testing.T
	bin, dir       string
	port, password string
	runAs          *syscall.Credential // nil: whom the test runs as
	process        *exec.Cmd           // nil while it is stopped
	log            record
}

// newPostgres starts one from Debian's package. It asks for a password, as those
// of other people do.
func newPostgres(t *testing.T) *postgres {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	require.NoError(t, err)
	require.NotEmpty(t, found, "this test needs PostgreSQL: run make test-system")
	newest := slices.MaxFunc(found, func(a, b string) int { return cmp.Compare(version(a), version(b)) })
	p := &postgres{t: t, bin: newest, dir: t.TempDir(), port: freePort(t), password: rand.Text()}
	p.leaveRoot()
	secret := filepath.Join(p.dir, "password")
	require.NoError(t, os.WriteFile(secret, []byte(p.password), 0o644))
	out, err := p.command("initdb", "--pgdata="+p.data(), "--username=tester", "--pwfile="+secret,
		"--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-sync").CombinedOutput()
	require.NoError(t, err, "%s", out)
	t.Cleanup(func() {
		p.stop(syscall.SIGINT)
		if t.Failed() {
			t.Logf("PostgreSQL said:\n%s", p.log.String())
		}
	})
	p.start()
	return p
}

// leaveRoot gives the directory to Debian's user of that name where the test runs
// as root, as whom PostgreSQL does not run.
func (p *postgres) leaveRoot() {
	if os.Geteuid() != 0 {
		return
	}
	own, err := user.Lookup("postgres")
	require.NoError(p.t, err)
	uid, err := strconv.ParseUint(own.Uid, 10, 32)
	require.NoError(p.t, err)
	gid, err := strconv.ParseUint(own.Gid, 10, 32)
	require.NoError(p.t, err)
	p.runAs = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	require.NoError(p.t, os.Chown(p.dir, int(uid), int(gid)))
	require.NoError(p.t, os.Chmod(filepath.Dir(p.dir), 0o711)) // the way to it
}

func (p *postgres) data() string { return filepath.Join(p.dir, "data") }

func (p *postgres) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(p.bin, name), args...)
	cmd.Dir, cmd.Env = p.dir, []string{"HOME=" + p.dir, "LC_ALL=C"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.runAs}
	return cmd
}

// start starts the server and waits until it takes connections.
func (p *postgres) start() {
	p.t.Helper()
	p.process = p.command("postgres", "-D", p.data(), "-p", p.port, "-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories=", "-c", "fsync=off")
	p.process.Stdout, p.process.Stderr = &p.log, &p.log
	require.NoError(p.t, p.process.Start())
	pool := p.pool()
	defer pool.Close()
	require.Eventually(p.t, func() bool { return pool.Ping(p.t.Context()) == nil }, patience, 50*time.Millisecond)
}

// stop ends the server: by SIGINT as an operator does, by SIGQUIT as a crash does.
func (p *postgres) stop(how syscall.Signal) {
	p.t.Helper()
	if p.process == nil {
		return
	}
	gone := make(chan struct{})
	go func(process *exec.Cmd) {
		defer close(gone)
		_ = process.Wait() // an end by a signal is what was asked for
	}(p.process)
	require.NoError(p.t, p.process.Process.Signal(how))
	select {
	case <-gone:
	case <-time.After(patience):
		_ = p.process.Process.Kill()
		p.t.Errorf("PostgreSQL did not stop in %s", patience)
	}
	p.process = nil
}

// env is how a program finds the server.
func (p *postgres) env() []string {
	return []string{"PGHOST=127.0.0.1", "PGPORT=" + p.port, "PGUSER=tester", "PGPASSWORD=" + p.password, "PGDATABASE=postgres", "PGSSLMODE=disable"}
}

func (p *postgres) url() string {
	return fmt.Sprintf("postgres://tester:%s@127.0.0.1:%s/postgres?sslmode=disable", p.password, p.port)
}

// pool is connected when it is first used.
func (p *postgres) pool() *pgxpool.Pool {
	p.t.Helper()
	pool, err := pgxpool.New(context.WithoutCancel(p.t.Context()), p.url())
	require.NoError(p.t, err)
	return pool
}

// version is the number in a path such as /usr/lib/postgresql/17/bin.
func version(bin string) float64 {
	n, _ := strconv.ParseFloat(filepath.Base(filepath.Dir(bin)), 64) // else it is none, and comes last
	return n
}

func freePort(t *testing.T) string {
	t.Helper()
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	return port
}

// record keeps what a process writes.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}
