package gateway

import (
	"bytes"
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/secret"
)

const fuzzKey = "phaseo_v1_sk_fuzzing_only"

// answerSeeds are bodies of the gateway's making and of its worst enemy's. A key
// in them stands as %.
var answerSeeds = []string{
	``, `null`, `[]`, `{}`, `{"id":"batch_1"}`, `<html>%</html>`, "\xff\xfe", `{"id":"../../x","output_file_id":"a\u0000b","error_file_id":"CON"}`,
	`{"id":"b","request_counts":{"total":1000000000,"completed":-3,"failed":9223372036854775807},"progress":1e400}`,
	`{"id":1.5,"request_counts":{"total":1.5},"created_at":1e400,"updated_at":-1,"expires_at":"NaN"}`,
	`{"id":"b","created_at":"9999-12-31T23:59:59-23:59","updated_at":"0000-01-01T00:00:00+23:59","expires_at":253402300799}`,
	`{"id":"b","polling_url":"https://evil.example/x","cancel_url":"https://evil.example/x/cancel","webhook":{"delivery":{"last_error_message":"\u202e%"}}}`,
	`{"id":"b","usage":{"x":[1,2]},"billing":{"cost_nanos":1e400},"errors":{"data":[{"code":"c","message":"m","line":3},{"message":"%\n"}]}}`,
	`{"id":"b","metadata":{"a":"\u0070haseo_v1_sk_fuzzing_only","b":1,"batchkeeper_session_id":"s~t"},"status":"completed"}`,
	`{"id":"b","errors":{"data":[{"message":"phaseo_v1\u200b_sk_fuzzing_only"}]},"usage":{"k":"\u0070haseo_v1_sk_fuzzing_only"}}`,
	`{"error":"x","reason":"phaseo_v1\u0000_sk_fuzzing_only","request_id":"G-1","status_code":502}`,
	`{"error":{"type":"upstream_outcome_unknown","reason":"r","message":"%","batch_id":"batch_1","native_batch_id":"b"}}`,
	`{"error":{"type":"t","code":"c","param":null}}`, `{"error":"forbidden","feature_gate":{},"reason":"r"}`,
	`{"error":"rate","reset_at":"9999-12-31T23:59:59Z","now":1}`, `{"data":[]}`, `{"data":[{"id":"b"},{"id":"%","created_at":1}],"has_more":1,"last_id":2}`,
	`{"id":"file-1","bytes":-1,"filename":"../../x","purpose":"batch","created_at":1e18}`, strings.Repeat(`{"error":`, 70) + strings.Repeat(`}`, 70),
}

// prepared is a body as do hands it on.
func prepared(body []byte) []byte {
	return redactAnswer(bytes.ReplaceAll(body, []byte("%"), []byte(fuzzKey)), secret.New(fuzzKey))
}

// texts are all strings that can be reached from a value.
func texts(v reflect.Value) []string {
	switch v.Kind() {
	case reflect.String:
		return []string{v.String()}
	case reflect.Slice, reflect.Array:
		if v.Type() == reflect.TypeFor[json.RawMessage]() {
			return []string{string(v.Bytes())}
		}
		return collectTexts(v.Len(), v.Index)
	case reflect.Map:
		keys := v.MapKeys()
		return append(collectTexts(len(keys), func(i int) reflect.Value { return keys[i] }),
			collectTexts(len(keys), func(i int) reflect.Value { return v.MapIndex(keys[i]) })...)
	case reflect.Struct:
		return collectTexts(v.NumField(), v.Field)
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			return texts(v.Elem())
		}
	default:
	}
	return nil
}

func collectTexts(n int, at func(int) reflect.Value) []string {
	var out []string
	for i := range n {
		out = append(out, texts(at(i))...)
	}
	return out
}

// requireHarmless holds whatever was read of an answer to what its readers count
// on: it can be written as JSON and read again, and does not hold the key.
func requireHarmless(t *testing.T, v any) {
	t.Helper()
	raw, err := json.Marshal(v)
	require.NoError(t, err)
	require.True(t, json.Valid(raw))
	for _, text := range texts(reflect.ValueOf(v)) {
		require.NotContains(t, text, fuzzKey)
	}
}

