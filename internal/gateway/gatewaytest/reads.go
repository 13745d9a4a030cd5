package gatewaytest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// find needs the lock. Native ids find nothing on the gateway.
func (s *Server) find(id string) *batch { return s.batches[id] }

func (s *Server) batchCall(op Op, id string) call {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := call{op: op, batchID: id}
	if b := s.find(id); b != nil {
		c.sessionID, c.fileID = b.sessionID, b.inputFile
	}
	return c
}

// retrieve asks the provider, refreshes the database's copy and closes the billing of a terminal batch.
func (s *Server) retrieve(id string, due faults) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, refusal, refused := s.live(id)
	if refused {
		return refusal
	}
	if due.has(FaultStale) && b.last.status != 0 {
		return b.last
	}
	now := s.clock.now()
	s.settle(b, now)
	b.refresh(now)
	b.row.nextReconcile = now.Add(cronTick)
	o := s.object(b)
	if terminal(b.live.status) && !b.billingBlocked() {
		b.settled = true
	}
	s.disguise(o, due)
	b.last = answer{status: http.StatusOK, body: o, header: s.providerHeader()}
	return b.last
}

// live finds a batch that the provider can be asked about; it needs the lock. A row without a native id makes the
// gateway ask the provider for its own id, and the provider's 404 is what comes back.
func (s *Server) live(id string) (*batch, answer, bool) {
	b := s.find(id)
	switch {
	case b == nil && s.opts.OpenAI:
		return nil, s.noSuchBatch(id), true
	case b == nil:
		return nil, s.flat(http.StatusNotFound, "not_found", "batch_not_found_or_not_owned", object{"batch_id": id}), true
	}
	s.settle(b, s.clock.now())
	if b.native == "" {
		return nil, s.noSuchBatch(id), true
	}
	return b, answer{}, false
}

// disguise changes what a read shows, as the script says.
func (s *Server) disguise(o object, due faults) {
	for _, f := range due {
		switch f.Kind { //nolint:exhaustive // the others are not about what is shown
		case FaultShow:
			o["status"] = f.Value
			if !s.opts.OpenAI {
				o["lifecycle_status"], o["cancel_url"] = lifecycle(f.Value), nil
				if cancellable(f.Value) {
					o["cancel_url"] = fmt.Sprint(o["polling_url"], "/cancel")
				}
			}
		case FaultNoOutput:
			o["output_file_id"] = nil
			if f.Value == "both" {
				o["error_file_id"] = nil
			}
		case FaultCounts:
			o["request_counts"] = nil
			if f.Body != "" {
				o["request_counts"] = json.RawMessage(f.Body)
			}
		}
	}
}

// cancel always asks the provider, whatever the state.
func (s *Server) cancel(id string, due faults) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, refusal, refused := s.live(id)
	if refused {
		if s.find(id) == nil && !s.opts.OpenAI {
			return serverError() // the gateway's look-up has no answer of its own here, unlike on retrieve
		}
		return refusal
	}
	now := s.clock.now()
	f, scripted := due.find(FaultCancelRefused)
	if scripted || terminal(b.live.status) || b.closing {
		s.effect(b, EffectCancelRefused, b.live.status)
		return s.provider(orDefault(f.Status, http.StatusConflict), "invalid_request_error", "",
			"Cannot cancel a batch with status '"+b.live.status+"'.")
	}
	switch {
	case due.has(FaultCancelTooLate):
		b.live.status, b.live.cancelling = statusCancelling, now
		s.effect(b, EffectCancelAccepted, "too late")
	case b.live.status != statusCancelling:
		s.cancelLive(b, now, due.has(FaultCancelStuck))
	}
	b.row.updated = now
	o := s.object(b)
	s.disguise(o, due)
	s.clock.advance(0)
	return answer{status: http.StatusOK, body: o, header: s.providerHeader()}
}

// cancelLive needs the lock: the provider begins to cancel. What was answered until now stays answered.
func (s *Server) cancelLive(b *batch, now time.Time, stuck bool) {
	b.progress(now)
	b.plan.outcome, b.plan.answered = statusCancelled, -1
	b.plan.end = now.Add(s.opts.CancelDuration)
	if stuck {
		b.plan.end = time.Time{}
	}
	b.live.status, b.live.cancelling = statusCancelling, now
	s.effect(b, EffectCancelAccepted, "")
}

// requests serves the gateway's stored rows. It is no source of results: a file's rows appear at the end only, in the
// order of the output file, and rows of the error file stay queued.
func (s *Server) requests(r *http.Request, id string) answer {
	query := r.URL.Query()
	limit, fine := number(query, "limit", 100, 1, 1000)
	offset, fineToo := number(query, "offset", 0, 0, 1<<30)
	if !fine || !fineToo {
		return serverError()
	}
	s.mu.Lock()
	b := s.find(id)
	s.mu.Unlock()
	if b == nil {
		return s.flat(http.StatusNotFound, "not_found", "batch_not_found_or_not_owned", object{"batch_id": id})
	}
	rows, err := s.storedRows(b, query.Get("status"), offset, limit)
	if err != nil {
		return serverError()
	}
	return ok(object{"object": "list", "batch_id": id, "data": rows})
}

func number(query url.Values, name string, fallback, low, high int) (int, bool) {
	raw := query.Get(name)
	if raw == "" {
		return fallback, true
	}
	n, err := strconv.Atoi(raw)
	return min(max(n, low), high), err == nil
}
