package servicetest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/store"
	"github.com/opengovsg/latchkey/store/storetest"
)

// A watcher remembers what it was told.
type watcher struct {
	mu  sync.Mutex
	ids []string
}

func watch(s *apikey.Service) *watcher {
	w := new(watcher)
	s.Watch(func(id string) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.ids = append(w.ids, id)
	})
	return w
}

// take returns what it was told since the last time.
func (w *watcher) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	ids := w.ids
	w.ids = nil
	return ids
}

// changes returns what Changed yields.
func changes(t *testing.T, s *apikey.Service, within time.Duration) (all []apikey.Change) {
	t.Helper()
	for change, err := range s.Changed(t.Context(), within) {
		require.NoError(t, err)
		all = append(all, change)
	}
	return all
}

var watchTests = []test{
	{"whoever watches is told of every write of a key, before the call returns", func(t *testing.T, st store.Store) {
		c := newClock()
		e := new(earlier)
		s := newService(t, st, legacyConfig(c, e))
		w, other := watch(s), watch(s)
		ctx := t.Context()
		told := func(what string, ids ...string) {
			t.Helper()
			require.Equal(t, ids, w.take(), what)
			require.Equal(t, ids, other.take(), what)
		}
		token, key := issue(t, s, request())
		told("Issue", key.ID)
		requireOpens(t, s, token, key)
		require.NoError(t, s.Flush(ctx))
		told("Verify and Flush")
		_, err := s.Update(ctx, ref(key), apikey.Changes{Label: new("renamed")})
		require.NoError(t, err)
		told("Update", key.ID)
		_, err = s.WithStore(st).Update(ctx, ref(key), apikey.Changes{Label: new("again")})
		require.NoError(t, err)
		told("Update of WithStore", key.ID)
		next, _, err := s.Rotate(ctx, ref(key), apikey.Rotation{})
		require.NoError(t, err)
		told("Rotate", key.ID)
		open(t, s, next.Reveal())
		told("the first use", key.ID)
		_, err = s.Remind(ctx, ref(key), start, func(context.Context, apikey.Key) error { return nil })
		require.NoError(t, err)
		told("Remind, before and after", key.ID, key.ID)

		cfg := legacyConfig(c, e)
		cfg.Peppers = []apikey.Pepper{newPepper(t, 1)}
		peppered := newService(t, st, cfg)
		w2 := watch(peppered)
		open(t, peppered, next.Reveal())
		require.Equal(t, []string{key.ID}, w2.take(), "a rehash")
		told("what another service does")

		old, taken := takeOver(t, s, st, 1)
		open(t, s, old)
		told("an upgrade", taken.ID)

		_, err = s.Revoke(ctx, ref(key), "")
		require.NoError(t, err)
		told("Revoke", key.ID)
		_, err = s.Revoke(ctx, ref(key), "")
		require.NoError(t, err)
		told("Revoke, which had nothing to do, as somebody else may have done it", key.ID)
		_, err = s.Update(ctx, ref(key), apikey.Changes{Label: new("dead")})
		require.ErrorIs(t, err, apikey.ErrNotActive)
		told("a change that is refused", key.ID)
		_, err = s.Revoke(ctx, apikey.Ref{Owner: owner}, "")
		require.ErrorIs(t, err, apikey.ErrNotFound)
		told("what is no id, and must not pass for any")
		_, err = s.RevokeAll(ctx, owner, "")
		require.NoError(t, err)
		told("RevokeAll, and then of all that were revoked lately", taken.ID, key.ID, taken.ID)
		c.Add(time.Hour)
		_, err = s.Purge(ctx, c.Now())
		require.NoError(t, err)
		told("Purge, of any", "")
	}},
	{"whoever watches is told also of a write that failed, or that a store panicked in", func(t *testing.T, st store.Store) {
		c := newClock()
		_, key := issue(t, newService(t, st, config(c)), request())
		for _, fail := range []func() error{func() error { return errDown }, func() error { panic("store") }} {
			s := newService(t, updating{st, func(context.Context, store.Record) error { return fail() }}, config(c))
			w := watch(s)
			func() {
				defer func() { _ = recover() }()
				_, err := s.Revoke(t.Context(), ref(key), "")
				require.ErrorIs(t, err, apikey.ErrUnavailable)
			}()
			require.Equal(t, []string{key.ID}, w.take())
		}
		s := newService(t, storetest.Failing(errDown), config(c))
		w := watch(s)
		_, _, err := s.Issue(t.Context(), request())
		require.ErrorIs(t, err, apikey.ErrUnavailable)
		require.Len(t, w.take(), 1)
		_, err = s.Purge(t.Context(), start)
		require.ErrorIs(t, err, apikey.ErrUnavailable)
		require.Equal(t, []string{""}, w.take())
	}},
	{"Changed tells what was written lately, by whatever instance, and how often", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, st, config(c))
		_, first := issue(t, s, request())
		c.Add(time.Minute)
		_, second := issue(t, s, request())
		test := config(c)
		test.Prefix = "postman_test"
		issue(t, newService(t, st, test), request())

		require.Equal(t, []apikey.Change{{ID: second.ID, Version: 1}}, changes(t, s, time.Minute-time.Microsecond))
		require.Equal(t, []apikey.Change{{ID: second.ID, Version: 1}, {ID: first.ID, Version: 1}}, changes(t, s, time.Minute))
		_, err := newService(t, st, config(c)).Revoke(t.Context(), ref(first), "")
		require.NoError(t, err)
		require.Equal(t, []apikey.Change{{ID: second.ID, Version: 1}, {ID: first.ID, Version: 2}}, changes(t, s, 0))
		require.Equal(t, changes(t, s, 0), changes(t, s, 1<<63-1), "as far back as may be")
		require.Empty(t, changes(t, s, -time.Hour))
		for range s.Changed(t.Context(), time.Hour) {
			break
		}
	}},
	{"a use that a cache notes is one like any other", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, st, config(c))
		_, key := issue(t, s, request())
		c.Add(time.Hour)
		now, err := s.Now()
		require.NoError(t, err)
		require.Equal(t, start.Add(time.Hour), now)
		s.NoteUse(&key, now)
		require.Equal(t, int64(1), s.Stats().Verified)
		flush(t, s)
		require.Equal(t, start.Add(time.Hour), lastUsed(t, s, key))
	}},
	{"what a cache needs of a service does not work without one, and does not panic", func(t *testing.T, st store.Store) {
		for _, s := range []*apikey.Service{nil, new(apikey.Service)} {
			s.Watch(func(string) {})
			_, err := s.Now()
			require.ErrorIs(t, err, apikey.ErrUnavailable)
			s.NoteUse(&apikey.Key{ID: "01m83pph00zab5rrb146"}, start)
			for _, err := range s.Changed(t.Context(), time.Hour) {
				require.ErrorIs(t, err, apikey.ErrUnavailable)
			}
		}
		c := newClock()
		s := newService(t, st, config(c))
		s.NoteUse(new(apikey.Key), start)
		require.Zero(t, s.Stats().Verified)
		c.Set(time.Time{})
		_, err := s.Now()
		require.ErrorIs(t, err, apikey.ErrUnavailable)
	}},
}
