package httpserver

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
)

// guard stands before every handler: it bounds the requests in hand and their
// time, and keeps a panic from reaching the sender.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case s.slots <- struct{}{}:
			defer func() { <-s.slots }()
		default:
			Unavailable(w)
			return
		}
		if s.stopped.Load() {
			Unavailable(w)
			return
		}
		if s.draining.Load() {
			w.Header().Set("Connection", "close")
		}
		defer s.recoverPanic(w)
		ctx, cancel := context.WithTimeout(r.Context(), s.o.HandlerTimeout)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

func (s *Server) recoverPanic(w http.ResponseWriter) {
	cause := recover()
	if cause == nil {
		return
	}
	if cause == http.ErrAbortHandler { //nolint:errorlint // a panic value, which net/http compares the same way
		panic(cause)
	}
	s.o.Logger.Error("panic in a handler", slog.String("server", s.o.Name),
		slog.String("panic", fmt.Sprint(cause)), slog.String("stack", string(debug.Stack())))
	w.Header().Set("Connection", "close")
	Answer(w, http.StatusInternalServerError, "internal error\n")
}

// Unavailable answers 503 and ends the connection: too much is in hand, or the
// server stops. The sender may come back in 30 s.
func Unavailable(w http.ResponseWriter) {
	w.Header().Set("Connection", "close")
	w.Header().Set("Retry-After", "30")
	Answer(w, http.StatusServiceUnavailable, "unavailable\n")
}

// Answer writes a constant plain text. An error of writing means that nobody
// listens any more.
func Answer(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}
