package servicetest

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/store"
	"github.com/opengovsg/latchkey/store/storetest"
)

// A touching store has its touches done by a function.
type touching struct {
	store.Store
	touch func(ctx context.Context, uses []store.Use) error
}

func (s touching) Touch(ctx context.Context, uses []store.Use) error { return s.touch(ctx, uses) }

// lastUsed returns when the key was last used, as Get and List both have it.
func lastUsed(t *testing.T, s *apikey.Service, key apikey.Key) time.Time {
	t.Helper()
	got, err := s.Get(t.Context(), ref(key))
	require.NoError(t, err)
	l, err := s.List(t.Context(), key.Owner, apikey.Page{})
	require.NoError(t, err)
	for _, listed := range l.Keys {
		if listed.ID == key.ID {
			require.Equal(t, got, listed)
		}
	}
	return got.LastUsedAt()
}

func flush(t *testing.T, s *apikey.Service) {
	t.Helper()
	require.NoError(t, s.Flush(t.Context()))
}

var lastUsedTests = []test{
	{"a use shows once it is flushed, changes nothing else, and no verification waits for it", func(t *testing.T, st store.Store) {
		c := newClock()
		counter := storetest.Counter{Store: newExacting(t, st)}
		s := newService(t, &counter, config(c))
		token, key := issue(t, s, request())
		older, rotated := issue(t, s, request())
		rotate(t, s, rotated, apikey.Rotation{})
		before := kept(t, st, key)
		require.Zero(t, key.LastUsedAt())
		c.Set(start.Add(time.Hour + 999))
		at := start.Add(time.Hour)
		gets, calls := counter.Gets.Load(), counter.Calls()
		open(t, s, token)
		open(t, s, older)
		_, _ = s.Verify(t.Context(), wrong(key))
		require.Equal(t, counter.Gets.Load()-gets, counter.Calls()-calls)
		require.Equal(t, gets+3, counter.Gets.Load())
		require.Zero(t, lastUsed(t, s, key))
		flush(t, s)
		require.Equal(t, at, lastUsed(t, s, key))
		require.Equal(t, at, lastUsed(t, s, rotated), "by its old token")
		before.LastUsedAt = at
		require.Equal(t, before, kept(t, st, key))
		flush(t, s)
		require.Equal(t, int64(1), counter.Touches.Load(), "nothing is written twice")
	}},
	{"what is refused is not used", func(t *testing.T, st store.Store) {
		c := newClock()
		counter := storetest.Counter{Store: st}
		s := newService(t, &counter, config(c))
		token, key := issue(t, s, request())
		requireRefused(t, s, wrong(key), apikey.ErrUnknown)
		requireRefused(t, s, token[:len(token)-1], apikey.ErrMalformed)
		_, err := s.Revoke(t.Context(), ref(key), "")
		require.NoError(t, err)
		requireRefused(t, s, token, apikey.ErrRevoked)
		expired, dead := issue(t, s, request())
		older, rotated := issue(t, s, request())
		rotate(t, s, rotated, apikey.Rotation{Immediately: true})
		requireRefused(t, s, older, apikey.ErrSuperseded)
		c.Set(dead.ExpiresAt)
		requireRefused(t, s, expired, apikey.ErrExpired)
		flush(t, s)
		require.Zero(t, counter.Touches.Load())
	}},
	{"of uses that follow each other the first of each span of time is kept", func(t *testing.T, st store.Store) {
		for every, span := range map[time.Duration]time.Duration{0: time.Minute, time.Second: time.Second, day: day} {
			c := newClock()
			cfg := config(c)
			cfg.LastUsedEvery = every
			counter := storetest.Counter{Store: st}
			s := newService(t, &counter, cfg)
			token, key := issue(t, s, request())
			for _, step := range []struct {
				at, want time.Duration
				touches  int64
			}{
				{0, 0, 1},
				{span - time.Microsecond, 0, 1},
				{span, span, 2},
				{span + 1, span, 2},
				{0, span, 2}, // on a clock that was set back
				{2*span - time.Microsecond, span, 2},
				{7 * span, 7 * span, 3},
			} {
				c.Set(start.Add(step.at))
				open(t, s, token)
				flush(t, s)
				require.Equal(t, start.Add(step.want), lastUsed(t, s, key), "%v of %v", step.at, span)
				require.Equal(t, step.touches, counter.Touches.Load(), "%v of %v", step.at, span)
			}
			// The same, where nothing is flushed in between.
			for _, at := range []time.Duration{8 * span, 9*span - time.Microsecond} {
				c.Set(start.Add(at))
				open(t, s, token)
			}
			flush(t, s)
			require.Equal(t, start.Add(8*span), lastUsed(t, s, key))
			for _, at := range []time.Duration{9 * span, 11*span - time.Microsecond, 8 * span} {
				c.Set(start.Add(at))
				open(t, s, token)
			}
			flush(t, s)
			require.Equal(t, start.Add(11*span-time.Microsecond), lastUsed(t, s, key))
		}
	}},
	{"M30 a last use only goes forward, across services", func(t *testing.T, st store.Store) {
		c, behind := newClock(), newClock()
		s, slow := newService(t, st, config(c)), newService(t, st, config(behind))
		token, key := issue(t, s, request())
		c.Add(time.Hour)
		behind.Add(time.Minute)
		open(t, slow, token)
		open(t, s, token)
		flush(t, s)
		flush(t, slow)
		require.Equal(t, c.Now(), lastUsed(t, s, key))
	}},
	{"M28 M30 a use that is written after a revocation, an update or a purge undoes none of them", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, st, config(c))
		var recs []store.Record
		for range 3 {
			token, key := issue(t, s, request())
			open(t, s, token)
			recs = append(recs, kept(t, st, key))
		}
		c.Add(time.Minute)
		_, err := s.Update(t.Context(), apikey.AnyOwner(recs[2].ID), apikey.Changes{Label: new("payroll")})
		require.NoError(t, err)
		_, err = s.Revoke(t.Context(), apikey.AnyOwner(recs[0].ID), "")
		require.NoError(t, err)
		c.Add(time.Minute)
		n, err := s.Purge(t.Context(), c.Now())
		require.NoError(t, err)
		require.Equal(t, 1, n)
		_, err = s.Revoke(t.Context(), apikey.AnyOwner(recs[1].ID), "left")
		require.NoError(t, err)
		var want []store.Record
		for _, rec := range recs[1:] {
			rec, err := st.Get(t.Context(), rec.ID)
			require.NoError(t, err)
			rec.LastUsedAt = start
			want = append(want, rec)
		}
		flush(t, s)
		require.Equal(t, 2, count(t, st, owner))
		for _, rec := range want {
			got, err := st.Get(t.Context(), rec.ID)
			require.NoError(t, err)
			require.Equal(t, rec, got)
		}
	}},
	{"F42 what could not be flushed fails nothing, and goes with the next flush, unless a newer use does", func(t *testing.T, st store.Store) {
		c := newClock()
		down := new(atomic.Bool)
		down.Store(true)
		s := newService(t, touching{st, func(ctx context.Context, uses []store.Use) error {
			if down.Load() {
				return errDown
			}
			return st.Touch(ctx, uses)
		}}, config(c))
		token, key := issue(t, s, request())
		other, otherKey := issue(t, s, request())
		open(t, s, token)
		open(t, s, other)
		for range 3 {
			err := s.Flush(t.Context())
			require.ErrorIs(t, err, apikey.ErrUnavailable)
			require.ErrorIs(t, err, errDown)
		}
		c.Add(time.Hour)
		open(t, s, token)
		down.Store(false)
		flush(t, s)
		require.Equal(t, c.Now(), lastUsed(t, s, key))
		require.Equal(t, start, lastUsed(t, s, otherKey))
		require.Zero(t, s.Stats().UsesDropped)
	}},
	{"many uses are flushed 500 at a time, and after a failure the rest is not lost", func(t *testing.T, st store.Store) {
		c := newClock()
		cfg := config(c)
		cfg.MaxPerOwner = 2000
		var sizes []int
		failing := 2
		s := newService(t, touching{st, func(ctx context.Context, uses []store.Use) error {
			sizes = append(sizes, len(uses))
			if len(sizes) == failing {
				return errDown
			}
			return st.Touch(ctx, uses)
		}}, cfg)
		for range 1001 {
			token, _ := issue(t, s, request())
			open(t, s, token)
		}
		require.ErrorIs(t, s.Flush(t.Context()), errDown)
		flush(t, s)
		require.Equal(t, []int{500, 500, 500, 1}, sizes)
		for key, err := range s.All(t.Context(), owner) {
			require.NoError(t, err)
			require.Equal(t, start, key.LastUsedAt())
		}
	}},
	{"LastUsedEvery is a second to a day", func(t *testing.T, st store.Store) {
		cfg := config(newClock())
		for _, every := range []time.Duration{-1, 1, time.Second - 1, day + 1} {
			cfg.LastUsedEvery = every
			_, err := apikey.New(st, cfg)
			requireArgument(t, err, "LastUsedEvery")
		}
	}},
}
