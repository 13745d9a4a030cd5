package gatewaytest

import (
	"encoding/json"
	"net/http"
	"time"
)

// answer is what an operation says before a fault changes it: JSON, text, or a file from disk.
type answer struct {
	status int
	header map[string]string
	body   any    // JSON, unless text or file is set
	text   string // with its own Content-Type in header
	file   *file
}

type object = map[string]any

func ok(body any) answer { return answer{status: http.StatusOK, body: body} }

func text(status int, contentType, body string) answer {
	return answer{status: status, text: body, header: map[string]string{"Content-Type": contentType}}
}

// serverError is the framework's own answer to an uncaught error.
func serverError() answer {
	return text(http.StatusInternalServerError, "text/plain; charset=UTF-8", "Internal Server Error")
}

func edgeError(status int) answer {
	return text(status, "text/html; charset=UTF-8",
		"<!DOCTYPE html><html><head><title>"+http.StatusText(status)+"</title></head><body><h1>Error</h1>cloudflare</body></html>\n")
}

// unauthorized is the code of a 401, as the gateway spells it.
const unauthorized = "unauthorised" //nolint:misspell // a wire value

// origins of an error in the gateway's flat envelope.
const (
	byUser    = "user"
	byGateway = "gateway"
)

// flat is the gateway's envelope A: the code is a string at the top level.
func (s *Server) flat(status int, code, reason string, extras object) answer {
	id := s.requestID()
	kind, origin := "user", byUser
	if status >= http.StatusInternalServerError {
		kind, origin = "system", byGateway
	}
	body := object{
		"error": code, "request_id": id, "generation_id": id, "workspace_id": "ws_emulator",
		"status_code": status, "error_type": kind, "error_origin": origin,
	}
	if reason != "" {
		body["reason"] = reason
	}
	for k, v := range extras {
		body[k] = v
	}
	return answer{status: status, body: body, header: noStore()}
}

// nested is the gateway's envelope B: the error is an object with a type and a reason.
func nested(status int, kind, reason, message string, extras object) answer {
	inner := object{"type": kind, "reason": reason}
	if message != "" {
		inner["message"] = message
	}
	for k, v := range extras {
		inner[k] = v
	}
	return answer{status: status, body: object{"error": inner}, header: noStore()}
}

// gateClosed is envelope C: the batch API is not enabled, or the service that says so did not answer.
func (s *Server) gateClosed() answer {
	a := s.flat(http.StatusForbidden, "forbidden", "batch_api_feature_flag_disabled", object{
		"message": "Batch API is not enabled for this workspace.", "feature_gate": "batch_api", "error_origin": byGateway,
	})
	return a
}

// provider is envelope D: what the provider itself said, untouched.
func (s *Server) provider(status int, kind, code, message string) answer {
	var codeValue any
	if code != "" {
		codeValue = code
	}
	return answer{
		status: status, header: s.providerHeader(),
		body: object{"error": object{"message": message, "type": kind, "param": nil, "code": codeValue}},
	}
}

func (s *Server) providerHeader() map[string]string {
	return map[string]string{
		"X-Request-Id": "req_emulator_" + s.ids.hex(24), "Openai-Version": "2020-10-01", "Openai-Processing-Ms": "7",
	}
}

func (s *Server) requestID() string { return "G-" + s.ids.ulid(s.clock.now()) }

func noStore() map[string]string { return map[string]string{"Cache-Control": "no-store"} }

// send writes the answer; a file is streamed from disk.
func (s *Server) send(w http.ResponseWriter, a answer) {
	header := w.Header()
	for k, v := range a.header {
		header.Set(k, v)
	}
	if a.file != nil {
		s.sendFile(w, a)
		return
	}
	if a.body == nil {
		w.WriteHeader(a.status)
		_, _ = w.Write([]byte(a.text))
		return
	}
	raw, err := json.Marshal(a.body)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	header.Set("Content-Type", "application/json")
	w.WriteHeader(a.status)
	_, _ = w.Write(raw)
}

// common are the headers of every answer: CORS as the gateway sends it, the emulated date and the emulator's mark.
func (s *Server) common(header http.Header) {
	header.Set("X-Emulator", "batchkeeper")
	header.Set("Date", s.clock.now().Format(http.TimeFormat))
	header.Set("Access-Control-Allow-Origin", "*")
	header.Set("Access-Control-Allow-Headers", "*")
	header.Set("Access-Control-Allow-Methods", "GET,POST,OPTIONS")
}

// stamp is how the gateway's database shows a time.
func stamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format("2006-01-02T15:04:05.000000+00:00")
}

// unix is how the provider shows a time.
func unix(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.Unix()
}

func nullable(s string) any {
	if s == "" {
		return nil
	}
	return s
}
