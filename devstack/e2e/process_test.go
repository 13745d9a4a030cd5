package e2e_test

import (
	"bytes"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is a program under test, with what it says.
type process struct {
	name  string
	cmd   *exec.Cmd
	log   *record
	admin string        // where it tells of itself
	gone  chan struct{} // closed once it has ended
}

// record keeps what processes write; several lives of a program share one.
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

// tail is the end of it, for the message of a failed test.
func (r *record) tail() string {
	lines := strings.Split(strings.TrimSpace(r.String()), "\n")
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}

// check tells what must never be in it.
func (r *record) check() error {
	text := r.String()
	for _, word := range []string{"DATA RACE", "panic"} {
		if strings.Contains(text, word) {
			return fmt.Errorf("it says %s:\n%s", word, text)
		}
	}
	return searchText(text)
}

// launch starts a program with an environment of its own. Its output begins a
// new record unless one is given.
func launch(name, path string, environment []string, log *record, args ...string) (*process, error) {
	if log == nil {
		log = &record{}
	}
	p := &process{name: name, cmd: exec.Command(path, args...), log: log, gone: make(chan struct{})}
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = environment, log, log
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.gone)
	}()
	return p, nil
}

// kill ends the process as a crash does.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.gone
}

// stop asks the process to end and returns its exit code; one that takes longer
// than the 30 s that every program promises is killed and gives -1.
func (p *process) stop() int {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.gone:
	case <-time.After(30 * time.Second):
		p.kill()
	}
	return p.cmd.ProcessState.ExitCode()
}

// awaitLine waits until the process has written a match, and gives its groups.
func (p *process) awaitLine(pattern *regexp.Regexp, from int) ([]string, error) {
	deadline := time.After(time.Minute)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if found := pattern.FindStringSubmatch(p.log.String()[from:]); found != nil {
			return found, nil
		}
		select {
		case <-p.gone:
			return nil, fmt.Errorf("%s has ended instead of saying %s:\n%s", p.name, pattern, p.log.tail())
		case <-deadline:
			return nil, fmt.Errorf("%s has not said %s in a minute:\n%s", p.name, pattern, p.log.tail())
		case <-tick.C:
		}
	}
}
