package apikey_test

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/memstore"
	"github.com/opengovsg/latchkey/store"
)

// stuck is a store in which another writer never lets go.
type stuck struct {
	store.Store
	updates atomic.Int64
}

func (s *stuck) Update(ctx context.Context, _ store.Record) error {
	s.updates.Add(1)
	<-ctx.Done()
	return ctx.Err()
}

// TestRehashHoldsUpNobodyForLong holds F35: where the database can't be written, one verification
// waits a little for its rehash, all others not at all, and none fails.
func TestRehashHoldsUpNobodyForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pepper, err := apikey.NewPepper(slices.Repeat([]byte("x"), 32))
		require.NoError(t, err)
		st := &stuck{Store: new(memstore.Store)}
		plain, err := apikey.New(st, apikey.Config{Prefix: "acme"})
		require.NoError(t, err)
		issued, key, err := plain.Issue(t.Context(), apikey.Request{Owner: "user_42", Label: "x"})
		require.NoError(t, err)
		token := issued.Reveal()
		keys, err := apikey.New(st, apikey.Config{Prefix: "acme", Peppers: []apikey.Pepper{pepper}})
		require.NoError(t, err)

		began := time.Now()
		waited := make([]time.Duration, 20)
		var wg sync.WaitGroup
		for i := range waited {
			wg.Go(func() {
				got, err := keys.Verify(t.Context(), token)
				require.NoError(t, err)
				require.Equal(t, key, got)
				waited[i] = time.Since(began)
			})
		}
		wg.Wait()
		slices.Sort(waited)
		require.Zero(t, waited[len(waited)-2])
		require.Equal(t, 100*time.Millisecond, waited[len(waited)-1])
		require.Equal(t, int64(1), st.updates.Load())

		// A client that never waits long: its deadline is not what ends the attempt.
		time.Sleep(time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		_, err = keys.Verify(ctx, token)
		require.ErrorIs(t, err, context.DeadlineExceeded, "the client has gone meanwhile")
		require.Equal(t, int64(2), st.updates.Load())
		_, err = keys.Verify(t.Context(), token)
		require.NoError(t, err)
		require.Equal(t, int64(2), st.updates.Load(), "and the failure was noticed")
	})
}
