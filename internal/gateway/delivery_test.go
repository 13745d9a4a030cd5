package gateway_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/gateway"
)

const phaseoEvent = `{"id":"evt_batch_batch_01K3_batch_completed","type":"batch.completed","created_at":1787571904,
	"delivery":{"key":"batch.completed","attempt":2,"max_attempts":4},"more":{"x":1},
	"data":{"id":"batch_01K3","object":"batch","kind":"batch","status":"expired","lifecycle_status":"expired","session_id":"nightly-1~7f3c","native_id":null}}`

var phaseoDelivery = gateway.Delivery{
	EventID: "evt_batch_batch_01K3_batch_completed", EventType: "batch.completed", DeliveryKey: "batch.completed", Attempt: 2,
	BatchID: "batch_01K3", SessionID: "nightly-1~7f3c", Status: "expired", LifecycleStatus: "expired", Kind: "batch",
}

func TestParsePhaseo(t *testing.T) {
	all := http.Header{}
	for name, value := range map[string]string{
		"x-phaseo-event-id": phaseoDelivery.EventID, "x-phaseo-event-type": "batch.completed", "x-phaseo-delivery-key": "batch.completed",
		"x-phaseo-attempt": "2", "x-phaseo-max-attempts": "4",
	} {
		all.Set(name, value)
	}
	for name, header := range map[string]http.Header{"all headers": all, "no headers": {}, "nil headers": nil} {
		t.Run(name, func(t *testing.T) {
			d, err := gateway.ParsePhaseo(header, []byte(phaseoEvent))
			require.NoError(t, err)
			require.Equal(t, phaseoDelivery, d)
		})
	}
	for name := range all {
		t.Run("another "+name, func(t *testing.T) {
			h := all.Clone()
			h.Set(name, "3")
			_, err := gateway.ParsePhaseo(h, []byte(phaseoEvent))
			require.ErrorIs(t, err, gateway.ErrMismatch)
			h = all.Clone()
			h.Add(name, "3")
			_, err = gateway.ParsePhaseo(h, []byte(phaseoEvent))
			require.ErrorIs(t, err, gateway.ErrMismatch)
		})
	}
}

func TestParsePhaseoTolerates(t *testing.T) {
	for name, body := range map[string]string{
		"another kind":       `{"id":"e","type":"video.completed","delivery":{"key":"video.completed"},"data":{"kind":"video"}}`,
		"an unknown type":    `{"id":"e","type":"batch.paused","delivery":{"key":"batch.paused"},"data":{"id":"batch_1","kind":"batch"}}`,
		"no session":         `{"id":"e","type":"batch.created","delivery":{"key":"batch.created"},"data":{"id":"batch_1","session_id":null}}`,
		"progress":           `{"id":"e","type":"batch.progress","delivery":{"key":"batch.progress:40","attempt":1},"data":{"id":"batch_1","progress":40}}`,
		"no data of a video": `{"id":"e","type":"video.failed","delivery":{"key":"video.failed"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := gateway.ParsePhaseo(nil, []byte(body))
			require.NoError(t, err)
		})
	}
}

func TestMalformedDeliveries(t *testing.T) {
	for name, body := range map[string]string{
		"empty":             ``,
		"not JSON":          `hello`,
		"array":             `[]`,
		"null":              `null`,
		"no id":             strings.Replace(phaseoEvent, `"id":"evt_batch_batch_01K3_batch_completed",`, "", 1),
		"no type":           strings.Replace(phaseoEvent, `"type":"batch.completed",`, "", 1),
		"no batch":          strings.Replace(phaseoEvent, `"id":"batch_01K3",`, "", 1),
		"id twice":          strings.Replace(phaseoEvent, `"id":"batch_01K3"`, `"id":"batch_01K3","id":"batch_other"`, 1),
		"id in other case":  strings.Replace(phaseoEvent, `"id":"batch_01K3"`, `"ID":"batch_01K3"`, 1),
		"bad UTF-8":         strings.Replace(phaseoEvent, "nightly", "night\xff", 1),
		"two values":        phaseoEvent + phaseoEvent,
		"number as id":      strings.Replace(phaseoEvent, `"id":"batch_01K3"`, `"id":7`, 1),
		"negative attempt":  strings.Replace(phaseoEvent, `"attempt":2`, `"attempt":-2`, 1),
		"control character": strings.Replace(phaseoEvent, "nightly", `night\n`, 1),
		"endless field":     strings.Replace(phaseoEvent, "nightly", strings.Repeat("n", 600), 1),
		"deep":              strings.Replace(phaseoEvent, `"more":{"x":1}`, `"more":`+strings.Repeat("[", 100)+strings.Repeat("]", 100), 1),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := gateway.ParsePhaseo(nil, []byte(body))
			require.ErrorIs(t, err, gateway.ErrMalformed)
			_, err = gateway.ParseOpenAI(nil, []byte(strings.ReplaceAll(body, "nightly", "n")))
			if name != "number as id" && name != "no batch" && name != "id in other case" && name != "id twice" {
				return
			}
			require.ErrorIs(t, err, gateway.ErrMalformed)
		})
	}
	_, err := gateway.ParsePhaseo(nil, []byte(strings.Replace(phaseoEvent, `"key":"batch.completed",`, "", 1)))
	require.ErrorIs(t, err, gateway.ErrMalformed)
}

func TestParseOpenAI(t *testing.T) {
	h := standardHeader(standardID, vectorTimestamp, "")
	d, err := gateway.ParseOpenAI(h, []byte(standardBody))
	require.NoError(t, err)
	want := gateway.Delivery{
		EventID: "evt_685343a1381c819085d44c354e1b330e", EventType: "batch.completed", DeliveryKey: "batch.completed",
		BatchID: "batch_abc", LifecycleStatus: "completed", Kind: "batch",
	}
	require.Equal(t, want, d)

	d, err = gateway.ParseOpenAI(h, []byte(`{"type":"batch.expired","data":{"id":"batch_abc"}}`))
	require.NoError(t, err)
	require.Equal(t, standardID, d.EventID)

	d, err = gateway.ParseOpenAI(h, []byte(`{"id":"evt","type":"response.completed","data":{"id":"resp_1"}}`))
	require.NoError(t, err)
	require.Equal(t, []string{"response", ""}, []string{d.Kind, d.LifecycleStatus})

	for _, body := range []string{`{}`, `{"id":"e","type":"batch.failed","data":{}}`, `{"id":"e","id":"f"}`} {
		_, err = gateway.ParseOpenAI(nil, []byte(body))
		require.ErrorIs(t, err, gateway.ErrMalformed)
	}
}
