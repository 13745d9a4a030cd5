package bridge

import (
	"fmt"
	"sync"
	"time"

	"batchkeeper/internal/gateway"
	"batchkeeper/internal/secret"
)

// SecretSource gives a route's signing secrets as they are now.
type SecretSource interface {
	// Configured reports whether the operator named any.
	Configured() bool
	// Keys returns them, several while one is being rotated.
	Keys() ([]secret.Value, error)
}

// reloadEvery bounds how long a removed secret is still accepted, and how often
// a stranger can make us read a file.
const reloadEvery = 2 * time.Second

// keyring holds a route's verifier and keeps it in step with its source. When
// the source fails, the keys known last stay good: a secret mount that is
// being replaced must not cost an event.
type keyring struct {
	source  SecretSource
	build   func([]secret.Value) (*gateway.Verifier, error)
	now     func() time.Time
	trouble func(error) // told of every failed reload

	mu       sync.Mutex
	verifier *gateway.Verifier
	loadedAt time.Time
}

// load reads the secrets for the first time; without usable ones the bridge
// does not start.
func (k *keyring) load() error {
	verifier, err := k.read()
	if err != nil {
		return err
	}
	k.verifier, k.loadedAt = verifier, k.now()
	return nil
}

func (k *keyring) current() *gateway.Verifier {
	k.mu.Lock()
	defer k.mu.Unlock()
	if now := k.now(); now.Sub(k.loadedAt) >= reloadEvery || now.Before(k.loadedAt) {
		k.loadedAt = now
		if verifier, err := k.read(); err != nil {
			k.trouble(err)
		} else {
			k.verifier = verifier
		}
	}
	return k.verifier
}

func (k *keyring) read() (*gateway.Verifier, error) {
	keys, err := k.source.Keys()
	if err != nil {
		return nil, fmt.Errorf("read signing secrets: %w", err)
	}
	verifier, err := k.build(keys)
	if err != nil {
		return nil, fmt.Errorf("read signing secrets: %w", err)
	}
	return verifier, nil
}
