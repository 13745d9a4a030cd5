package gateway

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What parses is bounded, printable and parses to the same again.
func FuzzParsePhaseo(f *testing.F) {
	f.Add([]byte(`{"id":"e","type":"batch.completed","delivery":{"key":"batch.completed","attempt":1},"data":{"id":"b","session_id":"s"}}`), "e")
	f.Add([]byte(`{"id":"e","id":"f"}`), "f")
	f.Fuzz(func(t *testing.T, body []byte, eventID string) {
		h := http.Header{"X-Phaseo-Event-Id": {eventID}}
		d, err := ParsePhaseo(h, body)
		if err != nil {
			require.Equal(t, Delivery{}, d)
			return
		}
		require.Equal(t, eventID, d.EventID, "an unsigned header was believed")
		again, err := ParsePhaseo(nil, body)
		require.NoError(t, err)
		require.Equal(t, d, again)
		require.LessOrEqual(t, len(d.SessionID)+len(d.BatchID), 2*maxDeliveryField)
		require.Equal(t, d.SessionID, clean(d.SessionID, len(d.SessionID)))
	})
}

// However odd the header, the wait is between nothing and a day.
func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{"17", "-1", "Mon, 24 Aug 2026 09:50:58 GMT", "99999999999999999999", "1e9", ""} {
		f.Add(seed, "Mon, 24 Aug 2026 09:49:58 GMT")
	}
	f.Fuzz(func(t *testing.T, value, date string) {
		d := retryAfter(http.Header{"Retry-After": {value}, "Date": {date}}, time.Unix(1790000000, 0))
		require.GreaterOrEqual(t, d, time.Duration(0))
		require.LessOrEqual(t, d, maxRetryAfter)
	})
}
