package storetest

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/opengovsg/latchkey/store"
)

// A Counter passes every call on to Store and counts the calls of each method as they begin, also
// those that fail. It proves that something reached the store a given number of times, or never:
//
//	counter := storetest.Counter{Store: st}
//	… hand &counter to what is tested …
//	if n := counter.Calls(); n != 0 { … }
//
// Set Store before the first call. A Counter is safe for concurrent use if Store is; it must not be
// copied after the first call. Setting a count back, as with counter.Gets.Store(0), is fine.
type Counter struct {
	Store store.Store

	Creates, Gets, Lists, Updates, Touches, Purges atomic.Int64
}

var _ store.Store = (*Counter)(nil)

// Calls returns the number of calls of all methods together.
func (c *Counter) Calls() int64 {
	return c.Creates.Load() + c.Gets.Load() + c.Lists.Load() + c.Updates.Load() + c.Touches.Load() + c.Purges.Load()
}

// Create implements [store.Store].
func (c *Counter) Create(ctx context.Context, rec store.Record, max int) error {
	c.Creates.Add(1)
	return c.Store.Create(ctx, rec, max)
}

// Get implements [store.Store]. It allocates nothing beyond what Store allocates.
func (c *Counter) Get(ctx context.Context, id string) (store.Record, error) {
	c.Gets.Add(1)
	return c.Store.Get(ctx, id)
}

// List implements [store.Store].
func (c *Counter) List(ctx context.Context, q store.Query) ([]store.Record, error) {
	c.Lists.Add(1)
	return c.Store.List(ctx, q)
}

// Update implements [store.Store].
func (c *Counter) Update(ctx context.Context, rec store.Record) error {
	c.Updates.Add(1)
	return c.Store.Update(ctx, rec)
}

// Touch implements [store.Store].
func (c *Counter) Touch(ctx context.Context, uses []store.Use) error {
	c.Touches.Add(1)
	return c.Store.Touch(ctx, uses)
}

// Purge implements [store.Store].
func (c *Counter) Purge(ctx context.Context, before time.Time, limit int) (int, error) {
	c.Purges.Add(1)
	return c.Store.Purge(ctx, before, limit)
}
