package bridge_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/gateway"
	"batchkeeper/internal/secret"
	"batchkeeper/webhookbridge/bridge"
)

const (
	timestampHeader = "X-Phaseo-Timestamp"
	signatureHeader = "X-Phaseo-Signature"
)

// resigned is a delivery whose timestamp header is text, signed as such.
func resigned(t *testing.T, text string) *http.Request {
	t.Helper()
	r := phaseo(t, completed())
	r.Header.Set(timestampHeader, text)
	r.Header.Set(signatureHeader, gateway.SignPhaseo(phaseoKey, text, completed().json(t)))
	return r
}

func requireRefused(t *testing.T, w *world, r *http.Request) {
	t.Helper()
	answer := w.send(r)
	require.Equal(t, http.StatusUnauthorized, answer.Code)
	require.Equal(t, "unauthorized\n", answer.Body.String())
	require.Empty(t, w.runs.signals())
}

func TestForgedDeliveriesHaveNoEffect(t *testing.T) {
	other := secret.New("whsec_another_key_another_key_another_key_an")
	signature := func(r *http.Request) string { return r.Header.Get(signatureHeader) }
	for name, forge := range map[string]func(r *http.Request){
		"no signature":       func(r *http.Request) { r.Header.Del(signatureHeader) },
		"empty signature":    func(r *http.Request) { r.Header.Set(signatureHeader, "") },
		"cut signature":      func(r *http.Request) { r.Header.Set(signatureHeader, signature(r)[:62]) },
		"one digit":          func(r *http.Request) { r.Header.Set(signatureHeader, signature(r)[:1]) },
		"longer signature":   func(r *http.Request) { r.Header.Set(signatureHeader, signature(r)+"00") },
		"not hexadecimal":    func(r *http.Request) { r.Header.Set(signatureHeader, strings.Repeat("z", 64)) },
		"folded signature":   func(r *http.Request) { r.Header.Set(signatureHeader, signature(r)[:32]+" "+signature(r)[32:]) },
		"two signatures":     func(r *http.Request) { r.Header.Add(signatureHeader, signature(r)) },
		"two in two cases":   func(r *http.Request) { r.Header["x-phaseo-signature"] = []string{signature(r)} },
		"no timestamp":       func(r *http.Request) { r.Header.Del(timestampHeader) },
		"two timestamps":     func(r *http.Request) { r.Header.Add(timestampHeader, r.Header.Get(timestampHeader)) },
		"newer timestamp":    func(r *http.Request) { r.Header.Set(timestampHeader, strconv.FormatInt(clock.Unix()+1, 10)) },
		"100,000 signatures": func(r *http.Request) { r.Header.Set(signatureHeader, strings.Repeat("v1,AAAA ", 100_000)) },
		"standard webhooks'": func(r *http.Request) { r.Header.Set(signatureHeader, "v1,"+signature(r)) },
		"signed by the empty": func(r *http.Request) {
			r.Header.Set(signatureHeader, gateway.SignPhaseo(secret.Value{}, r.Header.Get(timestampHeader), completed().json(t)))
		},
		"signed by another": func(r *http.Request) {
			r.Header.Set(signatureHeader, gateway.SignPhaseo(other, r.Header.Get(timestampHeader), completed().json(t)))
		},
		"without the prefix": func(r *http.Request) {
			bare := secret.New(strings.TrimPrefix(phaseoKey.Reveal(), "whsec_"))
			r.Header.Set(signatureHeader, gateway.SignPhaseo(bare, r.Header.Get(timestampHeader), completed().json(t)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := connectedWorld(t, nil)
			r := phaseo(t, completed())
			forge(r)
			requireRefused(t, w, r)
		})
	}
}

func TestAnotherBodyIsRefused(t *testing.T) {
	w := connectedWorld(t, nil)
	genuine := phaseo(t, completed())
	changed := completed()
	changed.Status = "failed"
	r := post(t, bridge.PathPhaseo, changed.json(t))
	r.Header = genuine.Header
	requireRefused(t, w, r)
}

func TestTimestampsAreTenDigits(t *testing.T) {
	seconds := strconv.FormatInt(clock.Unix(), 10)
	for _, text := range []string{
		"+" + seconds, "0" + seconds, "-" + seconds, seconds + "000", seconds + ".0", " " + seconds, seconds + "\n", "0", "",
		clock.Format(time.RFC3339), strconv.FormatInt(clock.UnixMilli(), 10), "99999999999999999999",
	} {
		requireRefused(t, connectedWorld(t, nil), resigned(t, text))
	}
}

func TestClockSkew(t *testing.T) {
	for offset, status := range map[int64]int{
		-301: 401, -300: 200, -299: 200, 299: 200, 300: 200, 301: 401,
		-clock.Unix() + 1_000_000_000: 401, 9_999_999_999 - clock.Unix(): 401,
	} {
		t.Run(fmt.Sprint(offset), func(t *testing.T) {
			w := connectedWorld(t, nil)
			require.Equal(t, status, w.send(resigned(t, strconv.FormatInt(clock.Unix()+offset, 10))).Code)
		})
	}
}

func TestOpenAISignatures(t *testing.T) {
	const header = "Webhook-Signature"
	for name, tc := range map[string]struct {
		change func(r *http.Request)
		status int
	}{
		"an unknown scheme beside": {func(r *http.Request) { r.Header.Set(header, "v1a,AAAA "+r.Header.Get(header)) }, 200},
		"cut after v1":             {func(r *http.Request) { r.Header.Set(header, "v1,") }, 401},
		"nine entries":             {func(r *http.Request) { r.Header.Set(header, strings.Repeat("v1,AAAA ", 8)+r.Header.Get(header)) }, 401},
		"100,000 entries":          {func(r *http.Request) { r.Header.Set(header, strings.Repeat("v1,AAAA ", 100_000)+r.Header.Get(header)) }, 401},
		"another id":               {func(r *http.Request) { r.Header.Set("Webhook-Id", "wh_2") }, 401},
		"two ids":                  {func(r *http.Request) { r.Header.Add("Webhook-Id", "wh_1") }, 401},
	} {
		t.Run(name, func(t *testing.T) {
			w := connectedWorld(t, nil)
			r := openAI(t, "batch.completed", "batch_9")
			tc.change(r)
			require.Equal(t, tc.status, w.send(r).Code)
		})
	}
}

// Other readers of JSON would understand these differently, or at a price.
func TestSignedButAmbiguousBodiesAreRefused(t *testing.T) {
	plain := string(completed().json(t))
	for name, body := range map[string]string{
		"duplicate id":    strings.Replace(plain, `"id":"evt_`, `"id":"evt_x","id":"evt_`, 1),
		"duplicate data":  strings.Replace(plain, `"data":{`, `"data":{},"data":{`, 1),
		"trailing data":   plain + `{}`,
		"invalid UTF-8":   strings.Replace(plain, "evt_batch", "evt_\xff", 1),
		"other case":      strings.Replace(plain, `"id":"evt_`, `"ID":"evt_`, 1),
		"10,000 deep":     strings.Replace(plain, `"created_at":`, `"x":`+strings.Repeat("[", 10_000)+strings.Repeat("]", 10_000)+`,"created_at":`, 1),
		"an array":        "[" + plain + "]",
		"empty":           "",
		"null":            "null",
		"attempt as text": strings.Replace(plain, `"attempt":1`, `"attempt":"1"`, 1),
	} {
		t.Run(name, func(t *testing.T) {
			require.NotEqual(t, plain, body)
			w := connectedWorld(t, nil)
			require.Equal(t, http.StatusBadRequest, w.send(signedPhaseo(t, []byte(body), clock)).Code)
			require.Empty(t, w.runs.signals())
			require.InDelta(t, 1, w.counted(t, "batchkeeper_webhook_alerts_total", "phaseo", "reason", "malformed"), 0)
		})
	}
}

func TestUnusableSecretsDoNotStart(t *testing.T) {
	for name, text := range map[string]string{"empty": "", "prefix only": "whsec_", "short": strings.Repeat("k", 23)} {
		t.Run(name, func(t *testing.T) {
			o := newOptions(func(o *bridge.Options) { o.Phaseo.Secrets = newKeys(phaseoKey, secret.New(text)) })
			_, err := bridge.New(o)
			require.ErrorContains(t, err, "24 bytes")
			require.ErrorContains(t, err, "phaseo")
		})
	}
	_, err := bridge.New(newOptions(func(o *bridge.Options) { o.OpenAI.Secrets = newKeys(secret.New("not-base64-not-base64-not-base64")) }))
	require.ErrorContains(t, err, "openai")
}
