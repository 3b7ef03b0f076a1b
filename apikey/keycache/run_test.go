package keycache_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/apikey/keycache"
	"github.com/opengovsg/latchkey/memstore"
	"github.com/opengovsg/latchkey/store"
)

// run has the cache poll until the test stops it.
func (r rig) run(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.cache.Run(ctx) }()
	synctest.Wait()
	return func() {
		cancel()
		require.NoError(t, <-ended)
	}
}

// Row F15: with Run, what another process changes is so here with the next poll, and without Run after
// MaxAge at the latest.
func TestF15ChangedElsewhere(t *testing.T) {
	for _, running := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			st := new(memstore.Store)
			here, there := beside(t, st, keycache.Config{}), beside(t, st, keycache.Config{})
			within := 10 * time.Second
			if running {
				within = time.Second
				defer here.run(t)()
			}
			for range 5 {
				revoked, key := here.remembered(t)
				_, err := there.keys.Revoke(t.Context(), ref(key), "leaked")
				require.NoError(t, err)
				changed, other := here.remembered(t)
				_, err = there.keys.Update(t.Context(), ref(other), apikey.Changes{Scopes: []string{}})
				require.NoError(t, err)
				time.Sleep(within + time.Millisecond)
				here.requireRefused(t, revoked, apikey.ErrRevoked)
				require.False(t, here.requireLoad(t, changed).Allows("email:send"))
			}
		})
	}
}

// Run looks at once, also back to what changed before it began.
func TestRunLooksAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := new(memstore.Store)
		here, there := beside(t, st, keycache.Config{MaxAge: 5 * time.Minute}), beside(t, st, keycache.Config{})
		token, key := here.remembered(t)
		_, err := there.keys.Revoke(t.Context(), ref(key), "leaked")
		require.NoError(t, err)
		time.Sleep(4 * time.Minute)
		here.requireHit(t, token)
		stop := here.run(t)
		here.requireRefused(t, token, apikey.ErrRevoked)
		stop()
	})
}

// A key is forgotten once for each change and not again with each poll that still sees it.
func TestChangeSeenOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := new(memstore.Store)
		here, there := beside(t, st, keycache.Config{MaxAge: 5 * time.Minute}), beside(t, st, keycache.Config{})
		defer here.run(t)()
		token, key := here.remembered(t)
		_, err := there.keys.Update(t.Context(), ref(key), apikey.Changes{Label: new("renamed")})
		require.NoError(t, err)
		time.Sleep(time.Second + time.Millisecond)
		here.requireLoad(t, token)
		polls := here.st.lists.Load()
		time.Sleep(20 * time.Second)
		require.Equal(t, polls+20, here.st.lists.Load())
		require.Equal(t, "renamed", here.requireHit(t, token).Label)
	})
}

// A clock that is behind marks a revocation with the time of the change before it. It is a change all
// the same.
func TestRevokedByAClockBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := new(memstore.Store)
		var behind wall
		here, there := beside(t, st, keycache.Config{}), beside(t, st, keycache.Config{}, func(c *apikey.Config) { c.Now = behind.Now })
		defer here.run(t)()
		token, key := here.issue(t)
		_, err := there.keys.Update(t.Context(), ref(key), apikey.Changes{Label: new("renamed")})
		require.NoError(t, err)
		time.Sleep(2 * time.Second)
		here.requireLoad(t, token)
		here.requireHit(t, token)
		before, err := st.Get(t.Context(), key.ID)
		require.NoError(t, err)
		behind.set(-10 * time.Second)
		_, err = there.keys.Revoke(t.Context(), ref(key), "leaked")
		require.NoError(t, err)
		after, err := st.Get(t.Context(), key.ID)
		require.NoError(t, err)
		require.Equal(t, before.UpdatedAt, after.UpdatedAt)
		time.Sleep(time.Second + time.Millisecond)
		here.requireRefused(t, token, apikey.ErrRevoked)
	})
}

// A write is seen some time after the instant that it is marked with, here 20 seconds, and polls that
// came in between do not make it be missed.
func TestLateCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := new(memstore.Store)
		here, there := beside(t, st, keycache.Config{MaxAge: time.Minute}), beside(t, st, keycache.Config{})
		defer here.run(t)()
		token, key := here.remembered(t)
		there.st.onUpdate(func(ctx context.Context, rec store.Record) error {
			time.Sleep(20 * time.Second)
			return st.Update(ctx, rec)
		})
		_, err := there.keys.Revoke(t.Context(), ref(key), "leaked")
		require.NoError(t, err)
		time.Sleep(time.Second + time.Millisecond)
		here.requireRefused(t, token, apikey.ErrRevoked)
	})
}

// A poll that fails, or hangs, is counted and made up for; it drops nothing and ends nothing.
func TestPollFails(t *testing.T) {
	for name, fail := range map[string]func(ctx context.Context) error{
		"fails": func(context.Context) error { return errors.New("down") },
		"hangs": func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				st := new(memstore.Store)
				here, there := beside(t, st, keycache.Config{MaxAge: 5 * time.Minute}), beside(t, st, keycache.Config{})
				defer here.run(t)()
				token, key := here.remembered(t)
				time.Sleep(2 * time.Second)
				here.requireLoad(t, token) // its being issued was seen by a poll
				here.st.onList(func(ctx context.Context, _ store.Query) ([]store.Record, error) { return nil, fail(ctx) })
				_, err := there.keys.Revoke(t.Context(), ref(key), "leaked")
				require.NoError(t, err)
				time.Sleep(2 * time.Minute) // longer than any poll looks back otherwise
				here.requireHit(t, token)
				require.Greater(t, here.cache.Stats().FailedPolls, int64(20))
				here.st.onList(st.List)
				time.Sleep(6 * time.Second)
				here.requireRefused(t, token, apikey.ErrRevoked)
			})
		})
	}
}

// Where more is changed than a poll reads, nothing is remembered, and the poll reads no further.
func TestManyChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := new(memstore.Store)
		here, there := beside(t, st, keycache.Config{}), beside(t, st, keycache.Config{})
		token, key := here.issue(t) // the last of a list, which is newest first
		time.Sleep(time.Minute)
		here.requireLoad(t, token)
		here.requireHit(t, token)
		issueMany(t, there, 30_000)
		_, err := there.keys.Revoke(t.Context(), ref(key), "leaked")
		require.NoError(t, err)
		var read atomic.Int64
		here.st.onList(func(ctx context.Context, q store.Query) ([]store.Record, error) {
			recs, err := st.List(ctx, q)
			read.Add(int64(len(recs)))
			return recs, err
		})
		defer here.run(t)()
		here.requireRefused(t, token, apikey.ErrRevoked)
		require.EqualValues(t, 21_000, read.Load())
	})
}
