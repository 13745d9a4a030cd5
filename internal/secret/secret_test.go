package secret_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/secret"
)

const canary = "sk_canary_value"

func TestNothingButRevealShowsTheText(t *testing.T) {
	v := secret.New(canary)
	require.Equal(t, canary, v.Reveal())

	nested := struct {
		Key  secret.Value
		List []secret.Value
		Ref  *secret.Value
	}{v, []secret.Value{v}, &v}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T"} {
		require.NotContains(t, fmt.Sprintf(verb, v), canary, verb)
		require.NotContains(t, fmt.Sprintf(verb, nested), canary, verb)
	}
	require.Equal(t, "[redacted]", v.String())
	require.Equal(t, "[redacted]", v.GoString())

	encoded, err := json.Marshal(nested)
	require.NoError(t, err)
	require.NotContains(t, string(encoded), canary)
	require.Contains(t, string(encoded), "[redacted]")
	asKey, err := json.Marshal(map[secret.Value]int{v: 1})
	require.NoError(t, err)
	require.NotContains(t, string(asKey), canary)
}

func TestLogsShowAPlaceholder(t *testing.T) {
	var out bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(handler).Info("start", "key", secret.New(canary), "group", slog.GroupValue(slog.Any("key", secret.New(canary))))
	}
	require.NotContains(t, out.String(), canary)
	require.Contains(t, out.String(), "[redacted]")
}

func TestWhiteSpaceAround(t *testing.T) {
	require.Equal(t, canary, secret.New(" "+canary+"\r\n").Reveal())
	require.False(t, secret.New(canary).IsZero())
	require.True(t, secret.New(" \n").IsZero())
	require.True(t, secret.Value{}.IsZero())
}
