package app

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"

	"batchkeeper/batch"
	"batchkeeper/internal/visibility"
)

// namespace is a server's search attributes.
type namespace struct {
	mu     sync.Mutex
	have   map[string]enumspb.IndexedValueType
	closed error // why it registers nothing
	looks  chan struct{}
}

func (n *namespace) Namespace() string { return "ns" }

func (n *namespace) Register(_ context.Context, want map[string]enumspb.IndexedValueType) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed == nil {
		for name, kind := range want {
			if _, ok := n.have[name]; !ok { // a server ignores another type
				n.have[name] = kind
			}
		}
	}
	return n.closed
}

func (n *namespace) Registered(context.Context) (map[string]enumspb.IndexedValueType, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	select {
	case n.looks <- struct{}{}:
	default:
	}
	return maps.Clone(n.have), nil
}

func (n *namespace) create(all map[string]enumspb.IndexedValueType) {
	n.mu.Lock()
	defer n.mu.Unlock()
	maps.Copy(n.have, all)
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestAttributesAreRegistered(t *testing.T) {
	n := &namespace{have: map[string]enumspb.IndexedValueType{}}
	require.NoError(t, awaitAttributes(t.Context(), n, quiet(), time.Hour))
	require.Equal(t, visibility.Definitions(), n.have)
}

func TestAnAttributeOfAnotherTypeIsNamed(t *testing.T) {
	n := &namespace{have: map[string]enumspb.IndexedValueType{batch.AttrRows: enumspb.INDEXED_VALUE_TYPE_KEYWORD}}
	err := awaitAttributes(t.Context(), n, quiet(), time.Hour)
	require.ErrorContains(t, err, "BatchRows is Keyword, want Int")
}

func TestTheWorkerWaitsForWhatItMayNotRegister(t *testing.T) {
	n := &namespace{have: map[string]enumspb.IndexedValueType{}, closed: errors.New("permission denied"), looks: make(chan struct{}, 1)}
	var log bytes.Buffer
	done := make(chan error, 1)
	go func() {
		done <- awaitAttributes(t.Context(), n, slog.New(slog.NewTextHandler(&log, nil)), time.Millisecond)
	}()
	for range 3 {
		<-n.looks
	}
	select {
	case err := <-done:
		t.Fatalf("did not wait: %v", err)
	default:
	}
	n.create(visibility.Definitions())
	require.NoError(t, <-done)
	require.Contains(t, log.String(), "temporal operator search-attribute create --namespace ns --name BatchId --type Keyword")
	require.Contains(t, log.String(), "permission denied")
	require.Equal(t, 1, bytes.Count(log.Bytes(), []byte("waiting for search attributes")), "said once, not every time")
}

func TestTheWaitEndsWithTheProcess(t *testing.T) {
	n := &namespace{have: map[string]enumspb.IndexedValueType{}, closed: errors.New("permission denied")}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, awaitAttributes(ctx, n, quiet(), time.Hour), context.Canceled)
}
