package storetest

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/opengovsg/latchkey/store"
)

var contextRules = []rule{
	{"ended-context-fails-every-method", func(t *trial) {
		t.create(sample(1))
		for _, end := range endings(t.Context()) {
			for _, call := range t.calls() {
				_, err := call.do(end.ctx)
				if !errors.Is(err, end.ctx.Err()) {
					t.Errorf("a context that has ended before the call is an error for which errors.Is(err, ctx.Err()) holds; from %s %s came: %v",
						call.method, end.how, err)
				}
			}
		}
	}},
	{"ended-context-changes-nothing", func(t *trial) {
		const sentence = "a context that has ended before the call leaves the store unchanged"
		kept, over := sample(1), sample(2)
		over.RevokedAt = now.Add(-time.Hour)
		t.create(kept, over)
		for _, end := range endings(t.Context()) {
			for _, call := range t.calls() {
				call.do(end.ctx)
				t.holds(sentence+"; "+call.method+" "+end.how, kept, over)
			}
		}
	}},
	{"error-never-comes-with-a-record", func(t *trial) {
		t.create(sample(1))
		for _, end := range endings(t.Context()) {
			for _, call := range t.calls() {
				if came, err := call.do(end.ctx); err != nil && came {
					t.Errorf("an error never comes with a record or a count; one came from %s %s", call.method, end.how)
				}
			}
		}
	}},
	{"context-ending-midway-leaves-a-write-done-or-not", func(t *trial) {
		for look := 1; look <= 60; look++ {
			if !t.midway(look) {
				break // no write looks at its context so often
			}
		}
	}},
}

// An ending is a context that has ended, and how.
type ending struct {
	how string
	ctx context.Context
}

func endings(parent context.Context) []ending {
	cancelled, cancel := context.WithCancel(parent)
	cancel()
	caused, because := context.WithCancelCause(parent)
	because(errors.New("the application's own cause"))
	expired, cancel := context.WithDeadline(parent, time.Unix(0, 0))
	cancel()
	return []ending{{"with a cancelled context", cancelled}, {"with a context cancelled for a cause", caused}, {"past the deadline", expired}}
}

// A call is a method with arguments under which it would succeed; do tells whether it returned
// anything besides the error.
type call struct {
	method string
	do     func(context.Context) (came bool, err error)
}

// calls returns one call of each method, for a store that holds sample 1.
func (t *trial) calls() []call {
	rec := sample(1)
	return []call{
		{"Create", func(ctx context.Context) (bool, error) { return false, t.st.Create(ctx, sample(9), 5) }},
		{"Get", func(ctx context.Context) (bool, error) {
			got, err := t.st.Get(ctx, rec.ID)
			return got != store.Record{}, err
		}},
		{"List", func(ctx context.Context) (bool, error) {
			got, err := t.st.List(ctx, store.Query{Owner: rec.Owner, Limit: 10})
			return len(got) > 0, err
		}},
		{"Update", func(ctx context.Context) (bool, error) {
			longer := rec
			longer.Label = "another label"
			return false, t.st.Update(ctx, longer)
		}},
		{"Touch", func(ctx context.Context) (bool, error) {
			return false, t.st.Touch(ctx, []store.Use{{ID: rec.ID, At: now.Add(time.Hour)}})
		}},
		{"Purge", func(ctx context.Context) (bool, error) {
			n, err := t.st.Purge(ctx, now, 10)
			return n != 0, err
		}},
	}
}

// midway makes each write with a context that ends when it is looked at for the given time. The
// write must then be done or not done, and done if it was acknowledged. A server from which the
// store was cut off may still be busy with it; so each write is made a second time, which settles
// it whatever became of the first. It reports whether any of the contexts ended.
func (t *trial) midway(look int) bool {
	t.Helper()
	const sentence = "a context that ends during a write leaves the write either done or not done, never half done"
	var ctxs [4]*endingContext
	for i := range ctxs {
		ctxs[i] = newEndingContext(t.Context(), look)
	}
	settled := func(first, second, done error) {
		t.Helper()
		if first == nil || second != nil {
			t.wants(sentence+", so that making it again says that it is done or does it", second, done)
		}
	}

	want := t.filled(4 * look)
	err := t.st.Create(ctxs[0], want, 5)
	settled(err, t.st.Create(t.Context(), want, 0), store.ErrExists)
	want.Version = 1
	t.same(sentence+": Create", t.get(want.ID), want)
	t.selects(sentence+": Create", []store.Record{want}, store.Query{Alias: want.Alias}, store.Query{Owner: want.Owner})

	given := t.filled(4*look + 1)
	given.ID, given.Owner, given.Version = want.ID, want.Owner, want.Version
	err = t.st.Update(ctxs[1], given)
	if got := t.get(want.ID); got != want {
		t.same(sentence+": Update", got, updated(want, given))
	}
	settled(err, t.st.Update(t.Context(), given), store.ErrConflict)
	want = updated(want, given)
	t.same(sentence+": Update", t.get(want.ID), want)

	used := want
	used.LastUsedAt = want.LastUsedAt.AddDate(1, 0, 0)
	uses := []store.Use{{ID: want.ID, At: used.LastUsedAt}}
	err = t.st.Touch(ctxs[2], uses)
	if got := t.get(want.ID); err == nil || got != want {
		t.same(sentence+": Touch", got, used)
	}
	t.touch(uses...)

	before := used.ExpiresAt.Add(time.Microsecond) // and before what the next look creates
	_, err = t.st.Purge(ctxs[3], before, store.MaxLimit)
	if got, missing := t.st.Get(t.Context(), want.ID); err == nil || missing != nil {
		t.wants(sentence+": Purge", missing, store.ErrNotFound)
	} else {
		t.same(sentence+": Purge", got, used)
	}
	t.purge(before, store.MaxLimit)
	t.selects(sentence+": Purge", nil, store.Query{Alias: want.Alias}, store.Query{Owner: want.Owner})

	return slices.ContainsFunc(ctxs[:], func(c *endingContext) bool { return c.Context.Err() != nil })
}

// An endingContext is cancelled by being looked at for the n-th time, so that a context ends midway
// at each place where a store, or a driver below it, can notice, without waiting for chance.
type endingContext struct {
	context.Context
	cancel context.CancelFunc
	left   atomic.Int64
}

func newEndingContext(parent context.Context, n int) *endingContext {
	c := new(endingContext)
	c.Context, c.cancel = context.WithCancel(parent)
	c.left.Store(int64(n))
	return c
}

func (c *endingContext) look() {
	if c.left.Add(-1) == 0 {
		c.cancel()
	}
}

func (c *endingContext) Done() <-chan struct{} { c.look(); return c.Context.Done() }
func (c *endingContext) Err() error            { c.look(); return c.Context.Err() }
