package servicetest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/store"
	"github.com/opengovsg/latchkey/store/storetest"
)

// atOnce calls f from n goroutines and waits for all.
func atOnce(n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}

var legacyRaceTests = []test{
	{"of 100 first uses at once of a key of an earlier system all open, few derive, and one writes", func(t *testing.T, st store.Store) {
		for n, limit := range []int{1, 3} {
			e := new(earlier)
			cfg := legacyConfig(newClock(), e)
			cfg.LegacyAtOnce = limit
			s := newService(t, st, cfg)
			token, key := takeOver(t, s, st, n)
			errs := make([]error, 100)
			atOnce(len(errs), func(i int) { _, errs[i] = s.WithStore(st).Verify(t.Context(), token) })
			for _, err := range errs {
				require.NoError(t, err)
			}
			require.LessOrEqual(t, e.derived.Load(), int64(limit))
			require.Equal(t, int64(2), kept(t, st, key).Version)
		}
	}},
	{"no more than LegacyAtOnce are derived at once, and the rest waits and is refused for what it is", func(t *testing.T, st store.Store) {
		e := new(earlier)
		e.during = func(context.Context) error { time.Sleep(time.Millisecond); return nil }
		cfg := legacyConfig(newClock(), e)
		cfg.LegacyAtOnce = 2
		s := newService(t, st, cfg)
		errs := make([]error, 40)
		atOnce(len(errs), func(i int) { _, errs[i] = s.Verify(t.Context(), oldToken(i)) })
		for _, err := range errs {
			require.ErrorIs(t, err, apikey.ErrUnknown)
		}
		require.Equal(t, int64(40), e.derived.Load())
		require.LessOrEqual(t, e.most.Load(), int64(2))
	}},
	{"who waits in vain to derive is told that nobody could tell, and keys that were used before don't wait", func(t *testing.T, st store.Store) {
		e := new(earlier)
		cfg := legacyConfig(newClock(), e)
		cfg.LegacyAtOnce = 1
		s := newService(t, st, cfg)
		token, key := takeOver(t, s, st, 1)
		requireOpens(t, s, token, key)
		entered, leave := make(chan struct{}), make(chan struct{})
		e.during = func(context.Context) error { close(entered); <-leave; return nil }
		done := make(chan error, 1)
		go func() {
			_, err := s.Verify(context.Background(), oldToken(2))
			done <- err
		}()
		<-entered
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		_, err := s.Verify(ctx, oldToken(3))
		require.ErrorIs(t, err, apikey.ErrUnavailable)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NotErrorIs(t, err, apikey.ErrInvalid)
		requireOpens(t, s, token, key)
		close(leave)
		require.ErrorIs(t, <-done, apikey.ErrUnknown)
		e.during = nil
		requireRefused(t, s, oldToken(3), apikey.ErrUnknown)
	}},
	{"a derivation that fails or panics is an outage, and gives its turn back", func(t *testing.T, st store.Store) {
		e := new(earlier)
		cfg := legacyConfig(newClock(), e)
		cfg.LegacyAtOnce = 1
		s := newService(t, st, cfg)
		token, key := takeOver(t, s, st, 1)
		for _, err := range []error{errors.New("no entropy"), apikey.ErrRevoked} {
			e.during = func(context.Context) error { return err }
			requireUnavailable(t, s, token)
		}
		e.during = func(context.Context) error { panic("on purpose") }
		require.Panics(t, func() { s.Verify(t.Context(), token) })
		e.during = nil
		requireOpens(t, s, token, key)
	}},
	{"a key that another instance upgrades while this one derives opens", func(t *testing.T, st store.Store) {
		e, other := new(earlier), new(earlier)
		c := newClock()
		s, peer := newService(t, st, legacyConfig(c, e)), newService(t, st, legacyConfig(c, other))
		token, key := takeOver(t, s, st, 1)
		e.during = func(ctx context.Context) error {
			_, err := peer.Verify(ctx, token)
			return err
		}
		requireOpens(t, s, token, key)
		require.Equal(t, int64(2), kept(t, st, key).Version)
	}},
	{"an upgrade that loses to other writes is tried again, and undoes none of them", func(t *testing.T, st store.Store) {
		e := new(earlier)
		s := newService(t, st, legacyConfig(newClock(), e))
		for n, change := range []struct {
			change func(rec *store.Record)
			reason error
		}{
			{func(rec *store.Record) { rec.Label = "payroll" }, nil},
			{func(rec *store.Record) { rec.RevokedAt = start }, apikey.ErrRevoked},
		} {
			token, key := takeOver(t, s, st, n)
			once := new(atomic.Bool)
			raced := s.WithStore(updating{st, func(ctx context.Context, rec store.Record) error {
				if once.CompareAndSwap(false, true) {
					tamper(t, st, key.ID, change.change)
				}
				return st.Update(ctx, rec)
			}})
			_, err := raced.Verify(t.Context(), token)
			require.ErrorIs(t, err, change.reason)
			rec := kept(t, st, key)
			require.Equal(t, "sha256", rec.Scheme)
			want := rec
			change.change(&want)
			require.Equal(t, want, rec)
			_, err = s.Verify(t.Context(), token)
			require.ErrorIs(t, err, change.reason)
		}
		require.Equal(t, int64(2), e.derived.Load())
	}},
	{"a failed upgrade fails nothing, and is tried again after a second", func(t *testing.T, st store.Store) {
		e, c := new(earlier), newClock()
		broken := readOnly{st, new(atomic.Int64)}
		s := newService(t, broken, legacyConfig(c, e))
		token, key := takeOver(t, s, st, 1)
		for _, step := range []struct {
			at    time.Duration
			tries int64
		}{{0, 1}, {time.Second - 1, 1}, {time.Second, 2}} {
			c.Set(start.Add(step.at))
			requireOpens(t, s, token, key)
			require.Equal(t, step.tries, broken.updates.Load(), step.at)
		}
		require.Equal(t, int64(3), e.derived.Load())
		c.Add(time.Second)
		requireOpens(t, s.WithStore(restless{st}), token, key)
		requireOpens(t, s.WithStore(st), token, key)
		require.Equal(t, "sha256", kept(t, st, key).Scheme)
	}},
	{"a token of an earlier system is an outage while the store is one, at whatever call", func(t *testing.T, st store.Store) {
		s := newService(t, st, legacyConfig(newClock(), new(earlier)))
		for n := 1; n <= 4; n++ {
			requireUnavailable(t, s.WithStore(storetest.FailOn(st, n, errDown)), oldToken(1))
		}
		requireRefused(t, s.WithStore(storetest.FailOn(st, 5, errDown)), oldToken(1), apikey.ErrUnknown)
	}},
	{"nobody waits to derive for more than 5 seconds", func(t *testing.T, _ store.Store) {
		synctest.Test(t, func(t *testing.T) {
			e := new(earlier)
			leave := make(chan struct{})
			e.during = func(context.Context) error { <-leave; return nil }
			cfg := legacyConfig(newClock(), e)
			cfg.LegacyAtOnce = 1
			s := newService(t, empty{}, cfg)
			done := make(chan struct{})
			go func() {
				defer close(done)
				s.Verify(context.Background(), oldToken(1))
			}()
			synctest.Wait()
			began := time.Now()
			requireUnavailable(t, s, oldToken(2))
			require.Equal(t, 5*time.Second, time.Since(began))
			close(leave)
			<-done
		})
	}},
}

// empty holds nothing.
type empty struct{ store.Store }

func (empty) List(context.Context, store.Query) ([]store.Record, error) { return nil, nil }
