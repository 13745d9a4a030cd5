package gateway

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"batchkeeper/internal/strictjson"
)

// loose is a field whose value is taken when it has the expected kind and reads
// as absent otherwise, so that one odd field cannot hide a whole batch.
type loose[T any] struct{ V T }

// UnmarshalJSON never fails.
func (l *loose[T]) UnmarshalJSON(data []byte) error {
	var v T
	if strictjson.Unmarshal(data, &v) == nil {
		l.V = v
	}
	return nil
}

// stamp is a time that comes as Unix seconds in one view and as a timestamp
// string in another; anything else is no time.
type stamp struct{ time.Time }

// the string forms: RFC 3339, and PostgreSQL's own with a space and a short offset
var stampLayouts = []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999Z07"}

// UnmarshalJSON never fails.
func (s *stamp) UnmarshalJSON(data []byte) error {
	text := strings.Trim(string(data), `"`)
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		if seconds > 0 && seconds < maxUnix {
			s.Time = time.UnixMilli(int64(seconds * 1000)).UTC()
		}
		return nil
	}
	for _, layout := range stampLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			// An offset can lead out of the years that can be written again.
			if t = t.UTC(); t.Year() >= 1 && t.Unix() < maxUnix {
				s.Time = t
			}
			return nil
		}
	}
	return nil
}

// maxUnix is the end of the year 9999: later times cannot be encoded as JSON.
const maxUnix = 253402300799

// maxRaw bounds what is kept of a member that is passed on as it is.
const maxRaw = 16 << 10

// keep returns data as compact JSON, nil for null and for what stays above the
// bound even without its large members.
func keep(data json.RawMessage) json.RawMessage {
	var out bytes.Buffer
	if len(data) == 0 || string(data) == "null" || json.Compact(&out, data) != nil {
		return nil
	}
	if out.Len() <= maxRaw {
		return out.Bytes()
	}
	var members map[string]json.RawMessage
	if strictjson.Unmarshal(data, &members) != nil {
		return nil
	}
	for name, value := range members {
		if len(value) > 256 {
			delete(members, name)
		}
	}
	small, err := json.Marshal(members)
	if err != nil || len(small) > maxRaw {
		return nil
	}
	return small
}
