package bridge_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/gateway"
	"batchkeeper/internal/secret"
)

var newKey = secret.New("whsec_new_key_new_key_new_key_new_key_new_ke")

// attempt sends a delivery signed with key at the world's time.
func (w *world) attempt(t *testing.T, key secret.Value) int {
	t.Helper()
	r := signedPhaseo(t, completed().json(t), w.now)
	r.Header.Set(signatureHeader, gateway.SignPhaseo(key, r.Header.Get(timestampHeader), completed().json(t)))
	return w.send(r).Code
}

func TestSecretsRotateWithoutARestart(t *testing.T) {
	w := connectedWorld(t, nil)
	require.Equal(t, http.StatusOK, w.attempt(t, phaseoKey))
	require.Equal(t, http.StatusUnauthorized, w.attempt(t, newKey))

	w.phaseo.set(nil, phaseoKey, newKey)
	w.now = w.now.Add(2 * time.Second)
	require.Equal(t, http.StatusOK, w.attempt(t, phaseoKey))
	require.Equal(t, http.StatusOK, w.attempt(t, newKey))

	w.phaseo.set(nil, newKey)
	w.now = w.now.Add(2 * time.Second)
	require.Equal(t, http.StatusUnauthorized, w.attempt(t, phaseoKey), "a removed key is refused")
	require.Equal(t, http.StatusOK, w.attempt(t, newKey))
}

func TestReloadIsNotAskedMoreOftenThanNeeded(t *testing.T) {
	w := connectedWorld(t, nil)
	w.phaseo.set(nil, newKey)
	w.now = w.now.Add(time.Second)
	require.Equal(t, http.StatusOK, w.attempt(t, phaseoKey))
	w.now = clock.Add(-time.Minute)
	require.Equal(t, http.StatusUnauthorized, w.attempt(t, phaseoKey), "a clock that was set back does not stop reloads")
}

func TestFailingReloadKeepsTheKeys(t *testing.T) {
	w := connectedWorld(t, nil)
	failures := func() float64 {
		return w.counted(t, "batchkeeper_webhook_secret_reload_failures_total", "phaseo", "", "")
	}
	require.Zero(t, failures())
	w.phaseo.set(errors.New("file is gone"))
	w.now = w.now.Add(2 * time.Second)
	require.Equal(t, http.StatusOK, w.attempt(t, phaseoKey))
	require.InDelta(t, 1, failures(), 0)
	require.Contains(t, w.log.String(), "file is gone")

	w.phaseo.set(nil, secret.New("short"))
	w.now = w.now.Add(2 * time.Second)
	require.Equal(t, http.StatusOK, w.attempt(t, phaseoKey), "an unusable key does not replace a good one")
	require.InDelta(t, 2, failures(), 0)

	w.phaseo.set(nil, newKey)
	w.now = w.now.Add(2 * time.Second)
	require.Equal(t, http.StatusOK, w.attempt(t, newKey))
	require.Equal(t, http.StatusUnauthorized, w.attempt(t, phaseoKey))
}
