package dbtest

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/apikey/keycache"
	"github.com/opengovsg/latchkey/store"
)

// A pollable store tells when the last poll that is over began.
type pollable struct {
	store.Store
	since time.Time
	began atomic.Int64 // the one that is under way, or was last
	over  atomic.Int64 // the one before, after which all it found was forgotten
}

func (s *pollable) List(ctx context.Context, q store.Query) ([]store.Record, error) {
	if q.After == "" { // and no further page of one
		s.over.Store(s.began.Swap(int64(time.Since(s.since))))
	}
	return s.Store.List(ctx, q)
}

// beside returns a cache on the database of an instance that is another process.
func (d database) beside(t *testing.T, c keycache.Config) (cache *keycache.Cache, st *pollable, other caller) {
	t.Helper()
	s := Setup{Database: d.index(), DSN: d.fresh(t)}
	st = &pollable{Store: d.migrated(t, d.pool(t, s.DSN)), since: time.Now()}
	keys, err := apikey.New(st, apikey.Config{Prefix: "postman_live", Now: func() time.Time { return now }})
	require.NoError(t, err)
	cache, err = keycache.New(keys, c)
	require.NoError(t, err)
	return cache, st, elsewhere(t, s)
}

// revokedElsewhere has another process revoke many keys that the cache remembers, each some time after
// it was read, and returns for how long each went on opening. Whatever is accepted must satisfy may, which
// is asked with the time when the revocation was acknowledged before that verification began.
func revokedElsewhere(t *testing.T, cache *keycache.Cache, other caller, may func(revoked time.Time) bool) []time.Duration {
	t.Helper()
	n := 1000
	if testing.Short() {
		n = 100
	}
	const atOnce = 200 // more would wait for each other in the other process
	took := make([]time.Duration, n)
	var wg sync.WaitGroup
	for worker := range min(n, atOnce) {
		wg.Go(func() {
			for i := worker; i < n; i += atOnce {
				took[i] = goesOnOpening(t, cache, other, may)
			}
		})
	}
	wg.Wait()
	require.False(t, t.Failed())
	slices.Sort(took)
	t.Logf("%d revocations: median %s, p99 %s, longest %s; %+v", n, took[n/2], took[n*99/100], took[n-1], cache.Stats())
	return took
}

// goesOnOpening has another process revoke a key, and returns for how long it went on opening here.
func goesOnOpening(t *testing.T, cache *keycache.Cache, other caller, may func(revoked time.Time) bool) time.Duration {
	issued, err := other.do(Op{Kind: "issue", Name: "remembered", Patience: -1})
	if !assert.NoError(t, err) || !assert.Equal(t, "ok", issued.Outcome, issued.Text) {
		return 0
	}
	time.Sleep(300 * time.Millisecond) // until a poll has seen that it is new, which it forgets it for
	for range 2 {
		_, err = cache.Verify(t.Context(), issued.Token)
		assert.NoError(t, err)
	}
	time.Sleep(time.Duration(rand.IntN(int(300 * time.Millisecond))))
	r, err := other.do(Op{Kind: "revoke", ID: issued.ID, Name: "leaked", Patience: -1})
	if !assert.NoError(t, err) || !assert.Equal(t, "ok", r.Outcome, r.Text) {
		return 0
	}
	revoked := time.Now()
	for {
		right := may(revoked)
		if _, err := cache.Verify(t.Context(), issued.Token); err != nil {
			assert.ErrorIs(t, err, apikey.ErrRevoked)
			break
		}
		if !assert.True(t, right, "it opened later than the bound says") {
			break
		}
		time.Sleep(time.Millisecond)
	}
	took := time.Since(revoked)
	_, err = cache.Verify(t.Context(), issued.Token)
	assert.ErrorIs(t, err, apikey.ErrRevoked, "and never again")
	return took
}

// Row F15, the bound that always holds: a key that another process revokes is refused by every verification
// that begins MaxAge after that or later, and mostly not before, as there is nothing that would tell.
func TestCacheF15MaxAge(t *testing.T) {
	onEach(t, shared, func(t *testing.T, d database) {
		const maxAge = time.Second
		cache, _, other := d.beside(t, keycache.Config{MaxAge: maxAge})
		took := revokedElsewhere(t, cache, other, func(revoked time.Time) bool { return time.Since(revoked) < maxAge })
		require.GreaterOrEqual(t, cache.Stats().Hits, int64(len(took)), "or nothing was remembered")
	})
}

// Row F15 with Run: a key that another process revokes is refused once a poll that began after that is
// over, which is long before MaxAge.
func TestCacheF15Run(t *testing.T) {
	onEach(t, shared, func(t *testing.T, d database) {
		cache, st, other := d.beside(t, keycache.Config{MaxAge: 5 * time.Minute, PollEvery: 100 * time.Millisecond})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- cache.Run(ctx) }()
		revokedElsewhere(t, cache, other, func(revoked time.Time) bool {
			return st.over.Load() <= int64(revoked.Sub(st.since))
		})
		cancel()
		require.NoError(t, <-ended)
		require.Zero(t, cache.Stats().FailedPolls)
	})
}

// Row M28: a token that another process has just made by a rotation opens here at once, while the one
// before is remembered.
func TestCacheM28RotatedElsewhere(t *testing.T) {
	onEach(t, shared, func(t *testing.T, d database) {
		cache, _, other := d.beside(t, keycache.Config{})
		for range 100 {
			issued := must(t, other, Op{Kind: "issue", Name: "rotated"}, "ok")
			for range 3 {
				_, err := cache.Verify(t.Context(), issued.Token)
				require.NoError(t, err)
			}
			rotated := must(t, other, Op{Kind: "rotate", ID: issued.ID}, "ok")
			key, err := cache.Verify(t.Context(), rotated.Token)
			require.NoError(t, err)
			require.Equal(t, issued.ID, key.ID)
		}
		require.EqualValues(t, 200, cache.Stats().Loads)
	})
}
