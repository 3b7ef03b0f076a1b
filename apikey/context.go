package apikey

import (
	"context"
	"fmt"
)

// keyContext carries a key in one allocation, where context.WithValue takes a second one to put
// the key into an interface.
type keyContext struct {
	context.Context
	key Key
}

type contextKey struct{}

// Value returns the key for the package's own context key and asks the parent for all others.
func (c *keyContext) Value(key any) any {
	if _, ok := key.(contextKey); ok {
		return &c.key
	}
	return c.Context.Value(key)
}

// String names the context without the key, which would print otherwise, and its owner with it.
func (c *keyContext) String() string { return fmt.Sprint(c.Context) + ".WithKey" }

// NewContext returns a context that carries the key that was verified. Middleware calls it; so does
// a test that calls a handler without one, with a Key literal or, where the handler asks for scopes
// or contacts, with a key that a Service on a memstore issued.
func NewContext(ctx context.Context, key Key) context.Context {
	return &keyContext{ctx, key}
}

// FromContext returns the key that [NewContext] put into the context, and whether there is one.
func FromContext(ctx context.Context) (Key, bool) {
	if key, ok := ctx.Value(contextKey{}).(*Key); ok {
		return *key, true
	}
	return Key{}, false
}
