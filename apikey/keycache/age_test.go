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
	"github.com/opengovsg/latchkey/store"
)

// Rows F2 and F3: the store is down. What is remembered opens until it is MaxAge old, and then nobody
// can tell; no failure is remembered in its place.
func TestF3StoreDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, keycache.Config{})
		token, key := r.remembered(t)
		read := time.Now()
		r.st.onGet(func(context.Context, string) (store.Record, error) { return store.Record{}, errors.New("down") })
		opened := time.Duration(0)
		for time.Since(read) < 15*time.Second {
			got, err := r.cache.Verify(t.Context(), token)
			if err == nil {
				opened = time.Since(read)
				require.Equal(t, key, got)
			} else {
				requireUnavailable(t, err)
			}
			time.Sleep(10 * time.Millisecond)
		}
		require.Less(t, opened, 10*time.Second)
		require.GreaterOrEqual(t, opened, ageing)
		r.requireUnavailable(t, otherSecret(key))

		r.st.onGet(r.st.Store.Get)
		r.requireRefused(t, otherSecret(key), apikey.ErrUnknown)
		r.requireLoad(t, token)
		ages := r.cache.Stats().Ages
		for age, n := range ages {
			require.Positive(t, n, "%d of %v", age, ages)
		}
	})
}

// The age of an answer counts from when the store was asked, however long that took.
func TestAgeFromStartOfRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, keycache.Config{})
		token, _ := r.issue(t)
		r.st.onGet(func(ctx context.Context, id string) (store.Record, error) {
			rec, err := r.st.Store.Get(ctx, id)
			time.Sleep(4 * time.Second)
			return rec, err
		})
		began := time.Now()
		r.requireLoad(t, token)
		time.Sleep(ageing - time.Since(began))
		r.requireHit(t, token)
		time.Sleep(10*time.Second - time.Since(began))
		r.requireLoad(t, token)
	})
}

// Answers that were read together are not all renewed together.
func TestAgesDiffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, keycache.Config{})
		var tokens []string
		for range 400 {
			token, _ := r.remembered(t)
			tokens = append(tokens, token)
		}
		time.Sleep(ageing + 10*time.Second/16) // the middle of the time in which they go
		before := r.st.gets.Load()
		for _, token := range tokens {
			_, err := r.cache.Verify(t.Context(), token)
			require.NoError(t, err)
		}
		renewed := r.st.gets.Load() - before
		require.Greater(t, renewed, int64(100))
		require.Less(t, renewed, int64(300))
	})
}

// Row F19: a key that expires while it is remembered is refused from that very instant on.
func TestF19ExpiryInTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, keycache.Config{})
		token, key, err := r.keys.Issue(t.Context(), apikey.Request{Owner: "user_42", Label: "short", ExpiresIn: 5 * time.Second})
		require.NoError(t, err)
		r.requireLoad(t, token.Reveal())
		time.Sleep(time.Until(key.ExpiresAt) - time.Nanosecond)
		r.requireHit(t, token.Reveal())
		time.Sleep(time.Nanosecond)
		r.requireRefused(t, token.Reveal(), apikey.ErrExpired)
	})
}

// A wall is a clock that people and NTP may set.
type wall struct{ ahead atomic.Int64 }

func (w *wall) Now() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }

func (w *wall) set(ahead time.Duration) { w.ahead.Store(int64(ahead)) }

// Row F20: however the wall clock is set back, an answer gets no older than MaxAge.
func TestF20SetBack(t *testing.T) {
	for _, back := range []time.Duration{time.Millisecond, time.Second, 5 * time.Second, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			var w wall
			r := newRig(t, keycache.Config{}, func(c *apikey.Config) { c.Now = w.Now })
			there := beside(t, r.st.Store, keycache.Config{})
			token, key := r.remembered(t)
			read := time.Now()
			time.Sleep(6 * time.Second)
			r.requireHit(t, token)
			_, err := there.keys.Revoke(t.Context(), ref(key), "leaked")
			require.NoError(t, err)
			w.set(-back)
			if back < 6*time.Second {
				r.requireHit(t, token)
			} else { // it was read at a time that has yet to come
				r.requireRefused(t, token, apikey.ErrRevoked)
			}
			time.Sleep(10*time.Second - time.Since(read))
			r.requireRefused(t, token, apikey.ErrRevoked)
		})
	}
}

// Row F20 again: a clock that stands still extends nothing.
func TestF20StandsStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stopped := time.Now()
		r := newRig(t, keycache.Config{}, func(c *apikey.Config) { c.Now = func() time.Time { return stopped } })
		token, _ := r.remembered(t)
		time.Sleep(ageing - time.Nanosecond)
		r.requireHit(t, token)
		time.Sleep(10*time.Second - ageing + time.Nanosecond)
		r.requireLoad(t, token)
	})
}

// Row F20 ahead: an hour by the wall clock has passed, as after a machine slept, whose monotonic clock
// stood still. Nothing from before is given again.
func TestF20Ahead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w wall
		r := newRig(t, keycache.Config{}, func(c *apikey.Config) { c.Now = w.Now })
		there := beside(t, r.st.Store, keycache.Config{}, func(c *apikey.Config) { c.Now = w.Now })
		token, key := r.remembered(t)
		_, err := there.keys.Revoke(t.Context(), ref(key), "leaked")
		require.NoError(t, err)
		r.requireHit(t, token)
		w.set(time.Hour)
		r.requireRefused(t, token, apikey.ErrRevoked)
	})
}

// A clock that was never set, or is far off, is no time: nobody can tell, remembered or not.
func TestClockNotSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w wall
		r := newRig(t, keycache.Config{}, func(c *apikey.Config) { c.Now = w.Now })
		token, _ := r.remembered(t)
		w.set(-100 * 366 * 24 * time.Hour)
		r.requireUnavailable(t, token)
		w.set(0)
		r.requireHit(t, token)
	})
}

// Row F21: clocks five minutes apart neither keep a new key from opening nor a revocation from counting.
func TestF21ClocksDiffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ahead wall
		ahead.set(5 * time.Minute)
		there := newRig(t, keycache.Config{}, func(c *apikey.Config) { c.Now = ahead.Now })
		here := beside(t, there.st.Store, keycache.Config{})
		for one, other := range map[*rig]*rig{&there: &here, &here: &there} {
			token, key := one.issue(t)
			other.requireLoad(t, token)
			other.requireHit(t, token)
			_, err := one.keys.Revoke(t.Context(), ref(key), "leaked")
			require.NoError(t, err)
			time.Sleep(10 * time.Second)
			other.requireRefused(t, token, apikey.ErrRevoked)
		}
	})
}
