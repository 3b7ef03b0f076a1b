package keycache_test

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/apikey/keycache"
	"github.com/opengovsg/latchkey/store"
)

// An outcome is what came of one verification.
type outcome struct {
	key      apikey.Key
	err      error
	panicked any
}

// verifying verifies in a goroutine, in a context of its own where one is given.
func (r rig) verifying(t *testing.T, token string, ctx ...context.Context) <-chan outcome {
	if len(ctx) == 0 {
		ctx = []context.Context{t.Context()}
	}
	done := make(chan outcome, 1)
	go func() {
		o := outcome{err: assert.AnError}
		defer func() {
			o.panicked = recover()
			done <- o
		}()
		o.key, o.err = r.cache.Verify(ctx[0], token)
	}()
	return done
}

// held has reads of the store wait, once they have read, until release is called.
func (r rig) held() (release func()) {
	gate := make(chan struct{})
	r.st.onGet(func(ctx context.Context, id string) (store.Record, error) {
		rec, err := r.st.Store.Get(ctx, id)
		<-gate
		return rec, err
	})
	return func() {
		r.st.onGet(r.st.Store.Get)
		close(gate)
	}
}

// Row F12: a thousand goroutines that want one token read it once, at the start and each time the
// answer has aged, and all of them get it.
func TestF12Stampede(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, keycache.Config{})
		token, key := r.issue(t)
		for round := range 3 {
			release := r.held()
			var waiting []<-chan outcome
			for range 1000 {
				waiting = append(waiting, r.verifying(t, token))
			}
			synctest.Wait()
			release()
			for _, w := range waiting {
				o := <-w
				require.NoError(t, o.err)
				require.Equal(t, key.ID, o.key.ID)
			}
			require.EqualValues(t, round+1, r.st.gets.Load())
			require.EqualValues(t, 1000*(round+1), r.keys.Stats().Verified, "each counts as a use")
			time.Sleep(10 * time.Second)
		}
		s := r.cache.Stats()
		require.EqualValues(t, 3, s.Loads)
		require.EqualValues(t, 3000, s.Misses+s.Hits)
	})
}

// Row F12 without a bubble, which would hide a race: with nothing to hold up the reads.
func TestF12StampedeAtOnce(t *testing.T) {
	r := newRig(t, keycache.Config{})
	for range 50 {
		token, _ := r.issue(t)
		before := r.st.gets.Load()
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				_, err := r.cache.Verify(t.Context(), token)
				assert.NoError(t, err)
			})
		}
		wg.Wait()
		require.Equal(t, before+1, r.st.gets.Load())
	}
}

// Rows F14 and F16: a revocation that comes while the key is being read. Whoever came before it may
// get what was read; nobody who comes after does, and it is not remembered.
func TestF16RevokedDuringLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, keycache.Config{})
		token, key := r.issue(t)
		release := r.held()
		early := r.verifying(t, token)
		synctest.Wait()
		r.st.onGet(r.st.Store.Get) // for all but the one that is held
		_, err := r.keys.Revoke(t.Context(), ref(key), "leaked")
		require.NoError(t, err)
		r.requireRefused(t, token, apikey.ErrRevoked)
		release()
		require.NoError(t, (<-early).err)
		r.requireRefused(t, token, apikey.ErrRevoked)
		require.Zero(t, r.cache.Stats().Keys)
		require.Zero(t, r.cache.Stats().Hits)
	})
}

// The same without a bubble, over and over: once Revoke has returned, nobody gets in.
func TestF16RevokedUnderLoad(t *testing.T) {
	rounds := 300
	if testing.Short() {
		rounds = 30
	}
	r := newRig(t, keycache.Config{})
	r.st.onGet(func(ctx context.Context, id string) (store.Record, error) {
		rec, err := r.st.Store.Get(ctx, id)
		runtime.Gosched() // others come in between
		return rec, err
	})
	for round := range rounds {
		token, key := r.issue(t)
		var revoked atomic.Bool
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for refused := 0; refused < 3; {
					late := revoked.Load()
					_, err := r.cache.Verify(t.Context(), token)
					if err != nil {
						refused++
						assert.ErrorIs(t, err, apikey.ErrRevoked)
					} else if !assert.False(t, late, "it opened after it was revoked") {
						return
					}
					if round%2 == 0 {
						r.cache.Forget(key.ID) // so that there is always a load under way
					}
				}
			})
		}
		_, err := r.keys.Revoke(t.Context(), ref(key), "leaked")
		require.NoError(t, err)
		revoked.Store(true)
		wg.Wait()
	}
}

