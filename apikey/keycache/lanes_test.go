package keycache_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/apikey/keycache"
	"github.com/opengovsg/latchkey/memstore"
	"github.com/opengovsg/latchkey/store"
)

// atOnce counts the reads of a store that are under way.
type atOnce struct{ now, most atomic.Int64 }

func (a *atOnce) begin() (end func()) {
	a.most.Store(max(a.most.Load(), a.now.Add(1)))
	return func() { a.now.Add(-1) }
}

// However calls for one token come to be stuck, and whatever is forgotten of its key meanwhile, two are under
// way at the most, and other keys are served.
func TestTwoLoadsOfATokenAtOnce(t *testing.T) {
	stuck := func(ctx context.Context) { <-ctx.Done() }
	for name, c := range map[string]struct {
		maxAge time.Duration
		read   func(ctx context.Context)
		forget bool
	}{
		"stuck":                    {10 * time.Second, stuck, false},
		"stuck, of short lives":    {100 * time.Millisecond, stuck, false},
		"stuck, and changed":       {10 * time.Second, stuck, true},
		"overlooking its deadline": {10 * time.Second, func(context.Context) { time.Sleep(time.Hour) }, false},
		"overlooking, and changed": {10 * time.Second, func(context.Context) { time.Sleep(time.Hour) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, keycache.Config{MaxAge: c.maxAge, LoadsAtOnce: 3})
				token, key := r.remembered(t)
				other, _ := r.remembered(t)
				time.Sleep(c.maxAge)
				var reads atOnce
				r.st.onGet(func(ctx context.Context, id string) (store.Record, error) {
					if id == key.ID {
						defer reads.begin()()
						c.read(ctx)
					}
					return r.st.Store.Get(ctx, id)
				})
				for n := range 600 {
					if c.forget && n%10 == 0 {
						r.cache.Forget(key.ID)
					}
					ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
					r.cache.Verify(ctx, token)
					cancel()
					time.Sleep(90 * time.Millisecond)
				}
				_, err := r.cache.Verify(t.Context(), other)
				require.NoError(t, err)
				require.LessOrEqual(t, reads.most.Load(), int64(2))
				time.Sleep(time.Hour)
			})
		})
	}
}

// Where every second call is stuck, those who wait go on with the ones that land.
func TestWaitersGoOnWithWhatLands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, keycache.Config{MaxAge: 100 * time.Millisecond})
		token, _ := r.issue(t)
		var reads atOnce
		r.st.onGet(func(ctx context.Context, id string) (store.Record, error) {
			defer reads.begin()()
			if r.st.gets.Load() == 1 {
				<-ctx.Done()
				return store.Record{}, ctx.Err()
			}
			time.Sleep(200 * time.Millisecond)
			return r.st.Store.Get(ctx, id)
		})
		first := r.verifying(t, token)
		time.Sleep(100 * time.Millisecond)
		for range 20 {
			o := r.verifying(t, token)
			time.Sleep(100 * time.Millisecond)
			began := time.Now()
			_, err := r.cache.Verify(t.Context(), token)
			require.NoError(t, err)
			require.LessOrEqual(t, time.Since(began), 300*time.Millisecond)
			require.NoError(t, (<-o).err)
		}
		requireUnavailable(t, (<-first).err)
		require.EqualValues(t, 2, reads.most.Load())
	})
}

// Nobody waits for more than 5 seconds, also who waits for others first.
func TestNobodyWaitsLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, keycache.Config{MaxAge: 100 * time.Millisecond})
		token, _ := r.issue(t)
		r.st.onGet(func(ctx context.Context, id string) (store.Record, error) {
			<-ctx.Done()
			return store.Record{}, ctx.Err()
		})
		for range 20 {
			began := time.Now()
			o := r.verifying(t, token)
			time.Sleep(150 * time.Millisecond)
			go func() {
				requireUnavailable(collect{t}, (<-o).err)
				assert.LessOrEqual(t, time.Since(began), 5*time.Second)
			}()
		}
		time.Sleep(20 * time.Second)
	})
}

type collect struct{ *testing.T }

func (c collect) FailNow() { c.Fail() }

// What a read found that began later stands, also where an earlier one lands after it: here the key was
// revoked, or changed, between the two, and seen by its other token.
func TestEarlierReadLandsLater(t *testing.T) {
	for _, c := range []struct {
		name  string
		other bool
		err   error
	}{{"revoked", false, apikey.ErrRevoked}, {"revoked, and seen by the other token", true, apikey.ErrRevoked}, {"changed", false, nil}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				st := new(memstore.Store)
				here, there := beside(t, st, keycache.Config{}), beside(t, st, keycache.Config{})
				token, key := here.issue(t)
				next, _, err := there.keys.Rotate(t.Context(), ref(key), apikey.Rotation{})
				require.NoError(t, err)
				_, err = there.keys.Verify(t.Context(), next.Reveal())
				require.NoError(t, err)
				release := here.held()
				early := here.verifying(t, token)
				time.Sleep(3 * time.Second) // for so long that nobody joins it
				here.st.onGet(st.Get)
				if c.err != nil {
					_, err = there.keys.Revoke(t.Context(), ref(key), "leaked")
				} else {
					_, err = there.keys.Update(t.Context(), ref(key), apikey.Changes{Scopes: []string{}})
				}
				require.NoError(t, err)
				see := func(token string) {
					t.Helper()
					if c.err != nil {
						here.requireRefused(t, token, c.err)
						return
					}
					seen, err := here.cache.Verify(t.Context(), token)
					require.NoError(t, err)
					require.Empty(t, seen.Scopes())
				}
				if c.other {
					see(next.Reveal())
				} else {
					see(token)
				}
				release()
				require.NoError(t, (<-early).err)
				synctest.Wait()
				see(token)
			})
		})
	}
}

// Nobody joins a read of before a suspension, whose answer is as old as that was long.
func TestJoinAfterSuspension(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w wall
		clock := func(c *apikey.Config) { c.Now = w.Now }
		st := new(memstore.Store)
		here, there := beside(t, st, keycache.Config{}, clock), beside(t, st, keycache.Config{}, clock)
		token, key := here.issue(t)
		release := here.held()
		early := here.verifying(t, token)
		synctest.Wait()
		here.st.onGet(st.Get)
		_, err := there.keys.Revoke(t.Context(), ref(key), "leaked")
		require.NoError(t, err)
		w.set(time.Hour)
		here.requireRefused(t, token, apikey.ErrRevoked)
		release()
		<-early
		here.requireRefused(t, token, apikey.ErrRevoked)
	})
}

// A token that is presented more than a second after the transaction that makes it was committed is not
// refused, also where a read of before takes longer than that.
func TestM28JoinsNoOldRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, keycache.Config{})
		token, _ := r.issue(t)
		r.st.onGet(func(ctx context.Context, id string) (store.Record, error) {
			if r.st.gets.Load() == 1 { // before the commit
				time.Sleep(4 * time.Second)
				return store.Record{}, store.ErrNotFound
			}
			return r.st.Store.Get(ctx, id)
		})
		early := r.verifying(t, token)
		time.Sleep(2 * time.Second)
		late := r.verifying(t, token)
		require.ErrorIs(t, (<-early).err, apikey.ErrUnknown)
		require.NoError(t, (<-late).err)
	})
}
