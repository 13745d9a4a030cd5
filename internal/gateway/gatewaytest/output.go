package gatewaytest

import (
	"bufio"
	"errors"
	"io"
	"os"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// outputs are what a finished batch leaves.
type outputs struct {
	output, errors string // file ids
	counts         counts
	usage          usage
}

// writeOutputs streams the input through the answers into an output and an error file. Rows beyond those that were
// answered go into the error file with the reason; a batch that completed has none.
func (s *Server) writeOutputs(b *batch) (outputs, error) {
	s.mu.Lock()
	p, share := b.plan, b.share(b.plan.end)
	if !b.live.cancelling.IsZero() {
		share = b.share(b.live.cancelling)
	}
	input := s.files[b.inputFile].path
	s.mu.Unlock()
	if p.outcome == statusFailed {
		return outputs{}, nil
	}
	w := &outputWriter{endpoint: b.endpoint, answered: answeredRows(p, b.rows, share), fail: p.allFail, attempt: s.rowAttempt}
	w.reason = map[string]string{statusExpired: "batch_expired", statusCancelled: "batch_cancelled"}[p.outcome]
	good, bad := s.outputFile(b, "output"), s.outputFile(b, "error")
	var err error
	good.bytes, err = writeFile(good.path, func(out io.Writer) error {
		var inner error
		bad.bytes, inner = writeFile(bad.path, func(failures io.Writer) error {
			w.good, w.bad = newBlender(out), newBlender(failures)
			return w.run(input)
		})
		return inner
	})
	if err != nil {
		return outputs{}, err
	}
	w.out.counts.total = b.rows
	if p.noFiles {
		return w.out, errors.Join(os.Remove(good.path), os.Remove(bad.path))
	}
	w.out.output, w.out.errors = s.keepOutput(good), s.keepOutput(bad)
	return w.out, nil
}

func answeredRows(p plan, rows int, share float64) int {
	switch {
	case p.answered >= 0:
		return min(p.answered, rows)
	case p.outcome == statusCompleted:
		return rows
	default:
		return int(share * float64(rows))
	}
}

func (s *Server) outputFile(b *batch, kind string) *file {
	f := s.newFile(b.providerID+"_"+kind+".jsonl", "batch_output")
	f.batchID, f.sessionID = b.id, b.sessionID
	return f
}

// keepOutput makes a file visible and gives its id; an empty one does not exist.
func (s *Server) keepOutput(f *file) string {
	if f.bytes == 0 {
		_ = os.Remove(f.path)
		return ""
	}
	s.keep(f, f.name)
	return f.id
}

// outputWriter sorts the answers of the rows into two files.
type outputWriter struct {
	endpoint  string
	answered  int
	reason    string // of the rows without an answer
	fail      bool
	attempt   func(customID string) int
	good, bad *blender
	seen      int
	out       outputs
}

func (w *outputWriter) run(input string) error {
	if err := eachLine(input, w.row); err != nil {
		return err
	}
	return errors.Join(w.good.flush(), w.bad.flush())
}

func (w *outputWriter) row(_ int, raw []byte) error {
	w.seen++
	if w.seen > w.answered && w.reason == "" {
		return nil // a completed batch whose row stands in no file
	}
	if w.seen > w.answered {
		var r row
		if err := json.Unmarshal(raw, &r, json.JoinOptions(lenient...)); err != nil {
			return err
		}
		return w.bad.add(line{
			ID: "batch_req_unanswered", CustomID: r.CustomID, Response: nil,
			Error: object{"code": w.reason, "message": "This request was not executed before the batch ended."},
		})
	}
	l, used, good := reply(w.endpoint, raw, w.forced(raw))
	if !good {
		w.out.counts.failed++
		return w.bad.add(l)
	}
	w.out.counts.completed++
	w.out.usage.input += used.input
	w.out.usage.output += used.output
	return w.good.add(l)
}

// forced is how a row fails for other reasons than its own mark; the zero marker: it does not.
func (w *outputWriter) forced(raw []byte) marker {
	if w.fail {
		return markers[0]
	}
	m, times := passing(raw)
	if times == 0 {
		return marker{}
	}
	var r row
	_ = json.Unmarshal(raw, &r, json.JoinOptions(lenient...)) // checked when the batch was made
	if id, _ := stringOf(r.CustomID); w.attempt(id) > times {
		return marker{}
	}
	return m
}

// rowAttempt counts how often a row whose failures pass was answered, over all batches.
func (s *Server) rowAttempt(customID string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attempts[customID]++
	return s.attempts[customID]
}

// blender writes lines in another order than they came, as providers do, within a window that bounds its memory.
type blender struct {
	to     *bufio.Writer
	window [][]byte
}

const blend = 8

func newBlender(to io.Writer) *blender { return &blender{to: bufio.NewWriter(to)} }

func (b *blender) add(l line) error {
	raw, err := json.Marshal(l, jsontext.AllowInvalidUTF8(true), json.Deterministic(true))
	if err != nil {
		return err
	}
	if b.window = append(b.window, raw); len(b.window) < blend {
		return nil
	}
	return b.flush()
}

// flush writes the odd places, then the even ones, backwards.
func (b *blender) flush() error {
	for start := range 2 {
		for i := len(b.window) - 1; i >= 0; i-- {
			if i%2 != start {
				continue
			}
			if _, err := b.to.Write(append(b.window[i], '\n')); err != nil {
				return err
			}
		}
	}
	b.window = b.window[:0]
	return b.to.Flush()
}

// storedRows are the gateway's own records of a batch's rows.
func (s *Server) storedRows(b *batch, status string, offset, limit int) ([]object, error) {
	s.mu.Lock()
	done, output := terminal(b.row.status), s.files[b.row.output]
	source, state := s.files[b.inputFile], "queued"
	s.mu.Unlock()
	rows := []object{}
	if !done {
		return rows, nil // of a file nothing is known before its end
	}
	if output != nil {
		source, state = output, statusCompleted
	}
	index := 0
	err := eachLine(source.path, func(_ int, raw []byte) error {
		var r row
		if err := json.Unmarshal(raw, &r, json.JoinOptions(lenient...)); err != nil {
			return err
		}
		index++
		if (status == "" || status == state) && index > offset && len(rows) < limit {
			id, _ := stringOf(r.CustomID)
			rows = append(rows, object{
				"id": index, "custom_id": id, "request_index": index - 1, "provider": "openai", "native_batch_id": b.native,
				"method": nil, "endpoint": nil, "model": nil, "status": state, "response_status": 200, "response_body": nil,
				"meta": object{}, "created_at": stamp(b.row.created), "updated_at": stamp(b.row.updated),
			})
		}
		return nil
	})
	return rows, err
}