func requireBatch(t *testing.T, b Batch) {
	t.Helper()
	requireHarmless(t, b)
	for _, raw := range []json.RawMessage{b.Usage, b.Billing} {
		require.True(t, raw == nil || json.Valid(raw) && len(raw) <= maxRaw)
	}
	require.Equal(t, b.Errors, clean(b.Errors, maxErrorList))
	if b.Progress != nil {
		require.True(t, *b.Progress >= 0 && *b.Progress <= 100)
	}
	if c := b.RequestCounts; c != nil {
		for _, n := range []int64{c.Total, c.Completed, c.Failed} {
			require.True(t, n >= 0 && n <= maxCount)
		}
	}
	if b.Webhook != nil {
		require.LessOrEqual(t, len(b.Webhook.LastErrorMessage), maxErrorText)
	}
	for _, at := range []time.Time{b.CreatedAt, b.UpdatedAt, b.ExpiresAt} {
		require.True(t, at.IsZero() || at.Year() >= 1 && at.Year() <= 9999)
	}
}

// Whatever a batch's description is, what is read of it is bounded and harmless.
func FuzzBatch(f *testing.F) {
	for _, body := range answerSeeds {
		f.Add([]byte(body), "Mon, 24 Aug 2026 09:49:58 GMT")
	}
	f.Fuzz(func(t *testing.T, body []byte, date string) {
		a := &answer{status: 200, header: http.Header{"Date": {date}}, body: prepared(body)}
		for _, dialect := range []Dialect{Phaseo, OpenAI} {
			b, err := decodeBatch(dialect, a)
			if err != nil {
				require.Equal(t, Batch{}, b)
				continue
			}
			requireBatch(t, b)
		}
		if file, err := decodeFile(a); err == nil {
			requireHarmless(t, file)
		}
	})
}

// A list is read only where there is one, and each of its batches as if it were
// alone.
func FuzzList(f *testing.F) {
	for _, body := range answerSeeds {
		f.Add([]byte(body))
		f.Add([]byte(`{"data":[` + body + `,{}]}`))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		a := &answer{status: 200, header: http.Header{}, body: prepared(body)}
		page, err := decodePage(Phaseo, a)
		if err != nil {
			require.Equal(t, Page{}, page)
			return
		}
		var list struct {
			Data []json.RawMessage `json:"data"`
		}
		require.NoError(t, json.Unmarshal(a.body, &list))
		require.NotNil(t, list.Data)
		require.Len(t, page.Batches, len(list.Data))
		requireHarmless(t, page)
		for i, b := range page.Batches {
			requireBatch(t, b)
			alone, err := decodeBatch(Phaseo, &answer{status: 200, header: http.Header{}, body: list.Data[i]})
			require.NoError(t, err)
			require.Equal(t, alone, b)
		}
	})
}

// Whatever an error answer says, its error is short, printable and without the
// key, and only a batch id makes a create accepted.
func FuzzEnvelope(f *testing.F) {
	for i, body := range answerSeeds {
		f.Add(400+i*7, []byte(body), "17", "req_%")
	}
	f.Add(502, []byte(`{"error":{"type":"async_job_persistence_failed","batch_id":"batch_1"}}`), "Mon, 24 Aug 2026 09:49:58 GMT", "")
	f.Fuzz(func(t *testing.T, status int, body []byte, wait, request string) {
		key := secret.New(fuzzKey)
		h := http.Header{"Retry-After": {wait}, "X-Request-Id": {strings.ReplaceAll(request, "%", fuzzKey)}}
		for _, dialect := range []Dialect{Phaseo, OpenAI} {
			for _, r := range []*call{{op: "create batch", guard: &guard{}}, {op: "read batch"}} {
				e := r.refusal(dialect, &http.Response{StatusCode: status, Header: h}, prepared(body), key)
				requireHarmless(t, []string{e.Code, e.Reason, e.Message, e.RequestID, e.BatchID, e.NativeBatchID, e.Error()})
				require.Equal(t, e.Error(), clean(e.Error(), maxErrorText))
				for _, field := range []string{e.Code, e.Reason, e.Message, e.RequestID, e.BatchID, e.NativeBatchID} {
					require.Equal(t, field, clean(field, maxErrorText))
				}
				require.True(t, e.RetryAfter >= 0 && e.RetryAfter <= maxRetryAfter)
				require.True(t, e.Envelope >= EnvelopeA && e.Envelope <= EnvelopeF)
				require.True(t, r.creates() || e.Class == Refused || e.Class == TryLater, "%s", e.Class)
				require.False(t, e.Class == Accepted && e.BatchID == "")
				require.False(t, r.creates() && status < 400 && e.Class != Unknown, "an answer that is no error proves nothing")
			}
		}
	})
}
