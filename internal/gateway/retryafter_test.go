package gateway_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/gateway"
)

func TestRetryAfter(t *testing.T) {
	limited := func(resetAt, now string) string {
		return fmt.Sprintf(`{"error":"key_limit_exceeded","reason":"daily_request_limit_reached","request_id":"G",
			"status_code":429,"reset_at":%s,"now":%s}`, resetAt, now)
	}
	for name, tc := range map[string]struct {
		header, body string
		want         time.Duration
	}{
		"none":                {"", upstream, 0},
		"seconds":             {"17", upstream, 17 * time.Second},
		"spaces":              {" 17 ", upstream, 17 * time.Second},
		"zero":                {"0", upstream, 0},
		"date":                {"Mon, 24 Aug 2026 09:50:58 GMT", upstream, time.Minute},
		"old date form":       {"Monday, 24-Aug-26 09:50:58 GMT", upstream, time.Minute},
		"past date":           {"Mon, 24 Aug 2026 09:40:00 GMT", upstream, 0},
		"far date":            {"Mon, 24 Aug 2099 09:40:00 GMT", upstream, 24 * time.Hour},
		"absurd":              {"99999999999999999999999", upstream, 24 * time.Hour},
		"a week":              {"604800", upstream, 24 * time.Hour},
		"negative":            {"-5", upstream, 0},
		"fraction":            {"1.5", upstream, 0},
		"words":               {"soon", upstream, 0},
		"other digits":        {"１７", upstream, 0},
		"plain text":          {"17", "slow down", 17 * time.Second},
		"reset":               {"", limited(`"2026-08-24T10:00:00Z"`, `"2026-08-24T09:59:00Z"`), time.Minute},
		"reset, server clock": {"", limited(`"2026-08-24T09:51:58Z"`, `null`), 2 * time.Minute},
		"reset in a month":    {"", limited(`"2026-09-24T10:00:00Z"`, `"2026-08-24T09:59:00Z"`), 24 * time.Hour},
		"reset over":          {"", limited(`"2026-08-24T09:00:00Z"`, `"2026-08-24T09:59:00Z"`), 0},
		"no reset":            {"", limited(`null`, `null`), 0},
		"header wins":         {"3", limited(`"2026-08-24T10:00:00Z"`, `"2026-08-24T09:59:00Z"`), 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Date", date)
				if tc.header != "" {
					w.Header().Set("Retry-After", tc.header)
				}
				saysJSON(429, tc.body)(w, r)
			})
			_, err := client(t, s.URL).Batch(t.Context(), "batch_1")
			require.Equal(t, tc.want, failure(t, err).RetryAfter)
			require.Equal(t, gateway.TryLater, failure(t, err).Class)
		})
	}
}
