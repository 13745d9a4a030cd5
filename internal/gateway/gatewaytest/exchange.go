package gatewaytest

import (
	"context"
	"net/http"
	"time"
)

// exchange is one request through the script: faults before the effect, the effect, faults of the answer.
func (s *Server) exchange(w http.ResponseWriter, r *http.Request, c call, effect func(faults) answer) {
	due := s.match(c)
	number := s.journal.nextCall()
	entry := Entry{
		Op: string(c.op), Call: number, Method: r.Method, Path: r.RequestURI, BatchID: c.batchID, FileID: c.fileID,
		SessionID: c.sessionID, Note: due.String(),
	}
	entry.Kind = KindRequest
	s.journal.add(entry)
	entry.Kind = KindAnswer
	defer func() { s.journal.add(entry) }()

	if lost := s.before(r.Context(), due); lost {
		panic(http.ErrAbortHandler)
	}
	a, replaced := s.insteadOf(due)
	if !replaced {
		a = effect(due)
	}
	if a.status == 0 { // the effect ended in a broken connection
		panic(http.ErrAbortHandler)
	}
	if lost := s.afterEffect(r.Context(), due); lost {
		panic(http.ErrAbortHandler)
	}
	if f, found := due.find(FaultAnswer); found && f.Effect {
		a = scriptedAnswer(f)
	}
	entry.Status = a.status
	out := http.ResponseWriter(w)
	if f, found := due.find(FaultCut); found {
		out = &cutWriter{ResponseWriter: out, left: f.Bytes, clean: f.Value == "clean"}
	}
	if f, found := due.find(FaultDrip); found {
		out = &dripWriter{ResponseWriter: out, ctx: r.Context(), chunk: max(int(f.Bytes), 1), gap: time.Duration(f.Delay)}
	}
	s.send(out, a)
}

// before applies what happens ahead of the effect and says whether the connection is lost.
func (s *Server) before(ctx context.Context, due faults) (lost bool) {
	for _, f := range due {
		switch f.Kind { //nolint:exhaustive // the others happen later
		case FaultDelay:
			if pause(ctx, time.Duration(f.Delay)) != nil {
				return true
			}
		case FaultHang:
			s.hang(ctx)
			return true
		case FaultDrop:
			return true
		}
	}
	return false
}

func (s *Server) afterEffect(ctx context.Context, due faults) (lost bool) {
	if due.has(FaultEffectHang) {
		s.hang(ctx)
		return true
	}
	return due.has(FaultEffectDrop)
}

// hang lasts until the client or the server leaves.
func (s *Server) hang(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-s.ctx.Done():
	}
}

// insteadOf gives the answer of a fault that keeps the effect from happening.
func (s *Server) insteadOf(due faults) (answer, bool) {
	if f, found := due.find(FaultNamed); found {
		return s.named(f), true
	}
	if f, found := due.find(FaultAnswer); found && !f.Effect {
		return scriptedAnswer(f), true
	}
	return answer{}, false
}

func scriptedAnswer(f Fault) answer {
	a := text(orDefault(f.Status, http.StatusOK), "application/json", f.Body)
	for k, v := range f.Header {
		a.header[k] = v
	}
	return a
}

// cutWriter ends the body early.
type cutWriter struct {
	http.ResponseWriter
	left  int64
	clean bool
}

// WriteHeader leaves out the length when nobody may notice the cut.
func (w *cutWriter) WriteHeader(status int) {
	if w.clean {
		w.Header().Del("Content-Length")
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write passes what is left, then breaks the connection or swallows the rest.
func (w *cutWriter) Write(p []byte) (int, error) {
	part := p[:min(int64(len(p)), w.left)]
	w.left -= int64(len(part))
	if _, err := w.ResponseWriter.Write(part); err != nil {
		return 0, err
	}
	if len(part) < len(p) && !w.clean {
		_ = http.NewResponseController(w.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	return len(p), nil
}

// dripWriter lets the body through in small pieces.
type dripWriter struct {
	http.ResponseWriter
	ctx   context.Context // of the request: a Writer has no other way to learn that the client left
	chunk int
	gap   time.Duration
}

// Write sends piece by piece, each at once.
func (w *dripWriter) Write(p []byte) (int, error) {
	for sent := 0; sent < len(p); {
		end := min(sent+w.chunk, len(p))
		if _, err := w.ResponseWriter.Write(p[sent:end]); err != nil {
			return sent, err
		}
		_ = http.NewResponseController(w.ResponseWriter).Flush()
		sent = end
		if err := pause(w.ctx, w.gap); err != nil {
			return sent, err
		}
	}
	return len(p), nil
}

// Unwrap lets a response controller reach the connection.
func (w *cutWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Unwrap lets a response controller reach the connection.
func (w *dripWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
