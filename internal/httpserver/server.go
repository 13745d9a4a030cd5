// Package httpserver runs an HTTP server that strangers may talk to: bounded in
// connections, in requests at a time, in header size and in every wait, and
// stopped without dropping what is in hand.
package httpserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/netutil"
)

// Options configure a Server. A zero figure takes its default.
type Options struct {
	// Name says in log lines and errors which server it is.
	Name string
	// Addr is host:port to listen on; port 0 takes a free one.
	Addr    string
	Handler http.Handler
	Logger  *slog.Logger

	// ReadHeaderTimeout (5 s) and ReadTimeout (10 s) cut slow senders off,
	// IdleTimeout (60 s) silent connections.
	ReadHeaderTimeout, ReadTimeout, IdleTimeout time.Duration
	// HandlerTimeout (20 s) is the deadline of a request's context, the reading
	// of its body included.
	HandlerTimeout time.Duration
	// WriteTimeout (28 s) counts from the end of the headers and must exceed
	// HandlerTimeout, or the handler's answer would not get out.
	WriteTimeout time.Duration
	// MaxHeaderBytes (16 KiB) bounds a request's headers.
	MaxHeaderBytes int
	// MaxConns (512) bounds open connections: more wait to be accepted.
	MaxConns int
	// MaxInFlight (128) bounds requests at a time: more are answered 503.
	MaxInFlight int
	// DrainDelay is how long requests are still taken after readiness is gone,
	// for load balancers to notice (default 0), StopTimeout (25 s) how long
	// requests in hand may take after that.
	DrainDelay, StopTimeout time.Duration
}

func (o Options) withDefaults() Options {
	setDefault(&o.ReadHeaderTimeout, 5*time.Second)
	setDefault(&o.ReadTimeout, 10*time.Second)
	setDefault(&o.IdleTimeout, time.Minute)
	setDefault(&o.HandlerTimeout, 20*time.Second)
	setDefault(&o.WriteTimeout, 28*time.Second)
	setDefault(&o.MaxHeaderBytes, 16<<10)
	setDefault(&o.MaxConns, 512)
	setDefault(&o.MaxInFlight, 128)
	setDefault(&o.StopTimeout, 25*time.Second)
	setDefault(&o.Logger, slog.Default())
	return o
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Server is one listener with its handler.
type Server struct {
	o        Options
	http     *http.Server
	slots    chan struct{} // one token per request in hand
	draining atomic.Bool
	stopped  atomic.Bool // no new request is taken

	mu       sync.Mutex
	listener net.Listener
}

// New returns a server that does not listen yet. The error names an option
// that cannot work.
func New(o Options) (*Server, error) {
	o = o.withDefaults()
	switch {
	case o.Handler == nil:
		return nil, fmt.Errorf("%s server: no handler", o.Name)
	case o.WriteTimeout <= o.HandlerTimeout:
		return nil, fmt.Errorf("%s server: WriteTimeout %s must exceed HandlerTimeout %s", o.Name, o.WriteTimeout, o.HandlerTimeout)
	}
	s := &Server{o: o, slots: make(chan struct{}, o.MaxInFlight)}
	s.http = &http.Server{
		Handler:           s.guard(o.Handler),
		ReadHeaderTimeout: o.ReadHeaderTimeout,
		ReadTimeout:       o.ReadTimeout,
		WriteTimeout:      o.WriteTimeout,
		IdleTimeout:       o.IdleTimeout,
		MaxHeaderBytes:    o.MaxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(o.Logger.Handler(), slog.LevelDebug),
	}
	return s, nil
}

// Listen opens the port. A port in use is an error: another program has it,
// and waiting would hide that.
func (s *Server) Listen(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener != nil {
		return nil
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", s.o.Addr)
	if err != nil {
		return fmt.Errorf("%s server: %w", s.o.Name, err)
	}
	s.listener = netutil.LimitListener(listener, s.o.MaxConns)
	return nil
}

// Addr is the address listened on, "" before Listen.
func (s *Server) Addr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil {
		return ""
	}
	return s.listener.Addr().String()
}

// Close gives the port back at once and cuts what is in hand; Run does it
// better.
func (s *Server) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.http.Close()
	if s.listener != nil {
		err = errors.Join(err, s.listener.Close())
	}
	if err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("%s server: close: %w", s.o.Name, err)
	}
	return nil
}

// Draining reports whether the server is about to stop, for readiness.
func (s *Server) Draining() bool { return s.draining.Load() }

// Run serves until ctx ends, then stops gracefully: readiness goes, DrainDelay
// passes, requests in hand finish within StopTimeout. It listens first where
// Listen was not called.
func (s *Server) Run(ctx context.Context) error {
	if err := s.Listen(ctx); err != nil {
		return err
	}
	s.o.Logger.Info("listening", slog.String("server", s.o.Name), slog.String("address", s.Addr()))
	served := make(chan error, 1)
	go func() { served <- s.http.Serve(s.listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("%s server: %w", s.o.Name, err)
	case <-ctx.Done():
	}
	err := s.stop(context.WithoutCancel(ctx), served)
	s.o.Logger.Info("stopped", slog.String("server", s.o.Name))
	return err
}

func (s *Server) stop(ctx context.Context, served <-chan error) error {
	s.draining.Store(true)
	select {
	case err := <-served:
		return fmt.Errorf("%s server: %w", s.o.Name, err)
	case <-time.After(s.o.DrainDelay):
	}
	s.stopped.Store(true)
	ctx, cancel := context.WithTimeout(ctx, s.o.StopTimeout)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = fmt.Errorf("%s server: requests still in hand after %s are cut: %w", s.o.Name, s.o.StopTimeout, errors.Join(err, s.http.Close()))
	}
	if ended := <-served; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	return err
}
