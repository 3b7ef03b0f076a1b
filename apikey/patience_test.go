package apikey_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/memstore"
)

// TestActivationHoldsUpNobodyForLong is the same for activations as TestRehashHoldsUpNobodyForLong.
func TestActivationHoldsUpNobodyForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plain := new(memstore.Store)
		st := &stuck{Store: plain}
		keys := keysOn(t, st, apikey.Config{})
		older, ref := issue(t, keys)
		newer, _, err := keys.WithStore(plain).Rotate(t.Context(), ref, apikey.Rotation{})
		require.NoError(t, err)
		began := time.Now()
		waited := make([]time.Duration, 20)
		var wg sync.WaitGroup
		for i := range waited {
			wg.Go(func() {
				require.False(t, verify(t, keys, newer.Reveal()).Superseded())
				waited[i] = time.Since(began)
			})
		}
		wg.Wait()
		for _, d := range waited {
			require.LessOrEqual(t, d, 500*time.Millisecond)
		}
		updates := st.updates.Load()
		for range 20 {
			verify(t, keys, newer.Reveal())
			require.True(t, verify(t, keys, older).Superseded())
		}
		require.Equal(t, began.Add(500*time.Millisecond), time.Now(), "and then nobody waits for a second")
		require.Equal(t, updates, st.updates.Load())
		time.Sleep(500 * time.Millisecond)
		verify(t, keys, newer.Reveal())
		require.Equal(t, updates+1, st.updates.Load())
	})
}

// TestNotifierHasTwoMinutes expects a notifier that hangs to be ended, and its key to be free again.
func TestNotifierHasTwoMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys := keysOn(t, new(memstore.Store), apikey.Config{})
		_, ref := issue(t, keys)
		began := time.Now()
		sent, err := keys.Remind(t.Context(), ref, began, func(ctx context.Context, _ apikey.Key) error {
			<-ctx.Done()
			return fmt.Errorf("smtp: %w", ctx.Err())
		})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.False(t, sent)
		require.Equal(t, 2*time.Minute, time.Since(began))
		sent, err = keys.Remind(t.Context(), ref, began, func(context.Context, apikey.Key) error { return nil })
		require.NoError(t, err)
		require.True(t, sent)
	})
}
