package gatewaytest

import (
	"net/http"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// prepareRows checks every row. In file mode the gateway folds whatever is wrong into one reason and names no row; the
// reasons of its reservation step stand as they are in both modes. Plain OpenAI accepts the batch and fails it later.
func (s *Server) prepareRows(c *createRequest, b *batch) (answer, bool) {
	inline := b.inputFile == ""
	set, refusal, refused := s.readRows(c, b)
	if refused {
		return refusal, true
	}
	b.rows, b.failing, b.model = set.rows, set.failing, set.model
	if s.opts.OpenAI {
		b.problems = append(set.shape, foreignModel(set)...)
		return answer{}, false
	}
	switch {
	case !inline && (len(set.shape) > 0 || set.rows == 0 || set.rows > maxFileLines):
		return s.invalid("batch_input_file_not_priceable"), true
	case len(set.shape) > 0:
		return s.invalid(set.shape[0].reason), true
	case set.rows > maxReservedRows:
		return s.invalid("batch_request_limit_exceeded"), true
	case b.endpoint != endpointResponses && b.endpoint != endpointChat:
		return s.invalid("batch_endpoint_not_supported"), true
	case len(set.reservation) > 0:
		return s.invalid(set.reservation[0].reason), true
	}
	if inline {
		return answer{}, false
	}
	b.problems = foreignModel(set)
	return answer{}, false
}

// readRows reads the input file, or makes one of the call's own rows.
func (s *Server) readRows(c *createRequest, b *batch) (*rowSet, answer, bool) {
	if b.inputFile == "" {
		f, set, err := s.inputOf(c, b.endpoint)
		if err != nil {
			return nil, s.flat(http.StatusInternalServerError, "gateway_error", "batch_input_file_upload_failed", nil), true
		}
		if len(set.shape) == 0 {
			f.sessionID = b.sessionID
			b.inputFile = f.id
			s.keep(f, "made of the create call's rows")
		}
		return set, answer{}, false
	}
	s.mu.Lock()
	path := s.files[b.inputFile].path
	s.mu.Unlock()
	set := newRowSet(b.endpoint, "")
	err := eachLine(path, func(number int, line []byte) error {
		set.add(number, jsontext.Value(line))
		return nil
	})
	if err != nil {
		return nil, s.invalid("batch_input_file_not_priceable"), true
	}
	return set, answer{}, false
}

// foreignModel is what the provider says about a model id that is not its own: file rows are not rewritten on the way.
func foreignModel(set *rowSet) []rowProblem {
	if !strings.Contains(set.model, "/") {
		return nil
	}
	return []rowProblem{{line: 1, reason: "model_not_found", message: "The model '" + set.model + "' does not exist. " +
		"Rows of a file are sent as they are: use the provider's own model id."}}
}
