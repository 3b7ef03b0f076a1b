package storetest

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/opengovsg/latchkey/store"
)

// Failing returns a store that holds nothing and whose every method fails with err, whatever the
// context. It is safe for concurrent use. It panics if err is nil.
func Failing(err error) store.Store {
	if err == nil {
		panic("storetest: Failing needs an error")
	}
	return gate{check: func(context.Context) error { return err }}
}

// FailOn returns a store that fails the n-th call made through it with err and passes all others on
// to st. Calls of every method count together, from 1, in the order in which they begin; the call
// that fails does not reach st. With an n below 1 none fails. It is safe for concurrent use if st
// is. It panics if err is nil.
func FailOn(st store.Store, n int, err error) store.Store {
	if err == nil {
		panic("storetest: FailOn needs an error")
	}
	var calls atomic.Int64
	return gate{st: st, check: func(context.Context) error {
		if calls.Add(1) == int64(n) {
			return err
		}
		return nil
	}}
}

// Hanging returns a store that holds nothing and whose every method waits until its context ends,
// then returns the context's error. With a context that never ends it never returns. It is safe for
// concurrent use.
func Hanging() store.Store {
	return gate{check: func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}}
}

// Mistaken returns a store whose Get answers every id with rec and no error, as a mixed-up
// connection would, and which passes all other methods on to st. With the zero Record it is a store
// that finds what it does not hold. It is safe for concurrent use if st is.
func Mistaken(st store.Store, rec store.Record) store.Store {
	return mistaken{st, rec}
}

type mistaken struct {
	store.Store
	rec store.Record
}

func (m mistaken) Get(context.Context, string) (store.Record, error) { return m.rec, nil }

// A gate passes on to st the calls for which check returns no error.
type gate struct {
	st    store.Store
	check func(context.Context) error
}

func (g gate) Create(ctx context.Context, rec store.Record, max int) error {
	if err := g.check(ctx); err != nil {
		return err
	}
	return g.st.Create(ctx, rec, max)
}

func (g gate) Get(ctx context.Context, id string) (store.Record, error) {
	if err := g.check(ctx); err != nil {
		return store.Record{}, err
	}
	return g.st.Get(ctx, id)
}

func (g gate) List(ctx context.Context, q store.Query) ([]store.Record, error) {
	if err := g.check(ctx); err != nil {
		return nil, err
	}
	return g.st.List(ctx, q)
}

func (g gate) Update(ctx context.Context, rec store.Record) error {
	if err := g.check(ctx); err != nil {
		return err
	}
	return g.st.Update(ctx, rec)
}

func (g gate) Touch(ctx context.Context, uses []store.Use) error {
	if err := g.check(ctx); err != nil {
		return err
	}
	return g.st.Touch(ctx, uses)
}

func (g gate) Purge(ctx context.Context, before time.Time, limit int) (int, error) {
	if err := g.check(ctx); err != nil {
		return 0, err
	}
	return g.st.Purge(ctx, before, limit)
}