// Row F8: who came first leaves. Others still get their answer, of the same read, and it is remembered.
func TestF8LeaderLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, keycache.Config{})
		token, key := r.issue(t)
		release := r.held()
		ctx, cancel := context.WithCancel(t.Context())
		first := r.verifying(t, token, ctx)
		synctest.Wait()
		second := r.verifying(t, token)
		synctest.Wait()
		cancel()
		o := <-first
		requireUnavailable(t, o.err)
		require.ErrorIs(t, o.err, context.Canceled)
		release()
		o = <-second
		require.NoError(t, o.err)
		require.Equal(t, key.ID, o.key.ID)
		require.EqualValues(t, 1, r.st.gets.Load())
		r.requireHit(t, token)
	})
}

// Row F8 of others: one who waits and leaves gets its own context's error, and disturbs nobody.
func TestF8WaiterLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, keycache.Config{})
		token, _ := r.issue(t)
		release := r.held()
		first := r.verifying(t, token)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		o := <-r.verifying(t, token, ctx)
		require.ErrorIs(t, o.err, context.DeadlineExceeded)
		requireUnavailable(t, o.err)
		release()
		require.NoError(t, (<-first).err)
	})
}

// Row F9: the store panics. The caller who met it does so as without a cache, the others get an error,
// and the next call works. A goroutine that ends itself is the same but for the panic.
func TestF9StorePanics(t *testing.T) {
	for name, crash := range map[string]func(){"panic": func() { panic("store") }, "Goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, keycache.Config{})
				token, _ := r.issue(t)
				gate := make(chan struct{})
				r.st.onGet(func(ctx context.Context, id string) (store.Record, error) {
					<-gate
					crash()
					return r.st.Store.Get(ctx, id)
				})
				first := r.verifying(t, token)
				synctest.Wait()
				second, third := r.verifying(t, token), r.verifying(t, token)
				synctest.Wait()
				close(gate)
				o := <-first
				if name == "panic" {
					require.Equal(t, "store", o.panicked)
				} else {
					require.Nil(t, o.panicked)
					requireUnavailable(t, o.err)
				}
				for _, w := range []<-chan outcome{second, third} {
					o := <-w
					require.Nil(t, o.panicked)
					requireUnavailable(t, o.err)
					require.Zero(t, o.key)
				}
				r.st.onGet(r.st.Store.Get)
				r.requireLoad(t, token)
				r.requireHit(t, token)
			})
		})
	}
}

// Rows F4 and F5: a store that hangs and overlooks its context. Callers are released by their own
// deadlines, or after 5 seconds, and one call for each token is all that is left behind.
func TestF5StoreHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, keycache.Config{})
		token, key := r.issue(t)
		release := r.held()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		requireUnavailable(t, (<-r.verifying(t, token, ctx)).err)
		require.Equal(t, time.Second, time.Since(began))
		requireUnavailable(t, (<-r.verifying(t, token)).err)
		require.Equal(t, 5*time.Second, time.Since(began))
		for range 100 {
			requireUnavailable(t, (<-r.verifying(t, token)).err)
			time.Sleep(time.Minute)
		}
		require.EqualValues(t, 1, r.st.gets.Load())
		r.st.onGet(r.st.Store.Get)
		r.cache.Forget(key.ID) // as a change of the key does
		r.requireLoad(t, token)
		release()
		synctest.Wait()
		r.requireHit(t, token)
	})
}

// Nobody joins a read that began longer ago than an answer may be old.
func TestSlowLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, keycache.Config{MaxAge: time.Second})
		token, key := r.issue(t)
		there := beside(t, r.st.Store, keycache.Config{})
		release := r.held()
		first := r.verifying(t, token)
		time.Sleep(time.Second - time.Nanosecond)
		second := r.verifying(t, token)
		synctest.Wait()
		_, err := there.keys.Revoke(t.Context(), ref(key), "leaked")
		require.NoError(t, err)
		time.Sleep(time.Nanosecond)
		third := r.verifying(t, token)
		synctest.Wait()
		release()
		require.NoError(t, (<-first).err)
		require.NoError(t, (<-second).err)
		require.ErrorIs(t, (<-third).err, apikey.ErrRevoked)
		require.EqualValues(t, 2, r.cache.Stats().Loads)
		r.requireRefused(t, token, apikey.ErrRevoked)
	})
}
