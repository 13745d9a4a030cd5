package gatewaytest

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"batchkeeper/internal/gateway"
)

// create takes POST /batches. The body is read to its end before the script is asked, so that a rule can name a session.
func (s *Server) create(w http.ResponseWriter, r *http.Request) {
	c, err := s.receiveCreate(r)
	defer c.discard()
	session := c.text("session_id", "sessionId")
	if s.opts.OpenAI {
		pairs, _ := c.metadata()
		session = pairs[gateway.MetadataSession]
	}
	s.exchange(w, r, call{op: OpCreate, sessionID: session, fileID: c.text("input_file_id")}, func(due faults) answer {
		if err != nil { // the client left in the middle of its request
			return answer{}
		}
		b, refusal, refused := s.prepare(c, session)
		if refused {
			return refusal
		}
		return s.submit(b, due)
	})
}

// prepare makes a batch of the request or refuses it, in the gateway's order of checks.
func (s *Server) prepare(c *createRequest, session string) (*batch, answer, bool) {
	switch {
	case c.size > createBodyCap:
		return nil, nested(http.StatusRequestEntityTooLarge, "validation_error", "batch_body_too_large", "", nil), true
	case c.invalid:
		return nil, s.flat(http.StatusBadRequest, "invalid_json", "", nil), true
	}
	b := &batch{sessionID: session, endpoint: normalEndpoint(orDefault(c.text("endpoint"), endpointResponses)), done: make(chan struct{})}
	for _, step := range []func(*createRequest, *batch) (answer, bool){
		s.prepareWebhook, s.prepareInput, s.prepareProvider, s.prepareOptions, s.prepareRows,
	} {
		if refusal, refused := step(c, b); refused {
			return nil, refusal, true
		}
	}
	return b, answer{}, false
}

var uuid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

func (s *Server) prepareWebhook(c *createRequest, b *batch) (answer, bool) {
	if s.opts.OpenAI {
		b.events = []string{"batch.completed", "batch.failed", "batch.expired", "batch.cancelled"}
		return answer{}, false
	}
	id, events, reason := c.webhook()
	switch {
	case reason != "":
		return s.invalid(reason), true
	case id == "":
		return answer{}, false
	case !uuid.MatchString(id):
		return serverError(), true
	}
	s.mu.Lock()
	e := s.endpoint
	s.mu.Unlock()
	if id != e.id || e.url == "" {
		return s.invalid("batch_webhook_endpoint_not_found_or_inactive"), true
	}
	b.events = events
	if len(events) == 0 {
		b.events = slices.Clone(e.events)
	}
	return answer{}, false
}

func (s *Server) prepareInput(c *createRequest, b *batch) (answer, bool) {
	b.inputFile = c.text("input_file_id")
	hasFile := b.inputFile != ""
	switch {
	case s.opts.OpenAI && !hasFile:
		return s.provider(http.StatusBadRequest, "invalid_request_error", "missing_required_parameter", "Missing required parameter: 'input_file_id'."), true
	case len(c.sources) > 1, hasFile && len(c.sources) > 0:
		return s.invalid("ambiguous_batch_input"), true
	case len(c.sources) == 0 && !hasFile:
		return s.invalid("missing_batch_input"), true
	case !hasFile && c.rows == 0:
		return s.invalid("invalid_requests"), true
	case !hasFile:
		return answer{}, false
	}
	s.mu.Lock()
	_, found := s.files[b.inputFile]
	s.mu.Unlock()
	switch {
	case !found && s.opts.OpenAI:
		return s.provider(http.StatusBadRequest, "invalid_request_error", "", "No such File object: "+b.inputFile), true
	case !found:
		return s.flat(http.StatusNotFound, "not_found", "batch_input_file_not_found_or_not_owned", object{"file_id": b.inputFile}), true
	}
	return answer{}, false
}

func (s *Server) prepareProvider(c *createRequest, _ *batch) (answer, bool) {
	switch provider := strings.ToLower(c.text("provider")); provider {
	case "", "openai":
		return answer{}, false
	case "anthropic", "google-ai-studio", "mistral":
		return nested(http.StatusNotImplemented, "not_implemented_yet", "emulator_answers_for_openai_only", "", nil), true
	default:
		return nested(http.StatusForbidden, "forbidden", "batch_provider_preview_disabled", "", object{"provider": provider}), true
	}
}

func (s *Server) prepareOptions(c *createRequest, b *batch) (answer, bool) {
	pairs, valid := c.metadata()
	window := c.text("completion_window")
	switch {
	case s.opts.OpenAI && (window != "24h" || !valid):
		return s.provider(http.StatusBadRequest, "invalid_request_error", "invalid_value", "Invalid 'completion_window' or 'metadata'."), true
	case window != "" && window != "24h":
		return s.invalid("openai_batch_completion_window_unsupported"), true
	case !valid:
		return s.invalid("invalid_batch_metadata"), true
	}
	b.metadata = maps.Clone(pairs)
	return answer{}, false
}

// submit is the part of a create call that costs money.
func (s *Server) submit(b *batch, due faults) answer {
	now := s.clock.now()
	s.identify(b, now)
	if f, found := due.find(FaultProviderRejects); found {
		return s.reject(b, f)
	}
	b.plan = s.planOf(b, now, due)
	if f, found := due.find(FaultOutcomeUnknown); found {
		return s.loseOutcome(b, f, now)
	}
	s.accept(b)
	if f, found := due.find(FaultPersistenceFailed); found {
		return s.losePersistence(b, f, now)
	}
	created := s.announce(b, "created")
	if due.has(FaultCreatedEarly) {
		select {
		case <-created:
		case <-s.ctx.Done():
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return answer{status: http.StatusOK, body: s.object(b), header: s.providerHeader()}
}

// identify gives the batch its ids and the views that it has before anything was sent.
func (s *Server) identify(b *batch, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sequence++
	b.sequence = s.sequence
	b.providerID = "batch_" + s.ids.hex(32)
	b.id, b.requestID = b.providerID, ""
	if !s.opts.OpenAI {
		b.id, b.requestID = "batch_"+s.ids.ulid(now), s.requestID()
		for _, pair := range [][2]string{{"phaseo_batch_id", b.id}, {"phaseo_request_id", b.requestID}} {
			if len(b.metadata) < 16 {
				b.metadata[pair[0]] = pair[1]
			}
		}
	}
	b.expires = now.Add(24 * time.Hour)
	b.live = live{status: statusValidating, created: now}
	b.row = dbRow{status: statusValidating, created: now, updated: now, nextReconcile: now.Add(cronTick)}
}

// accept makes the batch exist.
func (s *Server) accept(b *batch) {
	b.native = b.providerID
	s.register(b, EffectBatchCreated, fmt.Sprintf("%d rows", b.rows))
}

func (s *Server) register(b *batch, effect, note string) {
	s.mu.Lock()
	s.batches[b.id] = b
	s.mu.Unlock()
	s.effect(b, effect, note)
	if b.missing || b.rejected {
		return
	}
	s.work.Go(func() { s.watch(b) })
}
