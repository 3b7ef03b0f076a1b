package apikey_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/memstore"
	"github.com/opengovsg/latchkey/store"
	"github.com/opengovsg/latchkey/store/storetest"
)

// touched counts batches and uses, and can hang as a database does that is cut off.
type touched struct {
	storetest.Counter
	hangs atomic.Bool
	uses  atomic.Int64
}

func (s *touched) Touch(ctx context.Context, uses []store.Use) error {
	if s.hangs.Load() {
		<-ctx.Done()
		return ctx.Err()
	}
	s.uses.Add(int64(len(uses)))
	return s.Counter.Touch(ctx, uses)
}

func newTouched() *touched { return &touched{Counter: storetest.Counter{Store: new(memstore.Store)}} }

func keysOn(t *testing.T, st store.Store, c apikey.Config) *apikey.Service {
	t.Helper()
	c.Prefix = "acme_live"
	keys, err := apikey.New(st, c)
	require.NoError(t, err)
	return keys
}

func issue(t *testing.T, keys *apikey.Service) (string, apikey.Ref) {
	t.Helper()
	token, key, err := keys.Issue(t.Context(), apikey.Request{Owner: "user_42", Label: "x"})
	require.NoError(t, err)
	return token.Reveal(), apikey.Ref{Owner: key.Owner, ID: key.ID}
}

func verify(t *testing.T, keys *apikey.Service, token string) apikey.Key {
	t.Helper()
	key, err := keys.Verify(t.Context(), token)
	require.NoError(t, err)
	return key
}

// run starts Run and returns what ends it and gives its error.
func run(keys *apikey.Service) (end func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- keys.Run(ctx) }()
	return func() error {
		cancel()
		return <-ended
	}
}

func TestRunWritesUsesWithEachTick(t *testing.T) {
	for every, span := range map[time.Duration]time.Duration{0: time.Minute, time.Second: time.Second, 24 * time.Hour: 24 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			st := newTouched()
			keys := keysOn(t, st, apikey.Config{LastUsedEvery: every})
			token, ref := issue(t, keys)
			end := run(keys)
			used := time.Now().UTC()
			verify(t, keys, token)
			time.Sleep(span - time.Nanosecond)
			synctest.Wait()
			require.Zero(t, st.Touches.Load())
			time.Sleep(time.Nanosecond)
			synctest.Wait()
			require.Equal(t, int64(1), st.Touches.Load())
			key, err := keys.Get(t.Context(), ref)
			require.NoError(t, err)
			require.Equal(t, used.Truncate(time.Microsecond), key.LastUsedAt())
			time.Sleep(5 * span)
			require.NoError(t, end())
			require.Equal(t, int64(1), st.Touches.Load(), "what is not used is not written")
		})
	}
}

func TestManyUsesAreFewWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newTouched()
		keys := keysOn(t, st, apikey.Config{})
		var tokens []string
		for range 100 {
			token, _ := issue(t, keys)
			tokens = append(tokens, token)
		}
		end := run(keys)
		for range 1000 {
			for _, token := range tokens {
				verify(t, keys, token)
			}
			time.Sleep(601 * time.Millisecond)
		}
		require.NoError(t, end())
		require.Equal(t, int64(100_000), st.Gets.Load())
		require.Zero(t, st.Updates.Load()+st.Lists.Load()+st.Purges.Load())
		require.Equal(t, int64(10), st.Touches.Load(), "one for all keys, in each of ten minutes")
		require.Equal(t, int64(1000), st.uses.Load())
		require.Equal(t, apikey.Stats{Verified: 100_000}, keys.Stats())
	})
}

// TestRunWritesOnceMore holds F43: what is left when the context ends is written, whether it had ended
// before or not.
func TestRunWritesOnceMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newTouched()
		keys := keysOn(t, st, apikey.Config{})
		token, ref := issue(t, keys)
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		for i := range 3 {
			verify(t, keys, token)
			if i == 0 {
				end := run(keys)
				synctest.Wait()
				require.NoError(t, end())
			} else {
				require.NoError(t, keys.Run(ended))
			}
			require.Equal(t, int64(i+1), st.Touches.Load())
			key, err := keys.Get(t.Context(), ref)
			require.NoError(t, err)
			require.Equal(t, time.Now().UTC(), key.LastUsedAt())
			time.Sleep(time.Minute)
		}

		// A store that can't be written is told, and one that hangs holds up the end for five seconds.
		down := keys.WithStore(storetest.Failing(context.DeadlineExceeded))
		verify(t, keys, token)
		require.ErrorIs(t, down.Run(ended), apikey.ErrUnavailable)
		st.hangs.Store(true)
		began := time.Now()
		err := keys.Run(ended)
		require.ErrorIs(t, err, apikey.ErrUnavailable)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 5*time.Second, time.Since(began))
		st.hangs.Store(false)
		require.NoError(t, keys.Run(ended))
		require.Equal(t, int64(4), st.uses.Load(), "and nothing was lost")
	})
	var none context.Context
	require.ErrorIs(t, keysOn(t, new(memstore.Store), apikey.Config{}).Run(none), apikey.ErrUnavailable)
	require.ErrorIs(t, new(apikey.Service).Run(t.Context()), apikey.ErrUnavailable)
	require.ErrorIs(t, new(apikey.Service).Flush(t.Context()), apikey.ErrUnavailable)
}

