package bridge_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"batchkeeper/webhookbridge/bridge"
)

func TestASignalIsAHintOfAtMost2KiB(t *testing.T) {
	w := connectedWorld(t, nil)
	e := completed()
	e.ID, e.BatchID, e.Key = strings.Repeat("e", 160), strings.Repeat("b", 100), strings.Repeat("k", 64)
	e.Session = strings.Repeat("<", 200) + "~" + strings.Repeat("r", 64)
	e.Type, e.Attempt = "batch.status_changed", 1<<30
	require.Equal(t, http.StatusOK, w.send(phaseo(t, e)).Code)
	payload, err := json.Marshal(w.runs.signals()[0].Delivery)
	require.NoError(t, err)
	require.Less(t, len(payload), 2<<10)
}

func TestASignalCarriesTheSignedBody(t *testing.T) {
	for name, tc := range map[string]struct{ status, lifecycle, want string }{
		"terminal":                {"completed", "completed", "completed"},
		"expired, called failed":  {"expired", "failed", "expired"},
		"running":                 {"in_progress", "running", "running"},
		"unknown is left out":     {"in_progress", "jumping", ""},
		"nothing is said":         {"", "", ""},
		"American is translated":  {"canceled", "", "cancelled"},
		"only the lifecycle says": {"", "Failed", "failed"},
	} {
		t.Run(name, func(t *testing.T) {
			w := connectedWorld(t, nil)
			e := completed()
			e.Status, e.Lifecycle, e.Attempt = tc.status, tc.lifecycle, 3
			require.Equal(t, http.StatusOK, w.send(phaseo(t, e)).Code)
			n := w.runs.signals()[0]
			require.Equal(t, "nightly-1", n.WorkflowID)
			require.Equal(t, []string{"phaseo", bridge.PathPhaseo}, []string{n.Provider, n.Route})
			require.Equal(t, tc.want, string(n.Delivery.LifecycleStatus))
			require.Equal(t, []string{e.ID, e.Type, e.Key, e.BatchID, e.Session},
				[]string{n.Delivery.EventID, n.Delivery.EventType, n.Delivery.DeliveryKey, n.Delivery.BatchID, n.Delivery.SessionID})
			require.Equal(t, 3, n.Delivery.Attempt)
			require.Equal(t, clock, n.Delivery.ReceivedAt)
		})
	}
}

func TestKeysReachTheirOwnPrefixOnly(t *testing.T) {
	w := connectedWorld(t, func(o *bridge.Options) {
		o.Phaseo.WorkflowPrefix, o.OpenAI.WorkflowPrefix = "tenant-a/", "tenant-b/"
	})
	e := completed()
	require.Equal(t, "ignored\n", w.send(phaseo(t, e)).Body.String())
	require.Equal(t, "ignored\n", w.send(openAI(t, "batch.completed", "batch_9")).Body.String())
	require.Empty(t, w.runs.signals())
	e.Session = "tenant-a/nightly~run-1"
	require.Equal(t, "ok\n", w.send(phaseo(t, e)).Body.String())
	w.runs.found = "tenant-b/x"
	require.Equal(t, "ok\n", w.send(openAI(t, "batch.completed", "batch_9")).Body.String())
}
