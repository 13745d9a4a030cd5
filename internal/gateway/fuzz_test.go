package gateway

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/secret"
)

const fuzzSecret = "whsec_a_secret_for_fuzzing_only"

// Only the one true signature of a body and timestamp, in either case of
// hexadecimal, may verify.
func FuzzVerifyPhaseo(f *testing.F) {
	genuine := SignPhaseo(secret.New(fuzzSecret), "1790000000", []byte(`{"id":"e"}`))
	f.Add("1790000000", genuine, []byte(`{"id":"e"}`), int64(1790000000))
	f.Add("1790000000", "", []byte(`{"id":"e"}`), int64(1790000300))
	f.Add("+1790000000", genuine[:10], []byte{}, int64(-1))
	verifier, err := NewPhaseoVerifier([]secret.Value{secret.New(fuzzSecret)})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, timestamp, signature string, body []byte, now int64) {
		h := http.Header{"X-Phaseo-Timestamp": {timestamp}, "X-Phaseo-Signature": {signature}}
		err := verifier.Verify(h, body, time.Unix(now, 0))
		want := SignPhaseo(secret.New(fuzzSecret), timestamp, body)
		h.Set("X-Phaseo-Signature", want)
		genuineErr := verifier.Verify(h, body, time.Unix(now, 0))
		if err == nil {
			require.True(t, strings.EqualFold(signature, want), "a forged signature was accepted")
			require.NoError(t, genuineErr)
			at, err := strconv.ParseInt(timestamp, 10, 64)
			require.NoError(t, err)
			require.InDelta(t, now, at, 300)
		}
	})
}

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
