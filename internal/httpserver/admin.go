package httpserver

import (
	"context"
	"net/http"
)

// Admin is the handler for operators and their machines: GET /healthz says
// that the process lives, /readyz whether ready returns nil (else 503 and why),
// /metrics is the given handler. It belongs on an address of its own, which
// strangers do not reach.
func Admin(ready func(context.Context) error, metrics http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		Answer(w, http.StatusOK, "ok\n")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := ready(r.Context()); err != nil {
			Answer(w, http.StatusServiceUnavailable, "not ready: "+err.Error()+"\n")
			return
		}
		Answer(w, http.StatusOK, "ready\n")
	})
	mux.Handle("GET /metrics", metrics)
	return mux
}
