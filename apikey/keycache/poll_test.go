package keycache_test

import (
	"context"
	"errors"
	"fmt"
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

// A machine that was suspended for a minute, of which its monotonic clock knows nothing, hears with the
// next poll of what was revoked meanwhile.
func TestPollAfterSuspension(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w wall
		clock := func(c *apikey.Config) { c.Now = w.Now }
		st := new(memstore.Store)
		here, there := beside(t, st, keycache.Config{MaxAge: 5 * time.Minute}, clock), beside(t, st, keycache.Config{}, clock)
		token, key := here.issue(t)
		time.Sleep(time.Minute)
		defer here.run(t)()
		here.requireLoad(t, token)
		time.Sleep(5*time.Second + time.Millisecond)
		_, err := there.keys.Revoke(t.Context(), ref(key), "leaked")
		require.NoError(t, err)
		w.set(time.Minute)
		here.requireHit(t, token)
		time.Sleep(time.Second)
		here.requireRefused(t, token, apikey.ErrRevoked)
	})
}

// After an outage a poll looks no further back than what may be remembered.
func TestPollLooksNoFurtherThanMaxAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, keycache.Config{MaxAge: time.Minute})
		r.st.onList(func(context.Context, store.Query) ([]store.Record, error) { return nil, errors.New("down") })
		defer r.run(t)()
		time.Sleep(time.Hour)
		var back atomic.Int64
		r.st.onList(func(ctx context.Context, q store.Query) ([]store.Record, error) {
			back.CompareAndSwap(0, int64(time.Since(q.ChangedSince)))
			return r.st.Store.List(ctx, q)
		})
		time.Sleep(2 * time.Second)
		require.Equal(t, 90*time.Second, time.Duration(back.Load()))
	})
}

// A poll that fails after a page forgets what is on it, and not with each try again, nor after one that
// came to see nothing.
func TestPollFailsMidway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := new(memstore.Store)
		here, there := beside(t, st, keycache.Config{MaxAge: 5 * time.Minute}), beside(t, st, keycache.Config{})
		issueMany(t, there, 1500)
		var down atomic.Bool
		here.st.onList(func(ctx context.Context, q store.Query) ([]store.Record, error) {
			if q.After != "" || down.Load() {
				return nil, errors.New("down")
			}
			return st.List(ctx, q)
		})
		time.Sleep(time.Millisecond) // so that the next one is the newest, and on the first page
		token, _ := here.issue(t)
		defer here.run(t)()
		time.Sleep(time.Second + time.Millisecond)
		here.requireLoad(t, token)
		for poll := range 10 {
			down.Store(poll == 5)
			time.Sleep(time.Second)
			here.requireHit(t, token)
		}
		require.Greater(t, here.cache.Stats().FailedPolls, int64(10))
	})
}

// The same where the change is of a key of which an earlier one was seen.
func TestPollFailsMidwayAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := new(memstore.Store)
		here, there := beside(t, st, keycache.Config{MaxAge: 5 * time.Minute}), beside(t, st, keycache.Config{})
		issueMany(t, there, 1500)
		time.Sleep(time.Millisecond) // so that the next one is the newest, and on the first page
		token, key := here.issue(t)
		defer here.run(t)()
		here.requireLoad(t, token)
		here.st.onList(func(ctx context.Context, q store.Query) ([]store.Record, error) {
			if q.After != "" {
				return nil, errors.New("down")
			}
			return st.List(ctx, q)
		})
		_, err := there.keys.Update(t.Context(), ref(key), apikey.Changes{Label: new("renamed")})
		require.NoError(t, err)
		time.Sleep(time.Second + time.Millisecond)
		require.Equal(t, "renamed", here.requireLoad(t, token).Label)
		for range 10 {
			time.Sleep(time.Second)
			here.requireHit(t, token)
		}
	})
}

// Where more was changed than a poll takes, everything is forgotten once or twice, and not with each poll that
// still sees it.
func TestManyChangesForgetOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := new(memstore.Store)
		here, there := beside(t, st, keycache.Config{MaxAge: 5 * time.Minute}), beside(t, st, keycache.Config{})
		token, key := here.issue(t)
		time.Sleep(time.Minute)
		defer here.run(t)()
		here.requireLoad(t, token)
		issueMany(t, there, 20_500)
		before := here.st.gets.Load()
		for range 60 {
			time.Sleep(time.Second)
			_, err := here.cache.Verify(t.Context(), token)
			require.NoError(t, err)
		}
		require.LessOrEqual(t, here.st.gets.Load()-before, int64(2))
		_, err := there.keys.Revoke(t.Context(), ref(key), "leaked")
		require.NoError(t, err)
		time.Sleep(time.Second + time.Millisecond)
		here.requireRefused(t, token, apikey.ErrRevoked)
	})
}

// issueMany issues keys that nobody uses.
func issueMany(t *testing.T, r rig, n int) {
	t.Helper()
	for n := range n {
		_, _, err := r.keys.Issue(t.Context(), apikey.Request{Owner: fmt.Sprint("user_", n), Label: "many"})
		require.NoError(t, err)
	}
}
