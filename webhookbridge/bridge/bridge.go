package bridge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"batchkeeper/internal/gateway"
	"batchkeeper/internal/httpserver"
	"batchkeeper/internal/telemetry"
)

// The bounds of a body: real deliveries are a few KiB.
const (
	defaultMaxBody = 256 << 10
	largestMaxBody = 1 << 20
)

// Options configure a Bridge.
type Options struct {
	// Addr is the public listen address, AdminAddr that of /healthz, /readyz and
	// /metrics; an empty AdminAddr: none.
	Addr, AdminAddr string
	// Phaseo and OpenAI are the two routes.
	Phaseo, OpenAI Route
	// Connect returns the way to the runs; Run calls it once, in the background.
	// Its error ends Run.
	Connect func(context.Context) (Notifier, error)
	// Metrics takes the bridge's metrics; nil: a registry of its own.
	Metrics *telemetry.Metrics
	// Logger is slog.Default when nil.
	Logger *slog.Logger
	// MaxBody bounds a delivery in bytes: 256 KiB when zero, at most 1 MiB.
	MaxBody int64
	// DrainDelay is how long deliveries are still taken once the bridge is asked
	// to stop, for load balancers to see that it is not ready any more.
	DrainDelay time.Duration
	// Now is time.Now when nil.
	Now func() time.Time
}

// Bridge is both servers and what they share.
type Bridge struct {
	o        Options
	routes   map[string]*route
	answers  map[result]answer
	metrics  *metrics
	public   *httpserver.Server
	admin    *httpserver.Server // nil: none
	notifier atomic.Pointer[Notifier]
	deniedAt atomic.Int64 // Unix nanoseconds; 0: Temporal accepts the credential
}

// New checks the options and reads the signing secrets; it opens no port. The
// error names the route whose secrets cannot be used.
func New(o Options) (*Bridge, error) {
	o, err := withDefaults(o)
	if err != nil {
		return nil, fmt.Errorf("webhook bridge: %w", err)
	}
	phaseo, openAI := phaseoRoute(o.Phaseo), openAIRoute(o.OpenAI)
	b := &Bridge{
		o:       o,
		routes:  map[string]*route{phaseo.path: phaseo, openAI.path: openAI},
		answers: answers(),
		metrics: newMetrics(o.Metrics.Registry, phaseo.provider, openAI.provider),
	}
	err = errors.Join(
		phaseo.secure(o.Phaseo, gateway.NewPhaseoVerifier, o.Now, b.reloadFailed(phaseo.provider)),
		openAI.secure(o.OpenAI, gateway.NewOpenAIVerifier, o.Now, b.reloadFailed(openAI.provider)),
	)
	if err != nil {
		return nil, fmt.Errorf("webhook bridge: %w", err)
	}
	for _, rt := range []*route{phaseo, openAI} {
		if rt.keys == nil {
			o.Logger.Warn("route answers 503: it has no signing secret", slog.String("path", rt.path))
		}
	}
	return b, b.buildServers()
}

func withDefaults(o Options) (Options, error) {
	if o.Connect == nil {
		return o, errors.New("no way to connect to Temporal")
	}
	if o.MaxBody < 0 || o.MaxBody > largestMaxBody {
		return o, fmt.Errorf("MaxBody %d: want at most %d bytes", o.MaxBody, largestMaxBody)
	}
	if o.MaxBody == 0 {
		o.MaxBody = defaultMaxBody
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Metrics == nil {
		m, err := telemetry.NewMetrics(o.Logger)
		if err != nil {
			return o, err
		}
		o.Metrics = m
	}
	return o, nil
}

func (b *Bridge) buildServers() error {
	public, err := httpserver.New(httpserver.Options{
		Name: "webhook", Addr: b.o.Addr, Handler: b, Logger: b.o.Logger, DrainDelay: b.o.DrainDelay,
	})
	if err != nil {
		return err
	}
	b.public = public
	if b.o.AdminAddr == "" {
		return nil
	}
	b.admin, err = httpserver.New(httpserver.Options{
		Name: "admin", Addr: b.o.AdminAddr, Handler: httpserver.Admin(b.ready, b.o.Metrics.Handler()), Logger: b.o.Logger,
	})
	return err
}

func (b *Bridge) reloadFailed(provider string) func(error) {
	return func(err error) {
		b.metrics.reloads.WithLabelValues(provider).Inc()
		b.o.Logger.Error("signing secrets not reloaded; the ones known last stay in use",
			slog.String("provider", provider), slog.Any("error", err))
	}
}

// Listen opens both ports; a port in use is an error.
func (b *Bridge) Listen(ctx context.Context) error {
	if err := b.public.Listen(ctx); err != nil || b.admin == nil {
		return err
	}
	if err := b.admin.Listen(ctx); err != nil {
		return errors.Join(err, b.public.Close())
	}
	return nil
}

// Addr is the public address listened on, "" before Listen.
func (b *Bridge) Addr() string { return b.public.Addr() }

// AdminAddr is the admin address listened on, "" before Listen or where there
// is none.
func (b *Bridge) AdminAddr() string {
	if b.admin == nil {
		return ""
	}
	return b.admin.Addr()
}

// Run listens, connects and serves until ctx ends, then stops gracefully within
// 30 s: deliveries in hand are finished first. It returns nil after a graceful
// stop, else the first error of a port or of Connect.
func (b *Bridge) Run(ctx context.Context) error {
	if err := b.Listen(ctx); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	// The admin port outlives the public one, so that "not ready" can be seen.
	adminCtx, stopAdmin := context.WithCancel(context.WithoutCancel(ctx))
	group.Go(func() error {
		defer stopAdmin()
		return b.public.Run(ctx)
	})
	if b.admin != nil {
		group.Go(func() error { return b.admin.Run(adminCtx) })
	}
	group.Go(func() error { return b.connect(ctx) })
	return group.Wait()
}

func (b *Bridge) connect(ctx context.Context) error {
	notifier, err := b.o.Connect(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil //nolint:nilerr // asked to stop while connecting
		}
		return fmt.Errorf("webhook bridge: connect: %w", err)
	}
	b.notifier.Store(&notifier)
	return nil
}

func (b *Bridge) connected() Notifier {
	if n := b.notifier.Load(); n != nil {
		return *n
	}
	return nil
}

// ready says why deliveries should go elsewhere, nil when they should come.
func (b *Bridge) ready(context.Context) error {
	switch denied := b.deniedAt.Load(); {
	case b.public.Draining():
		return errors.New("shutting down")
	case b.connected() == nil:
		return errors.New("not connected to Temporal yet")
	case denied != 0 && b.o.Now().Sub(time.Unix(0, denied)) < denialHold:
		return ErrDenied
	default:
		return nil
	}
}
