package gateway_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/gateway"
	"batchkeeper/internal/secret"
)

// The vector of the gateway's documentation.
const (
	vectorSecret    = "whsec_contract_vector_only"
	vectorTimestamp = "1790000000"
	vectorBody      = `{"id":"evt_batch_batch_01K3ZZZZZZZZZZZZZZZZZZZZZZ_batch_completed","type":"batch.completed"}`
	vectorSignature = "b47a769235f29ce5cfce4cbf1231da77a5fa99beca36531c6434417d5a338463"
)

var vectorTime = time.Unix(1790000000, 0)

func phaseoHeader(timestamp, signature string) http.Header {
	h := http.Header{}
	h.Set("x-phaseo-timestamp", timestamp)
	h.Set("x-phaseo-signature", signature)
	return h
}

func phaseoVerifier(t testing.TB, keys ...string) *gateway.Verifier {
	t.Helper()
	v, err := gateway.NewPhaseoVerifier(secrets(keys))
	require.NoError(t, err)
	return v
}

func secrets(texts []string) []secret.Value {
	var values []secret.Value
	for _, text := range texts {
		values = append(values, secret.New(text))
	}
	return values
}

func TestPhaseoVector(t *testing.T) {
	require.Len(t, vectorBody, 92)
	require.Equal(t, vectorSignature, gateway.SignPhaseo(secret.New(vectorSecret), vectorTimestamp, []byte(vectorBody)))
	require.NoError(t, phaseoVerifier(t, vectorSecret).Verify(phaseoHeader(vectorTimestamp, vectorSignature), []byte(vectorBody), vectorTime))
}

func TestPhaseoRules(t *testing.T) {
	valid := func() http.Header { return phaseoHeader(vectorTimestamp, vectorSignature) }
	signedAt := func(timestamp string) http.Header {
		return phaseoHeader(timestamp, gateway.SignPhaseo(secret.New(vectorSecret), timestamp, []byte(vectorBody)))
	}
	edited := func(edit func(http.Header)) http.Header { h := valid(); edit(h); return h }
	for name, tc := range map[string]struct {
		header http.Header
		now    time.Time
		ok     bool
	}{
		"valid":                        {valid(), vectorTime, true},
		"300 s old":                    {valid(), vectorTime.Add(300 * time.Second), true},
		"300 s ahead":                  {valid(), vectorTime.Add(-300 * time.Second), true},
		"upper case":                   {phaseoHeader(vectorTimestamp, strings.ToUpper(vectorSignature)), vectorTime, true},
		"301 s old":                    {valid(), vectorTime.Add(301 * time.Second), false},
		"301 s ahead":                  {valid(), vectorTime.Add(-301 * time.Second), false},
		"in 1970":                      {valid(), time.Unix(0, 0), false},
		"in the far future":            {valid(), time.Unix(1<<62, 0), false},
		"in the far past":              {valid(), time.Unix(-1<<62, 0), false},
		"no headers":                   {http.Header{}, vectorTime, false},
		"nil headers":                  {nil, vectorTime, false},
		"no timestamp":                 {edited(func(h http.Header) { h.Del("x-phaseo-timestamp") }), vectorTime, false},
		"no signature":                 {edited(func(h http.Header) { h.Del("x-phaseo-signature") }), vectorTime, false},
		"empty signature":              {phaseoHeader(vectorTimestamp, ""), vectorTime, false},
		"two timestamps":               {edited(func(h http.Header) { h.Add("x-phaseo-timestamp", vectorTimestamp) }), vectorTime, false},
		"two signatures":               {edited(func(h http.Header) { h.Add("x-phaseo-signature", vectorSignature) }), vectorTime, false},
		"two signatures, another case": {edited(func(h http.Header) { h["x-Phaseo-signature"] = []string{vectorSignature} }), vectorTime, false},
		"cut signature":                {phaseoHeader(vectorTimestamp, vectorSignature[:62]), vectorTime, false},
		"first byte only":              {phaseoHeader(vectorTimestamp, vectorSignature[:2]), vectorTime, false},
		"longer signature":             {phaseoHeader(vectorTimestamp, vectorSignature+"00"), vectorTime, false},
		"not hex":                      {phaseoHeader(vectorTimestamp, strings.Repeat("zz", 32)), vectorTime, false},
		"spaces":                       {phaseoHeader(vectorTimestamp, " "+vectorSignature), vectorTime, false},
		"prefix":                       {phaseoHeader(vectorTimestamp, "sha256="+vectorSignature), vectorTime, false},
		"two in one":                   {phaseoHeader(vectorTimestamp, vectorSignature+" "+vectorSignature), vectorTime, false},
		"plus sign":                    {signedAt("+1790000000"), vectorTime, false},
		"leading zero":                 {signedAt("01790000000"), vectorTime, false},
		"milliseconds":                 {signedAt("1790000000000"), vectorTime, false},
		"fraction":                     {signedAt("1790000000.0"), vectorTime, false},
		"date":                         {signedAt("2026-09-21T14:13:20Z"), vectorTime, false},
		"line break":                   {signedAt("1790000000\n"), vectorTime, false},
		"other digits":                 {signedAt("１７９０００００００"), vectorTime, false},
	} {
		t.Run(name, func(t *testing.T) {
			err := phaseoVerifier(t, vectorSecret).Verify(tc.header, []byte(vectorBody), tc.now)
			if tc.ok {
				require.NoError(t, err)
				return
			}
			require.Equal(t, gateway.ErrUnauthentic, err, "every cause gets the same error")
		})
	}
}

