package keycache_test

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/apikey/keycache"
	"github.com/opengovsg/latchkey/store"
)

// A key that is slow to read is read twice at once at the most, however short an answer may live, so that it
// takes no more turns from others; and all who wait for it get their answer.
func TestSlowKeyTakesTwoTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, keycache.Config{MaxAge: 100 * time.Millisecond, LoadsAtOnce: 3})
		slow, key := r.remembered(t)
		other, _ := r.remembered(t)
		time.Sleep(time.Second)
		var now, most atomic.Int64
		r.st.onGet(func(ctx context.Context, id string) (store.Record, error) {
			if id == key.ID {
				most.Store(max(most.Load(), now.Add(1)))
				defer now.Add(-1)
				time.Sleep(2 * time.Second)
			}
			return r.st.Store.Get(ctx, id)
		})
		var waiting []<-chan outcome
		for range 30 {
			waiting = append(waiting, r.verifying(t, slow))
			time.Sleep(101 * time.Millisecond)
			began := time.Now()
			_, err := r.cache.Verify(t.Context(), other)
			require.NoError(t, err)
			require.Zero(t, time.Since(began))
		}
		for _, w := range waiting {
			require.NoError(t, (<-w).err)
		}
		require.EqualValues(t, 2, most.Load())
	})
}

// Who waits for a turn of a slow key leaves when its context ends.
func TestSlowKeyWaiterLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, keycache.Config{MaxAge: 100 * time.Millisecond})
		token, _ := r.issue(t)
		release := r.held()
		var waiting []<-chan outcome
		for range 2 {
			waiting = append(waiting, r.verifying(t, token))
			time.Sleep(time.Second)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		o := <-r.verifying(t, token, ctx)
		requireUnavailable(t, o.err)
		require.ErrorIs(t, o.err, context.DeadlineExceeded)
		require.Equal(t, time.Second, time.Since(began))
		require.EqualValues(t, 2, r.st.gets.Load())
		require.EqualValues(t, 1, r.cache.Stats().Unavailable)
		release()
		for _, w := range waiting {
			require.NoError(t, (<-w).err)
		}
	})
}

// A call that is stuck holds up nobody who comes some time later: another one is made for them.
func TestStuckLoadIsNotJoinedLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, keycache.Config{})
		token, _ := r.issue(t)
		r.st.onGet(func(ctx context.Context, id string) (store.Record, error) {
			if r.st.gets.Load() == 1 {
				<-ctx.Done() // its answer was lost on the way
				return store.Record{}, ctx.Err()
			}
			return r.st.Store.Get(ctx, id)
		})
		stuck := r.verifying(t, token)
		time.Sleep(2500*time.Millisecond - time.Nanosecond)
		joined := r.verifying(t, token)
		synctest.Wait()
		require.EqualValues(t, 1, r.st.gets.Load())
		time.Sleep(time.Nanosecond)
		r.requireLoad(t, token)
		r.requireHit(t, token)
		requireUnavailable(t, (<-stuck).err)
		requireUnavailable(t, (<-joined).err)
	})
}

// A token that opened a key has its turn before a flood also once all that was remembered of it is dropped,
// as it is with each change of its key, and of all keys with a purge.
func TestF13FloodHoldsUpNoDroppedToken(t *testing.T) {
	for name, drop := range map[string]func(r rig, id string) error{
		"Purge": func(r rig, _ string) error { return onlyError(r.keys.Purge(context.Background(), time.Now())) },
		"Forget": func(r rig, id string) error {
			r.cache.Forget(id)
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, keycache.Config{LoadsAtOnce: 2})
				token, key := r.remembered(t)
				gate := make(chan struct{})
				r.st.onGet(func(ctx context.Context, id string) (store.Record, error) {
					if id != key.ID {
						<-gate
					}
					return r.st.Store.Get(ctx, id)
				})
				var flood []<-chan outcome
				for n := range 50 {
					flood = append(flood, r.verifying(t, junk(n)))
				}
				synctest.Wait()
				require.NoError(t, drop(r, key.ID))
				began := time.Now()
				r.requireLoad(t, token)
				require.Zero(t, time.Since(began))
				close(gate)
				for _, f := range flood {
					<-f
				}
			})
		})
	}
}

// A token that was refused has its turn among those that opened nothing.
func TestRefusedTokenQueuesWithTheFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, keycache.Config{LoadsAtOnce: 1})
		token, key := r.remembered(t)
		_, err := r.keys.Revoke(t.Context(), ref(key), "leaked")
		require.NoError(t, err)
		r.requireRefused(t, token, apikey.ErrRevoked)
		time.Sleep(time.Second) // as long as a refusal is remembered
		release := r.held()
		first := r.verifying(t, junk(0))
		synctest.Wait()
		before := r.st.gets.Load()
		waiting := r.verifying(t, token)
		synctest.Wait()
		require.Equal(t, before, r.st.gets.Load())
		release()
		<-first
		require.ErrorIs(t, (<-waiting).err, apikey.ErrRevoked)
	})
}

// Calls that were given up while they waited for a turn leave nothing behind, however many they are.
func TestGivenUpLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, keycache.Config{LoadsAtOnce: 1})
		release := r.held()
		first := r.verifying(t, junk(0))
		synctest.Wait()
		before := runtime.NumGoroutine()
		ctx, cancel := context.WithCancel(t.Context())
		var left []<-chan outcome
		for n := range 200 {
			left = append(left, r.verifying(t, junk(1+n), ctx))
		}
		synctest.Wait()
		cancel()
		for _, l := range left {
			require.ErrorIs(t, (<-l).err, context.Canceled)
		}
		synctest.Wait()
		require.Less(t, runtime.NumGoroutine(), before+20) // the runtime has its own, that come and go
		release()
		<-first
	})
}

// Each call that nobody could tell the outcome of counts once, whether it asked, waited or left.
func TestUnavailableCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, keycache.Config{LoadsAtOnce: 1})
		token, _ := r.issue(t)
		r.st.onGet(func(context.Context, string) (store.Record, error) { return store.Record{}, errors.New("down") })
		for range 10 {
			r.requireUnavailable(t, token)
		}
		require.EqualValues(t, 10, r.cache.Stats().Unavailable)
		require.EqualValues(t, 10, r.keys.Stats().Unavailable)

		release := r.held()
		var waiting []<-chan outcome
		for n := range 100 {
			waiting = append(waiting, r.verifying(t, junk(n/2)))
		}
		for _, w := range waiting {
			requireUnavailable(t, (<-w).err)
		}
		require.EqualValues(t, 110, r.cache.Stats().Unavailable)
		release()
		synctest.Wait()

		refusals := r.cache.Stats().Refusals
		release = r.held()
		waiting = waiting[:0]
		for range 10 {
			waiting = append(waiting, r.verifying(t, junk(1000)))
		}
		synctest.Wait()
		release()
		for _, w := range waiting {
			<-w
		}
		require.Equal(t, refusals+9, r.cache.Stats().Refusals, "one of them is the service's")
	})
}
