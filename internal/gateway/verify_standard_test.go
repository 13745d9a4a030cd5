package gateway_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/webhooks"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"batchkeeper/internal/gateway"
	"batchkeeper/internal/secret"
)

const (
	standardBody = `{"id":"evt_685343a1381c819085d44c354e1b330e","type":"batch.completed","created_at":1790000000,"data":{"id":"batch_abc"}}`
	standardID   = "wh_685342e6c53c8190a1be43f081506c52"
)

var standardSecret = "whsec_" + base64.StdEncoding.EncodeToString([]byte("a standard key of 32 bytes, yes!"))

func standardHeader(id, timestamp, signature string) http.Header {
	h := http.Header{}
	h.Set("webhook-id", id)
	h.Set("webhook-timestamp", timestamp)
	h.Set("webhook-signature", signature)
	return h
}

func standardSignature(t testing.TB, id, timestamp string) string {
	t.Helper()
	signature, err := gateway.SignOpenAI(secret.New(standardSecret), id, timestamp, []byte(standardBody))
	require.NoError(t, err)
	return signature
}

func standardVerifier(t testing.TB) *gateway.Verifier {
	t.Helper()
	v, err := gateway.NewOpenAIVerifier(secrets([]string{standardSecret}))
	require.NoError(t, err)
	return v
}

// oracle is openai-go's own verifier.
func oracle(h http.Header, body []byte, now time.Time) error {
	service := webhooks.NewWebhookService(option.WithWebhookSecret(standardSecret))
	return service.VerifySignatureWithToleranceAndTime(body, h, 300*time.Second, now)
}

func TestStandardRules(t *testing.T) {
	good := standardSignature(t, standardID, vectorTimestamp)
	bare := strings.TrimPrefix(good, "v1,")
	for name, tc := range map[string]struct {
		header http.Header
		now    time.Time
		ok     bool
	}{
		"valid":               {standardHeader(standardID, vectorTimestamp, good), vectorTime, true},
		"second of two":       {standardHeader(standardID, vectorTimestamp, "v1,"+strings.Repeat("A", 43)+"= "+good), vectorTime, true},
		"beside another kind": {standardHeader(standardID, vectorTimestamp, "v1a,xxxx "+good), vectorTime, true},
		"300 s old":           {standardHeader(standardID, vectorTimestamp, good), vectorTime.Add(300 * time.Second), true},
		"301 s old":           {standardHeader(standardID, vectorTimestamp, good), vectorTime.Add(301 * time.Second), false},
		"301 s ahead":         {standardHeader(standardID, vectorTimestamp, good), vectorTime.Add(-301 * time.Second), false},
		"eight":               {standardHeader(standardID, vectorTimestamp, strings.Repeat("v1,x ", 7)+good), vectorTime, true},
		"nine":                {standardHeader(standardID, vectorTimestamp, strings.Repeat("v1,x ", 8)+good), vectorTime, false},
		"long header":         {standardHeader(standardID, vectorTimestamp, good+" v1,"+strings.Repeat("A", 2048)), vectorTime, false},
		"nothing after comma": {standardHeader(standardID, vectorTimestamp, "v1,"), vectorTime, false},
		"cut":                 {standardHeader(standardID, vectorTimestamp, good[:len(good)-4]), vectorTime, false},
		"no version":          {standardHeader(standardID, vectorTimestamp, bare), vectorTime, false},
		"other version":       {standardHeader(standardID, vectorTimestamp, "v2,"+bare), vectorTime, false},
		"line break inside":   {standardHeader(standardID, vectorTimestamp, good[:10]+"\n"+good[10:]), vectorTime, false},
		"loose last bits":     {standardHeader(standardID, vectorTimestamp, good[:len(good)-2]+string(good[len(good)-2]+1)+"="), vectorTime, false},
		"other id":            {standardHeader("wh_other", vectorTimestamp, good), vectorTime, false},
		"no id":               {standardHeader("", vectorTimestamp, standardSignature(t, "", vectorTimestamp)), vectorTime, false},
		"plus sign":           {standardHeader(standardID, "+1790000000", standardSignature(t, standardID, "+1790000000")), vectorTime, false},
		"no headers":          {http.Header{}, vectorTime, false},
	} {
		t.Run(name, func(t *testing.T) {
			err := standardVerifier(t).Verify(tc.header, []byte(standardBody), tc.now)
			if tc.ok {
				require.NoError(t, err)
				require.NoError(t, oracle(tc.header, []byte(standardBody), tc.now))
				return
			}
			require.Equal(t, gateway.ErrUnauthentic, err)
		})
	}
	for _, name := range []string{"webhook-id", "webhook-timestamp", "webhook-signature"} {
		h := standardHeader(standardID, vectorTimestamp, good)
		h.Add(name, h.Get(name))
		require.Error(t, standardVerifier(t).Verify(h, []byte(standardBody), vectorTime), "%s stands twice", name)
	}
}

func TestSignOpenAINeedsARealKey(t *testing.T) {
	_, err := gateway.SignOpenAI(secret.New("whsec_"), "id", "1", nil)
	require.ErrorContains(t, err, "fewer than 24 bytes")
}

// What we accept, the reference accepts too; what it accepts and is in the
// sender's form, we accept.
func TestAgainstTheReferenceVerifier(t *testing.T) {
	v := standardVerifier(t)
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.StringMatching(`[a-z_0-9]{0,12}`).Draw(t, "id")
		body := rapid.SliceOfN(rapid.Byte(), 0, 64).Draw(t, "body")
		at := vectorTime.Add(time.Duration(rapid.IntRange(-400, 400).Draw(t, "skew")) * time.Second)
		signature, err := gateway.SignOpenAI(secret.New(standardSecret), id, vectorTimestamp, body)
		require.NoError(t, err)
		header := standardHeader(id, vectorTimestamp, rapid.SampledFrom([]string{
			signature, "v1,AAAA " + signature, signature + " v1a,zz", signature[:len(signature)-1], strings.ToLower(signature), "v1,", " " + signature,
		}).Draw(t, "signature"))
		if rapid.Bool().Draw(t, "tampered") {
			body = append(body, 'x')
		}
		require.Equal(t, oracle(header, body, at) == nil, v.Verify(header, body, at) == nil)
	})
}
