package gateway

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"math/big"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/webhooks"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"batchkeeper/internal/secret"
)

const fuzzSecret = "whsec_a_secret_for_fuzzing_only"

// genuineMark stands, in a signature made by the fuzzer, for the true one: it
// cannot guess that, and what surrounds it is what it is to play with.
const genuineMark = "@"

// phaseoOracle is what the sender's own verifiers do: signature and timestamp
// are trimmed, a timestamp of 13 digits or more is in milliseconds, and any other
// text may be a date. The tolerance is 300 s, both ways.
func phaseoOracle(h http.Header, body []byte, now time.Time) bool {
	timestamp, signature := h.Get("x-phaseo-timestamp"), strings.TrimSpace(h.Get("x-phaseo-signature"))
	mac := hmac.New(sha256.New, []byte(fuzzSecret))
	mac.Write([]byte(timestamp + "."))
	mac.Write(body)
	got, err := hex.DecodeString(signature)
	if err != nil || !hmac.Equal(mac.Sum(nil), got) {
		return false
	}
	text := strings.TrimSpace(timestamp)
	var at *big.Int
	var ok bool
	switch {
	case text == "":
		return false
	case strings.Trim(text, "0123456789") == "":
		at, ok = new(big.Int).SetString(text, 10)
		if len(text) >= 13 {
			at.Div(at, big.NewInt(1000))
		}
	default:
		date, err := time.Parse(time.RFC3339Nano, text)
		at, ok = big.NewInt(date.Unix()), err == nil
	}
	return ok && near(at, now)
}

func near(at *big.Int, now time.Time) bool {
	apart := new(big.Int).Sub(at, big.NewInt(now.Unix()))
	return apart.CmpAbs(big.NewInt(tolerance)) <= 0
}

// We are stricter than the sender's own verifiers in this: a timestamp is ten
// digits and nothing else, a signature is 64 hexadecimal digits and nothing else,
// and both headers stand once. Otherwise we accept what they accept, and never
// what they refuse.
func FuzzVerifyPhaseo(f *testing.F) {
	for _, signature := range []string{"@", "", " @", "@@", "sha256=@", "v1,@", "@\n", "00"} {
		f.Add("1790000000", signature, []byte(`{"id":"e"}`), int64(1790000300), false)
	}
	f.Add("+1790000000", "@", []byte{}, int64(-1), true)
	f.Add("1790000000000", "@", []byte("\xff"), int64(1790000000), false)
	f.Add("2026-09-21T14:13:20Z", "@", []byte("{}"), int64(1790000000), false)
	verifier, err := NewPhaseoVerifier([]secret.Value{secret.New("whsec_another_secret_of_24_bytes"), secret.New(fuzzSecret)})
	require.NoError(f, err)
	form := regexp.MustCompile(`^[0-9a-fA-F]{64}$`)
	f.Fuzz(func(t *testing.T, timestamp, signature string, body []byte, unix int64, twice bool) {
		now := time.Unix(unix, 0)
		signature = strings.ReplaceAll(signature, genuineMark, SignPhaseo(secret.New(fuzzSecret), timestamp, body))
		h := http.Header{"X-Phaseo-Timestamp": {timestamp}, "X-Phaseo-Signature": {signature}}
		if twice {
			h["x-phaseo-SIGNATURE"] = []string{signature}
		}
		want := phaseoOracle(h, body, now) && timestampForm.MatchString(timestamp) && form.MatchString(signature) && !twice
		require.Equal(t, want, verifier.Verify(h, body, now) == nil)
		h.Set("X-Phaseo-Signature", strings.Repeat("0", 64))
		require.Error(t, verifier.Verify(h, body, now), "a forged signature was accepted")
	})
}

var fuzzStandardSecret = "whsec_" + base64.StdEncoding.EncodeToString([]byte("a standard key of 32 bytes, yes!"))

// standardForm is what we ask of the headers beyond the reference verifiers: a
// timestamp of ten digits; at most 8 entries between single spaces and 2 KiB in
// all, each with its version.
func standardForm(timestamp, signatures string) bool {
	return timestampForm.MatchString(timestamp) && len(signatures) <= 2<<10 && strings.Count(signatures, " ") < 8
}

