package gatewaytest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// Defaults of Options.
const (
	DefaultAPIKey     = "phaseo_v1_sk_emulator0_key"
	DefaultEndpointID = "e0000000-0000-4000-8000-000000000001"
)

// Options says how a server behaves; the zero value is usable.
type Options struct {
	Addr            string        // default 127.0.0.1:0
	APIKey          string        // accepted beside every well-formed gateway key; default DefaultAPIKey
	Scale           float64       // emulated seconds in a second of wall time; default 1
	BatchDuration   time.Duration // emulated time from create to completed; default 10 s
	CancelDuration  time.Duration // emulated time from cancel to cancelled; default a fifth of BatchDuration
	WebhookURL      string        // the managed webhook endpoint; empty: none
	WebhookSecret   string        // its signing secret, the whole text
	EndpointID      string        // its id; default DefaultEndpointID
	WebhookEvents   []string      // its subscription; default batch.completed, batch.failed, batch.cancelled
	WebhookTimeout  time.Duration // wall time that a receiver has; default 30 s, as the gateway's
	JournalPath     string        // the journal is appended to this file too
	Dir             string        // where files are kept; default a temporary folder that Close removes
	Seed            uint64        // makes ids and orders repeat; 0: random
	OpenAI          bool          // plain OpenAI shapes and signatures instead of the gateway's
	WithoutQuota    bool          // no upload quotas
	TokenLimit      int64         // estimated input tokens (4 bytes each) of all live batches; one more fails at validation; 0: none
	Rules           []Rule        // faults from the first request on
	ShutdownTimeout time.Duration // wall time that Close gives to requests in hand; default 1 s
}

func (o Options) withDefaults() Options {
	o.Addr = orDefault(o.Addr, "127.0.0.1:0")
	o.APIKey = orDefault(o.APIKey, DefaultAPIKey)
	o.Scale = orDefault(o.Scale, 1)
	o.BatchDuration = orDefault(o.BatchDuration, 10*time.Second)
	o.CancelDuration = orDefault(o.CancelDuration, o.BatchDuration/5)
	o.EndpointID = orDefault(o.EndpointID, DefaultEndpointID)
	o.WebhookTimeout = orDefault(o.WebhookTimeout, 30*time.Second)
	o.ShutdownTimeout = orDefault(o.ShutdownTimeout, time.Second)
	if len(o.WebhookEvents) == 0 {
		o.WebhookEvents = []string{"batch.completed", "batch.failed", "batch.cancelled"}
	}
	return o
}

func orDefault[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}

// Server is a running emulator. All methods may be called at the same time.
type Server struct {
	opts     Options
	clock    *clock
	ids      *idSource
	journal  *journal
	listener net.Listener
	http     *http.Server
	sender   *http.Client
	dir      string
	ctx      context.Context // ends with Close: background work of the server's own life, not of a request
	stop     context.CancelFunc
	work     sync.WaitGroup

	mu       sync.Mutex // guards all below
	files    map[string]*file
	batches  map[string]*batch
	uploads  []upload
	rules    []*scripted
	endpoint endpoint
	sent     map[string]outgoing
	sequence int64
	attempts map[string]int // of rows whose failures pass, by custom_id
}

// New starts a server that listens when it returns.
func New(opts Options) (*Server, error) {
	opts = opts.withDefaults()
	if opts.Scale < 0 || opts.BatchDuration < 0 {
		return nil, errors.New("start emulator: scale and batch duration must be positive")
	}
	s := &Server{
		opts: opts, clock: newClock(opts.Scale), ids: newIDSource(opts.Seed),
		files: map[string]*file{}, batches: map[string]*batch{}, sent: map[string]outgoing{}, attempts: map[string]int{},
		endpoint: endpoint{id: opts.EndpointID, url: opts.WebhookURL, secret: opts.WebhookSecret, events: opts.WebhookEvents},
	}
	if err := s.addRules(opts.Rules); err != nil {
		return nil, fmt.Errorf("start emulator: %w", err)
	}
	if err := s.open(); err != nil {
		return nil, fmt.Errorf("start emulator: %w", err)
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.sender = newSender(opts.WebhookTimeout)
	s.http = &http.Server{
		Handler: s.handler(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 60 * time.Second,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	s.work.Go(func() { _ = s.http.Serve(s.listener) })
	return s, nil
}

// open takes the folder, the journal and the port.
func (s *Server) open() (err error) {
	s.dir = s.opts.Dir
	if s.dir == "" {
		if s.dir, err = os.MkdirTemp("", "gateway-emulator-"); err != nil {
			return err
		}
	} else if err = os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	if s.journal, err = newJournal(s.opts.JournalPath, s.clock); err != nil {
		return err
	}
	var listen net.ListenConfig
	s.listener, err = listen.Listen(context.Background(), "tcp", s.opts.Addr)
	return err
}

// URL is the base that a client is configured with; it ends in /v1.
func (s *Server) URL() string { return s.root() + "/v1" }

func (s *Server) root() string { return "http://" + s.listener.Addr().String() }

// Advance moves the emulated clock forward and returns when every batch that became due has finished.
func (s *Server) Advance(d time.Duration) {
	s.clock.advance(d)
	for _, done := range s.settleAll() {
		select {
		case <-done:
		case <-s.ctx.Done():
		}
	}
}

// Now is the emulated time, the one of the Date header.
func (s *Server) Now() time.Time { return s.clock.now() }

// Close stops the server, its batches and its deliveries, and removes the files of a temporary folder.
func (s *Server) Close() {
	s.stop()
	ctx, cancel := context.WithTimeout(context.Background(), s.opts.ShutdownTimeout)
	defer cancel()
	if err := s.http.Shutdown(ctx); err != nil {
		_ = s.http.Close()
	}
	s.work.Wait()
	s.sender.CloseIdleConnections()
	s.journal.close()
	if s.opts.Dir == "" {
		_ = os.RemoveAll(s.dir)
	}
}