// TestHangingStoreHoldsUpRunForHalfAMinute expects events to go on, uses to be kept, and the end to come.
func TestHangingStoreHoldsUpRunForHalfAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newTouched()
		var events atomic.Int64
		keys := keysOn(t, st, apikey.Config{Observer: func(context.Context, apikey.Event) { events.Add(1) }})
		token, ref := issue(t, keys)
		_, _, err := keys.Rotate(t.Context(), ref, apikey.Rotation{Immediately: true})
		require.NoError(t, err)
		used, _ := issue(t, keys)
		verify(t, keys, used)
		st.hangs.Store(true)
		end := run(keys)
		time.Sleep(time.Minute)
		synctest.Wait()
		_, err = keys.Verify(t.Context(), token)
		require.ErrorIs(t, err, apikey.ErrSuperseded)
		verify(t, keys, used)
		require.Equal(t, int64(3), events.Load())
		time.Sleep(30 * time.Second)
		synctest.Wait()
		require.Equal(t, int64(4), events.Load())
		st.hangs.Store(false)
		time.Sleep(30 * time.Second)
		synctest.Wait()
		require.Equal(t, int64(1), st.uses.Load())
		require.NoError(t, end())
	})
}

// TestSlowObserverHoldsUpNoVerification has the observer wait while keys are verified.
func TestSlowObserverHoldsUpNoVerification(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var late atomic.Int64
		keys := keysOn(t, new(memstore.Store), apikey.Config{MaxPerOwner: 300, Observer: func(_ context.Context, e apikey.Event) {
			if e.Kind == apikey.EventLateUse {
				late.Add(1)
				<-release
			}
		}})
		older, newer := make([]string, 300), make([]string, 300)
		for i := range older {
			token, ref := issue(t, keys)
			rotated, _, err := keys.Rotate(t.Context(), ref, apikey.Rotation{Immediately: true})
			require.NoError(t, err)
			older[i], newer[i] = token, rotated.Reveal()
		}
		end := run(keys)
		began := time.Now()
		for i := range older {
			_, err := keys.Verify(t.Context(), older[i])
			require.ErrorIs(t, err, apikey.ErrSuperseded)
			require.False(t, verify(t, keys, newer[i]).Superseded())
			synctest.Wait()
		}
		require.Equal(t, began, time.Now())
		require.Equal(t, int64(1), late.Load())
		require.Equal(t, int64(300-256-1), keys.Stats().EventsLost)
		close(release)
		require.NoError(t, end())
		require.Equal(t, int64(257), late.Load())
	})
}

// TestRunEndsWhileEventsCome has the observer cause an event with each that it is told of.
func TestRunEndsWhileEventsCome(t *testing.T) {
	var keys *apikey.Service
	var older string
	seen := 0
	now := time.Now()
	later := func() time.Time { now = now.Add(time.Minute); return now }
	keys = keysOn(t, new(memstore.Store), apikey.Config{Now: later, Observer: func(ctx context.Context, e apikey.Event) {
		if e.Kind == apikey.EventLateUse && seen < 1000 {
			seen++
			_, err := keys.Verify(context.WithoutCancel(ctx), older)
			require.ErrorIs(t, err, apikey.ErrSuperseded)
		}
	}})
	token, ref := issue(t, keys)
	older = token
	_, _, err := keys.Rotate(t.Context(), ref, apikey.Rotation{Immediately: true})
	require.NoError(t, err)
	_, err = keys.Verify(t.Context(), older)
	require.ErrorIs(t, err, apikey.ErrSuperseded)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, keys.Run(ended))
	require.LessOrEqual(t, seen, 10)
}

// TestLateUsesAreToldOnceAMinute has a client that was forgotten go on asking.
func TestLateUsesAreToldOnceAMinute(t *testing.T) {
	told := 0
	start := time.Now()
	now := start
	keys := keysOn(t, new(memstore.Store), apikey.Config{Now: func() time.Time { return now }, Observer: func(_ context.Context, e apikey.Event) {
		if e.Kind == apikey.EventLateUse {
			told++
		}
	}})
	older, ref := issue(t, keys)
	second, _, err := keys.Rotate(t.Context(), ref, apikey.Rotation{Immediately: true})
	require.NoError(t, err)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for minute := range 3 {
		for range 1000 {
			_, err := keys.Verify(t.Context(), older)
			require.ErrorIs(t, err, apikey.ErrSuperseded)
		}
		require.NoError(t, keys.Run(ended))
		require.Equal(t, minute+1, told)
		now = now.Add(time.Minute)
	}
	require.Equal(t, int64(3000), keys.Stats().Superseded)
	require.Zero(t, keys.Stats().EventsLost)

	// The token after it is another one, of the same key and in the same minute.
	now = now.Add(-time.Second)
	_, _, err = keys.Rotate(t.Context(), ref, apikey.Rotation{Immediately: true})
	require.NoError(t, err)
	_, err = keys.Verify(t.Context(), second.Reveal())
	require.ErrorIs(t, err, apikey.ErrSuperseded)
	require.NoError(t, keys.Run(ended))
	require.Equal(t, 4, told)

	// What a clock noted that was far ahead says nothing once it is set right.
	for i, at := range []time.Duration{1000 * time.Hour, 0, time.Minute} {
		now = start.Add(time.Hour + at)
		_, err = keys.Verify(t.Context(), second.Reveal())
		require.ErrorIs(t, err, apikey.ErrSuperseded)
		require.NoError(t, keys.Run(ended))
		require.Equal(t, 5+i, told)
	}
}