// We are stricter than openai-go, which takes a signature without a version and
// any white space, and than the Standard Webhooks library, which takes what
// follows a second comma and an empty key. What either refuses we never accept;
// what both accept, in the form above, we do.
func FuzzVerifyStandard(f *testing.F) {
	for _, signatures := range []string{
		"v1,@", "@", "v1,@,x", "v1,@ v1,@", "v1, v1,@", "v1a,@", "v1,@\t", " v1,@", "v1,\n@",
		strings.Repeat("v1,x ", 7) + "v1,@", strings.Repeat("v1,x ", 8) + "v1,@",
	} {
		f.Add("wh_1", "1790000000", signatures, []byte(`{"id":"e"}`), int64(1790000300))
	}
	f.Add("", "1790000000", "v1,@", []byte{}, int64(1790000000))
	f.Add("a.1790000000", "0001790000000", "v1,@", []byte("."), int64(1790000301))
	verifier, err := NewOpenAIVerifier([]secret.Value{secret.New(fuzzStandardSecret)})
	require.NoError(f, err)
	library, err := standardwebhooks.NewWebhook(fuzzStandardSecret)
	require.NoError(f, err)
	openAI := webhooks.NewWebhookService(option.WithWebhookSecret(fuzzStandardSecret))
	f.Fuzz(func(t *testing.T, id, timestamp, signatures string, body []byte, unix int64) {
		now := time.Unix(unix, 0)
		genuine, err := SignOpenAI(secret.New(fuzzStandardSecret), id, timestamp, body)
		require.NoError(t, err)
		signatures = strings.ReplaceAll(signatures, genuineMark, strings.TrimPrefix(genuine, "v1,"))
		h := http.Header{"Webhook-Id": {id}, "Webhook-Timestamp": {timestamp}, "Webhook-Signature": {signatures}}
		ours := verifier.Verify(h, body, now) == nil
		byOpenAI := openAI.VerifySignatureWithToleranceAndTime(body, h, tolerance*time.Second, now) == nil
		byLibrary := library.VerifyIgnoringTimestamp(body, h) == nil // it knows no other clock than its own
		if ours {
			require.True(t, byOpenAI && byLibrary, "what a reference refuses was accepted")
		}
		require.Equal(t, byOpenAI && byLibrary && standardForm(timestamp, signatures) && hasEntry(signatures, genuine), ours)
	})
}

// hasEntry tells whether the true signature stands there as an entry of its own.
func hasEntry(signatures, genuine string) bool {
	for entry := range strings.SplitSeq(signatures, " ") {
		if entry == genuine {
			return true
		}
	}
	return false
}

// A signing secret that we take has 24 bytes at least and means to the reference
// library what it means to us; one that we refuse is not told to anybody.
func FuzzSigningSecret(f *testing.F) {
	for _, text := range []string{
		"", "whsec_", fuzzSecret, fuzzStandardSecret, fuzzStandardSecret + "\n", "whsec_" + strings.Repeat("A", 31), "whsec_" + strings.Repeat("A", 31) + "B",
		"whsec_" + strings.Repeat("A", 16) + "\n" + strings.Repeat("A", 16), strings.Repeat("k", 24), "whsec_" + strings.Repeat("-", 44),
		"whsec_" + strings.Repeat("A", 40), strings.Repeat("\x00", 24), // zeros, which sign as the empty key does
	} {
		f.Add(text, "id", []byte("{}"))
	}
	f.Fuzz(func(t *testing.T, text, id string, body []byte) {
		key, now := secret.New(text), time.Unix(1790000000, 0)
		_, err := NewPhaseoVerifier([]secret.Value{key})
		require.Equal(t, len(key.Reveal()) >= minKeyBytes && strings.Trim(key.Reveal(), "\x00") != "", err == nil)
		_, err = NewOpenAIVerifier([]secret.Value{key})
		signature, signErr := SignOpenAI(key, id, "1790000000", body)
		require.Equal(t, err == nil, signErr == nil)
		if err != nil {
			if len(text) > len("a signing secret does not begin with whsec_: use the endpoint's whole secret") {
				require.NotContains(t, err.Error(), text)
			}
			return
		}
		library, err := standardwebhooks.NewWebhook(key.Reveal())
		require.NoError(t, err)
		want, err := library.Sign(id, now, body)
		require.NoError(t, err)
		require.Equal(t, want, signature)
		empty, err := standardwebhooks.NewWebhook("whsec_")
		require.NoError(t, err, "the reference takes an empty key; we do not")
		forged, err := empty.Sign(id, now, body)
		require.NoError(t, err)
		require.NotEqual(t, forged, signature)
	})
}

// A timestamp is fresh when it is ten digits, without a leading zero, and at most
// 300 s from now, however far away now is.
func FuzzTimestamp(f *testing.F) {
	for _, text := range []string{
		"1790000000", "1790000301", "0", "-1790000000", "+1790000000", "01790000000", "1790000000\n", "9999999999", "１７９０００００００", "1e9", "",
	} {
		f.Add(text, int64(1790000000))
	}
	f.Add("1790000000", int64(1<<63-1))
	f.Add("1790000000", int64(-1<<63))
	f.Fuzz(func(t *testing.T, text string, unix int64) {
		at, whole := new(big.Int).SetString(text, 10)
		want := whole && at.String() == text && len(text) == 10 && at.Sign() > 0 && near(at, time.Unix(unix, 0))
		require.Equal(t, want, fresh(text, time.Unix(unix, 0)))
	})
}
