package gatewaytest

import (
	"net/http"
	"regexp"
	"strings"
	"time"
)

const banner = "This is Batchkeeper's emulator of the gateway. No model runs here: every answer is computed from its request.\n" +
	"API: /v1. Faults, journal and clock: /__emulator/\n"

func (s *Server) handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.work.Add(1) // hung requests end with the server
		defer s.work.Done()
		s.common(w.Header())
		raw := r.RequestURI
		switch {
		case raw == "/":
			s.send(w, text(http.StatusOK, "text/plain; charset=UTF-8", banner))
		case strings.HasPrefix(raw, "/__emulator/"):
			s.admin(w, r)
		case strings.HasPrefix(raw, "/v1/"):
			s.api(w, r, strings.TrimPrefix(raw, "/v1"))
		default:
			s.send(w, notFoundRoute())
		}
	})
}

func notFoundRoute() answer {
	return text(http.StatusNotFound, "text/plain; charset=UTF-8", "404 Not Found")
}

// aliases are exact copies of routes; the longer prefix comes first.
var aliases = [][2]string{{"/batches/files", "/files"}, {"/batch/files", "/files"}, {"/batch/", "/batches/"}, {"/batch", "/batches"}}

func unalias(raw string) string {
	for _, a := range aliases {
		rest, found := strings.CutPrefix(raw, a[0])
		if found && (rest == "" || strings.HasSuffix(a[0], "/") || rest[0] == '/' || rest[0] == '?') {
			return a[1] + rest
		}
	}
	return raw
}

// api serves the gateway's routes. Like the gateway it cuts ids out of the raw text of the URL: a query string becomes
// part of the id.
func (s *Server) api(w http.ResponseWriter, r *http.Request, raw string) {
	if r.Method == http.MethodOptions {
		s.send(w, answer{status: http.StatusNoContent})
		return
	}
	raw = unalias(raw)
	if s.opts.OpenAI {
		raw, _, _ = strings.Cut(raw, "?")
	}
	if refusal, refused := s.authorize(r); refused {
		s.exchange(w, r, call{op: opOther}, func(faults) answer { return refusal })
		return
	}
	path, _, _ := strings.Cut(raw, "?")
	switch {
	case path == "/files":
		s.filesRoot(w, r)
	case strings.HasPrefix(raw, "/files/"):
		s.filesTail(w, r, strings.TrimPrefix(raw, "/files/"))
	case path == "/batches":
		s.batchesRoot(w, r)
	case strings.HasPrefix(raw, "/batches/"):
		s.batchesTail(w, r, strings.TrimPrefix(raw, "/batches/"))
	default:
		s.exchange(w, r, call{op: opOther}, func(faults) answer { return notFoundRoute() })
	}
}

func (s *Server) filesRoot(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodPost:
		s.upload(w, r)
	case http.MethodGet:
		s.exchange(w, r, call{op: opOther}, func(faults) answer {
			return s.flat(http.StatusBadRequest, "not_supported", "file_list_not_supported_with_shared_gateway_key", nil)
		})
	default:
		s.exchange(w, r, call{op: opOther}, func(faults) answer { return notFoundRoute() })
	}
}

func (s *Server) filesTail(w http.ResponseWriter, r *http.Request, tail string) {
	path, _, _ := strings.Cut(tail, "?")
	id, content := strings.CutSuffix(path, "/content")
	if !content {
		id = tail
	}
	if r.Method != http.MethodGet {
		s.exchange(w, r, call{op: opOther}, func(faults) answer { return notFoundRoute() })
		return
	}
	c := s.fileCall(OpFile, id)
	if content {
		c.op = OpContent
		s.exchange(w, r, c, func(f faults) answer { return s.content(id, f) })
		return
	}
	s.exchange(w, r, c, func(faults) answer { return s.fileObject(id) })
}

func (s *Server) batchesRoot(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodPost:
		s.create(w, r)
	case http.MethodGet:
		s.exchange(w, r, call{op: OpList}, func(f faults) answer { return s.list(r, f) })
	default:
		s.exchange(w, r, call{op: opOther}, func(faults) answer { return notFoundRoute() })
	}
}

func (s *Server) batchesTail(w http.ResponseWriter, r *http.Request, tail string) {
	path, query, _ := strings.Cut(tail, "?")
	if strings.Contains(query, "/") {
		path = tail
	}
	if r.Method == http.MethodGet && (path == "capabilities" || path == "models") {
		s.exchange(w, r, call{op: opOther}, func(faults) answer { return ok(directory(path)) })
		return
	}
	if id, found := strings.CutSuffix(path, "/cancel"); found && r.Method == http.MethodPost {
		s.exchange(w, r, s.batchCall(OpCancel, id), func(f faults) answer { return s.cancel(id, f) })
		return
	}
	if id, found := strings.CutSuffix(path, "/requests"); found && r.Method == http.MethodGet && !s.opts.OpenAI {
		s.exchange(w, r, s.batchCall(OpRequests, id), func(faults) answer { return s.requests(r, id) })
		return
	}
	if r.Method != http.MethodGet {
		s.exchange(w, r, call{op: opOther}, func(faults) answer { return notFoundRoute() })
		return
	}
	s.exchange(w, r, s.batchCall(OpRetrieve, tail), func(f faults) answer { return s.retrieve(tail, f) })
}

var gatewayKey = regexp.MustCompile(`^(phaseo|aistats)_v1_(sk|mk)_[A-Za-z0-9]{6,64}_.+$`)

// legacyKeysEnd is when the gateway stops taking the keys of its former name.
var legacyKeysEnd = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)

// authorize checks the bearer key; its scheme is compared with its case, as the gateway does.
func (s *Server) authorize(r *http.Request) (answer, bool) {
	key, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	parts := gatewayKey.FindStringSubmatch(key)
	reason := ""
	switch {
	case bearer && key == s.opts.APIKey, s.opts.OpenAI && bearer && strings.HasPrefix(key, "sk-"):
		return answer{}, false
	case s.opts.OpenAI:
		return s.provider(http.StatusUnauthorized, "invalid_request_error", "invalid_api_key", "Incorrect API key provided."), true
	case !bearer || key == "":
		reason = "missing_or_invalid_authorization_header"
	case parts == nil:
		reason = "invalid_key_format"
	case parts[2] == "mk":
		reason = "management_key_not_valid_for_gateway"
	case parts[1] == "aistats" && !s.clock.now().Before(legacyKeysEnd):
		reason = "legacy_key_prefix_retired"
	default:
		return answer{}, false
	}
	return s.flat(http.StatusUnauthorized, unauthorized, reason, nil), true
}
