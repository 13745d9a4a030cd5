package bridge

import "context"

// ConnectForTest connects without opening a port.
func (b *Bridge) ConnectForTest(ctx context.Context) error { return b.connect(ctx) }

// Connected reports whether deliveries can be handed over.
func (b *Bridge) Connected() bool { return b.connected() != nil }

// Ready is what /readyz answers.
func (b *Bridge) Ready(ctx context.Context) error { return b.ready(ctx) }
