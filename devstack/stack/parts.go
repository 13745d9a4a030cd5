package stack

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"batchkeeper/webhookbridge/bridge"
	"batchkeeper/worker/app"
)

// parts are the goroutines of worker and bridge.
type parts struct {
	once   sync.Once
	ctx    context.Context // ends with stop: the life of the parts, not of a call
	cancel context.CancelFunc
	wait   sync.WaitGroup
	failed chan error // the first failure
}

func (p *parts) run(name string, part func(context.Context) error) {
	p.once.Do(func() {
		p.ctx, p.cancel = context.WithCancel(context.Background())
		p.failed = make(chan error, 1)
	})
	p.wait.Go(func() {
		if err := part(p.ctx); err != nil {
			select {
			case p.failed <- fmt.Errorf("%s: %w", name, err):
			default: // one is enough to end the stack
			}
		}
	})
}

func (p *parts) stop() error {
	if p.cancel == nil {
		return nil
	}
	p.cancel()
	p.wait.Wait()
	select {
	case err := <-p.failed:
		return err
	default:
		return nil
	}
}

func (s *Stack) startBridge(ctx context.Context) error {
	notifier := bridge.NewTemporalNotifier(bridge.TemporalOptions{
		Service: s.Client.WorkflowService(), Namespace: s.Namespace, Identity: "webhookbridge@devstack",
	})
	b, err := bridge.New(bridge.Options{
		Addr: s.Config.BridgeAddr, AdminAddr: s.Config.BridgeAdminAddr,
		Phaseo:  bridge.Route{Secrets: s.Config.PhaseoWebhook, WorkflowPrefix: s.Config.PhaseoWebhookPrefix},
		OpenAI:  bridge.Route{Secrets: s.Config.OpenAIWebhook, WorkflowPrefix: s.Config.OpenAIWebhookPrefix},
		Connect: func(context.Context) (bridge.Notifier, error) { return notifier, nil },
		Metrics: s.metrics, Logger: s.o.Logger,
	})
	if err != nil {
		return err
	}
	if err := b.Listen(ctx); err != nil {
		return err
	}
	s.parts.run("bridge", b.Run)
	s.WebhookURL = "http://" + b.Addr() + "/webhooks/phaseo"
	s.announceWebhook()
	return s.awaitReady(ctx, b.AdminAddr)
}

func (s *Stack) startWorker(ctx context.Context) error {
	w, err := app.New(app.Options{Env: s.Config, Client: s.Client, Logger: s.o.Logger})
	if err != nil {
		return err
	}
	s.parts.run("worker", w.Run)
	return s.awaitReady(ctx, w.MetricsAddr)
}

// lookAgain is short beside what a start takes.
const lookAgain = 10 * time.Millisecond

// awaitReady waits until the admin server, whose address may not be known yet,
// says that its part is ready.
func (s *Stack) awaitReady(ctx context.Context, address func() string) error {
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	reason := "it does not listen"
	for {
		if at := address(); at != "" {
			var ready bool
			if ready, reason = isReady(ctx, "http://"+at+"/readyz"); ready {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not ready in time: %s", reason)
		case err := <-s.parts.failed:
			return err
		case <-tick.C:
		}
	}
}

// once keeps no connection: those it would keep outlive a stack.
var once = http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// isReady asks once; where the answer is no, reason is what it said.
func isReady(ctx context.Context, url string) (ready bool, reason string) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return false, err.Error()
	}
	response, err := once.Do(request)
	if err != nil {
		return false, err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	said, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10))
	return response.StatusCode == http.StatusOK, string(said)
}
