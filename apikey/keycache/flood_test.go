package keycache_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
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

// floodVariable says how many tokens the flood below has.
const floodVariable = "LATCHKEY_TEST_FLOOD"

// Row F13: a flood of distinct well-formed tokens that nobody issued. Each is read once, no more of them at
// a time than may be, memory stays as it is, and keys that are in use are accepted from memory throughout.
func TestF13Flood(t *testing.T) {
	tokens := 100_000
	if testing.Short() {
		tokens = 20_000
	}
	if n := os.Getenv(floodVariable); n != "" {
		var err error
		tokens, err = strconv.Atoi(n)
		require.NoError(t, err)
	}
	synctest.Test(t, func(t *testing.T) { flood(t, tokens) }) // where no answer ages, however long it takes
}

func flood(t *testing.T, tokens int) {
	r := newRig(t, keycache.Config{MaxAge: 5 * time.Minute, LoadsAtOnce: 4})
	var hot []string
	for range 1000 {
		token, _ := r.remembered(t)
		hot = append(hot, token)
	}
	var now, most atomic.Int64
	r.st.onGet(func(ctx context.Context, id string) (store.Record, error) {
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		runtime.Gosched()
		return r.st.Store.Get(ctx, id)
	})
	gets, s := r.st.gets.Load(), r.cache.Stats()

	const parts = 10
	var heap [parts]uint64
	for part := range parts {
		var wg sync.WaitGroup
		const workers = 16
		for worker := range workers {
			wg.Go(func() {
				for i := worker; i < tokens/parts; i += workers {
					_, err := r.cache.Verify(t.Context(), junk(part*tokens/parts+i))
					assert.ErrorIs(t, err, apikey.ErrUnknown)
					_, err = r.cache.Verify(t.Context(), hot[i%len(hot)])
					assert.NoError(t, err)
				}
			})
		}
		wg.Wait()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		heap[part] = m.HeapAlloc
	}
	t.Log("live heap after each tenth:", heap)
	after := r.cache.Stats()
	require.EqualValues(t, tokens, r.st.gets.Load()-gets, "each is read once, and no key that is remembered is")
	require.EqualValues(t, tokens, after.Hits-s.Hits)
	require.LessOrEqual(t, most.Load(), int64(4))
	require.Equal(t, 1000, after.Keys)
	require.Less(t, heap[parts-1], heap[0]+1<<21, "it holds no more at the end than after a tenth, but for the places of refusals")
}

// junk returns the n-th token of those that nobody issued.
func junk(n int) string {
	const ids = "0123456789abcdefghjkmnpqrstvwxyz"
	b := []byte("01m83pph000000000000")
	for i, m := len(b)-1, n; m > 0; i, m = i-1, m>>5 {
		b[i] = ids[m&31]
	}
	return spell(string(b), fmt.Sprintf("%043d", n))
}

// A flood fills every turn there is to load an unknown token; one that opened a key before, and is due to
// be renewed, has turns of its own.
func TestF13FloodHoldsUpNoKnownToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, keycache.Config{LoadsAtOnce: 2})
		token, key := r.remembered(t)
		fresh, _ := r.issue(t)
		time.Sleep(10 * time.Second)
		gate := make(chan struct{})
		r.st.onGet(func(ctx context.Context, id string) (store.Record, error) {
			if id != key.ID {
				<-gate
			}
			return r.st.Store.Get(ctx, id)
		})
		before := r.st.gets.Load()
		var flood []<-chan outcome
		for n := range 50 {
			flood = append(flood, r.verifying(t, junk(n)))
		}
		synctest.Wait()
		require.EqualValues(t, before+2, r.st.gets.Load())
		r.requireLoad(t, token)
		waiting := r.verifying(t, fresh)
		synctest.Wait()
		require.Empty(t, waiting)

		time.Sleep(5 * time.Second) // as long as anybody waits
		synctest.Wait()
		for _, f := range append(flood, waiting) {
			requireUnavailable(t, (<-f).err)
		}
		require.EqualValues(t, before+3, r.st.gets.Load(), "whoever gave up is not read for")
		r.st.onGet(r.st.Store.Get)
		close(gate)
		synctest.Wait()
		r.requireLoad(t, fresh)
	})
}

// Those who leave while they wait for a turn take none from those who stay.
func TestAbandoned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, keycache.Config{LoadsAtOnce: 1})
		token, _ := r.issue(t)
		release := r.held()
		first := r.verifying(t, junk(0))
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		var left []<-chan outcome
		for n := range 50 {
			left = append(left, r.verifying(t, junk(1+n), ctx))
		}
		synctest.Wait()
		stays := r.verifying(t, token)
		synctest.Wait()
		cancel()
		for _, l := range left {
			require.ErrorIs(t, (<-l).err, context.Canceled)
		}
		release()
		require.ErrorIs(t, (<-first).err, apikey.ErrUnknown)
		require.NoError(t, (<-stays).err)
		synctest.Wait()
		require.EqualValues(t, 2, r.st.gets.Load())
		r.requireRefused(t, junk(1), apikey.ErrUnknown)
	})
}

// There is room for so many keys, and those that are used least go.
func TestMaxKeys(t *testing.T) {
	r := newRig(t, keycache.Config{MaxKeys: 200, MaxAge: 5 * time.Minute})
	var hot []string
	for range 50 {
		token, _ := r.remembered(t)
		hot = append(hot, token)
	}
	for range 100 { // so that they are known to be used
		for _, token := range hot {
			_, err := r.cache.Verify(t.Context(), token)
			require.NoError(t, err)
		}
	}
	for i := range 2000 {
		token, _ := r.issue(t)
		r.requireLoad(t, token)
		_, err := r.cache.Verify(t.Context(), hot[i%len(hot)])
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool { return r.cache.Stats().Keys <= 200 }, 10*time.Second, time.Millisecond)
	s := r.cache.Stats()
	require.GreaterOrEqual(t, s.Evictions, int64(1800))
	gets := r.st.gets.Load()
	for _, token := range hot {
		_, err := r.cache.Verify(t.Context(), token)
		require.NoError(t, err)
	}
	require.LessOrEqual(t, r.st.gets.Load()-gets, int64(5), "keys in use stay")
}