func TestEveryByteOfTheBodyCounts(t *testing.T) {
	v := phaseoVerifier(t, vectorSecret)
	for i := range vectorBody {
		body := []byte(vectorBody)
		body[i] ^= 1
		require.Error(t, v.Verify(phaseoHeader(vectorTimestamp, vectorSignature), body, vectorTime))
	}
	require.Error(t, v.Verify(phaseoHeader(vectorTimestamp, vectorSignature), []byte(vectorBody+"\n"), vectorTime))
	require.Error(t, v.Verify(phaseoHeader(vectorTimestamp, vectorSignature), nil, vectorTime))
}

func TestRotation(t *testing.T) {
	old, fresh := "whsec_the_old_secret_of_24_bytes", "whsec_the_new_secret_of_24_bytes"
	both := phaseoVerifier(t, old, fresh)
	for _, key := range []string{old, fresh} {
		h := phaseoHeader(vectorTimestamp, gateway.SignPhaseo(secret.New(key), vectorTimestamp, []byte(vectorBody)))
		require.NoError(t, both.Verify(h, []byte(vectorBody), vectorTime))
	}
	h := phaseoHeader(vectorTimestamp, gateway.SignPhaseo(secret.New(old), vectorTimestamp, []byte(vectorBody)))
	require.Error(t, phaseoVerifier(t, fresh).Verify(h, []byte(vectorBody), vectorTime), "a removed key still opens")
}

func TestVerifiersNeedRealKeys(t *testing.T) {
	standard := func(n int) string { return "whsec_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("k"), n)) }
	zeros := "whsec_" + strings.Repeat("A", 32)
	for name, tc := range map[string]struct {
		make func([]secret.Value) (*gateway.Verifier, error)
		keys []string
		ok   bool
	}{
		"phaseo":             {gateway.NewPhaseoVerifier, []string{strings.Repeat("k", 24)}, true},
		"phaseo, none":       {gateway.NewPhaseoVerifier, nil, false},
		"phaseo, empty":      {gateway.NewPhaseoVerifier, []string{""}, false},
		"phaseo, short":      {gateway.NewPhaseoVerifier, []string{strings.Repeat("k", 23)}, false},
		"phaseo, one short":  {gateway.NewPhaseoVerifier, []string{strings.Repeat("k", 24), "whsec_"}, false},
		"openai":             {gateway.NewOpenAIVerifier, []string{standard(24)}, true},
		"openai, none":       {gateway.NewOpenAIVerifier, nil, false},
		"openai, empty":      {gateway.NewOpenAIVerifier, []string{""}, false},
		"openai, no bytes":   {gateway.NewOpenAIVerifier, []string{"whsec_"}, false},
		"openai, zeros":      {gateway.NewOpenAIVerifier, []string{zeros}, false},
		"openai, long zeros": {gateway.NewOpenAIVerifier, []string{zeros + strings.Repeat("A", 64)}, false},
		"phaseo, zeros":      {gateway.NewPhaseoVerifier, []string{strings.Repeat("\x00", 24)}, false},
		"openai, short":      {gateway.NewOpenAIVerifier, []string{standard(23)}, false},
		"openai, no prefix":  {gateway.NewOpenAIVerifier, []string{strings.TrimPrefix(standard(32), "whsec_")}, false},
		"openai, not base64": {gateway.NewOpenAIVerifier, []string{"whsec_" + strings.Repeat("-", 44)}, false},
		"openai, line break": {gateway.NewOpenAIVerifier, []string{standard(24)[:20] + "\n" + standard(24)[20:]}, false},
	} {
		t.Run(name, func(t *testing.T) {
			v, err := tc.make(secrets(tc.keys))
			if tc.ok {
				require.NoError(t, err)
				return
			}
			require.Error(t, err)
			require.Nil(t, v)
			for _, key := range tc.keys {
				if len(key) > len("whsec_") {
					require.NotContains(t, err.Error(), key)
				}
			}
		})
	}
}

func TestTheZeroVerifierOpensNothing(t *testing.T) {
	empty := hmac.New(sha256.New, nil)
	empty.Write([]byte(vectorTimestamp + "." + vectorBody))
	h := phaseoHeader(vectorTimestamp, strconv.Quote(string(empty.Sum(nil))))
	require.ErrorIs(t, new(gateway.Verifier).Verify(h, []byte(vectorBody), vectorTime), gateway.ErrUnauthentic)
	var none *gateway.Verifier
	require.ErrorIs(t, none.Verify(h, []byte(vectorBody), vectorTime), gateway.ErrUnauthentic)
}
