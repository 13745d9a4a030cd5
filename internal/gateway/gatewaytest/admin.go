package gatewaytest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// admin is the surface for other processes, under /__emulator/. It is no part of the gateway's API.
func (s *Server) admin(w http.ResponseWriter, r *http.Request) {
	body, err := s.adminAnswer(r, strings.TrimPrefix(r.URL.Path, "/__emulator/")) //nolint:contextcheck // a batch outlives the request that ends it
	status := http.StatusOK
	if err != nil {
		status, body = http.StatusBadRequest, object{"error": err.Error()}
	}
	s.send(w, answer{status: status, body: body})
}

func (s *Server) adminAnswer(r *http.Request, name string) (any, error) {
	switch r.Method + " " + name {
	case "GET journal":
		after, _ := strconv.ParseInt(r.URL.Query().Get("after"), 10, 64)
		return object{"entries": append([]Entry{}, s.journal.after(after)...)}, nil
	case "GET batches":
		return object{"batches": s.BatchesOf(r.URL.Query().Get("session_id"))}, nil
	case "GET ":
		return object{"emulator": "batchkeeper", "now": s.Now(), "faults": catalog, "named": NamedErrors(), "mutations": Mutations()}, nil
	case "POST script":
		return adminCall(r, s.adminScript)
	case "POST finish":
		return adminCall(r, func(in finishRequest) (any, error) {
			return done(s.Finish(in.BatchID, in.Status, in.answered()))
		})
	case "POST advance":
		return adminCall(r, func(in struct{ Duration Duration }) (any, error) {
			s.Advance(time.Duration(in.Duration))
			return object{"now": s.Now()}, nil
		})
	case "POST webhook":
		return adminCall(r, func(in struct{ URL, Secret string }) (any, error) {
			s.SetWebhook(in.URL, in.Secret)
			return done(nil)
		})
	case "POST deliver":
		return adminCall(r, func(in Delivery) (any, error) {
			status, err := s.Deliver(r.Context(), in)
			return object{"status": status}, err
		})
	default:
		return nil, fmt.Errorf("there is no %s %s: see GET /__emulator/", r.Method, r.URL.Path)
	}
}

// finishRequest drives a batch to its end; without answered it is -1.
type finishRequest struct {
	BatchID  string `json:"batch_id"`
	Status   string `json:"status"`
	Answered *int   `json:"answered"`
}

func (f finishRequest) answered() int {
	if f.Answered == nil {
		return -1
	}
	return *f.Answered
}

type scriptRequest struct {
	Replace bool   `json:"replace"` // remove the rules that are there
	Rules   []Rule `json:"rules"`
}

func (s *Server) adminScript(in scriptRequest) (any, error) {
	if in.Replace {
		s.ClearScript()
	}
	return done(s.addRules(in.Rules))
}

func done(err error) (any, error) { return object{"ok": err == nil}, err }

// adminCall decodes the request; a name that nobody knows is an error, so that a mistyped fault cannot go unnoticed.
func adminCall[T any](r *http.Request, run func(T) (any, error)) (any, error) {
	var in T
	d := json.NewDecoder(io.LimitReader(r.Body, 1<<20))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read request: %w", err)
	}
	return run(in)
}
