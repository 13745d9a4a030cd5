package pages

import (
	"encoding/json"
	"errors"
	"fmt"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"batchkeeper/internal/jsonl"
)

// answer is what is taken from a line of a results file.
type answer struct {
	CustomID string `json:"custom_id"`
	Response struct {
		Body jsontext.Value `json:"body"`
	} `json:"response"`
}

// decode is as lenient as the writer of the results was: an answer that was
// paid for is not lost to half a surrogate pair. What the decoder complains of
// is not repeated: it could quote the row.
func decode(line jsonl.Line) (Row, error) {
	if line.TooLong {
		return Row{}, fmt.Errorf("it has %d bytes, more than %d", line.Size, jsonl.DefaultMaxLine)
	}
	var a answer
	if err := jsonv2.Unmarshal(line.Text, &a, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)); err != nil {
		return Row{}, errors.New("it is no answer in JSON")
	}
	switch {
	case a.CustomID == "":
		return Row{}, errors.New("it has no custom_id")
	case len(a.Response.Body) == 0 || a.Response.Body.Kind() == jsontext.KindNull:
		return Row{}, errors.New("it has no response with a body")
	}
	return Row{CustomID: a.CustomID, Body: json.RawMessage(a.Response.Body)}, nil
}
