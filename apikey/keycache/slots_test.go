package keycache_test

import (
	"fmt"
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
	"github.com/opengovsg/latchkey/memstore"
)

// A token that a rotation elsewhere made the old one is remembered as that.
func TestBecameTheOldToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := new(memstore.Store)
		here, there := beside(t, st, keycache.Config{}), beside(t, st, keycache.Config{})
		token, key := here.remembered(t)
		_, _, err := there.keys.Rotate(t.Context(), ref(key), apikey.Rotation{})
		require.NoError(t, err)
		time.Sleep(10 * time.Second)
		require.True(t, here.requireLoad(t, token).Superseded())
		require.True(t, here.requireHit(t, token).Superseded())
	})
}

// Nobody makes a cache forget somebody else's key.
func TestStrangersForgetNothing(t *testing.T) {
	r := newRig(t, keycache.Config{})
	token, key := r.remembered(t)
	test, err := apikey.New(r.st, apikey.Config{Prefix: "postman_test"})
	require.NoError(t, err)
	test.Watch(func(id string) { r.cache.Forget(id) })
	_, err = r.keys.Revoke(t.Context(), apikey.Ref{Owner: "mallory", ID: key.ID}, "")
	require.ErrorIs(t, err, apikey.ErrNotFound)
	_, err = test.Revoke(t.Context(), apikey.AnyOwner(key.ID), "")
	require.ErrorIs(t, err, apikey.ErrNotFound)
	r.requireHit(t, token)
}

// While everything is forgotten, what is remembered of one token of a key carries over nothing of the other
// one's. Each round is a race, which one that forgets without all locks loses within a few.
func TestForgetAllAndTheOtherToken(t *testing.T) {
	st := new(memstore.Store)
	here, there := beside(t, st, keycache.Config{MaxAge: 5 * time.Minute, LoadsAtOnce: 1000}), beside(t, st, keycache.Config{})
	type pair struct {
		old, new string
		key      apikey.Key
	}
	pairs := make([]pair, 2000)
	for i := range pairs {
		old, key := there.issue(t)
		next, _, err := there.keys.Rotate(t.Context(), ref(key), apikey.Rotation{})
		require.NoError(t, err)
		_, err = there.keys.Verify(t.Context(), next.Reveal())
		require.NoError(t, err)
		pairs[i] = pair{old, next.Reveal(), key}
	}
	rounds := 16
	if testing.Short() {
		rounds = 5
	}
	for round := range rounds {
		label := fmt.Sprint("round ", round)
		for _, p := range pairs {
			_, err := here.cache.Verify(t.Context(), p.new)
			require.NoError(t, err)
			_, err = there.keys.Update(t.Context(), ref(p.key), apikey.Changes{Label: &label})
			require.NoError(t, err)
		}
		var wg sync.WaitGroup
		var verified atomic.Int64
		stop := make(chan struct{})
		for worker := range 4 {
			wg.Go(func() {
				for i := worker; i < len(pairs); i += 4 {
					select {
					case <-stop:
						return
					default:
					}
					_, err := here.cache.Verify(t.Context(), pairs[i*7919%len(pairs)].old)
					assert.NoError(t, err)
					verified.Add(1)
				}
			})
		}
		for verified.Load() < 100 {
			runtime.Gosched()
		}
		here.cache.Forget("")
		close(stop)
		wg.Wait()
		for _, p := range pairs {
			key, err := here.cache.Verify(t.Context(), p.new)
			require.NoError(t, err)
			require.Equal(t, label, key.Label, "it is as of before everything was forgotten")
		}
		here.cache.Forget("")
	}
}
