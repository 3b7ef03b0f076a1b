package servicetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/store"
)

// requireNotRotated expects a rotation to fail with the error, without a token, and to leave the key as
// it is.
func requireNotRotated(t *testing.T, s *apikey.Service, st store.Store, key apikey.Key, r apikey.Rotation, want error) {
	t.Helper()
	before := kept(t, st, key)
	token, got, err := s.Rotate(t.Context(), ref(key), r)
	require.ErrorIs(t, err, want)
	require.Empty(t, token.Reveal())
	require.Zero(t, got)
	require.True(t, before == kept(t, st, key))
}

var renewTests = []test{
	{"a rotation renews the expiry, to what is asked for, or to the default unless more is left", func(t *testing.T, st store.Store) {
		for _, row := range []struct {
			life, after, in, want time.Duration // want from the rotation on
		}{
			{0, 0, 0, 180 * day},
			{0, 179 * day, 0, 180 * day},
			{time.Second, time.Second - time.Microsecond, 0, 180 * day},
			{366 * day, day, 0, 365 * day},
			{366 * day, 186 * day, 0, 180 * day},
			{366 * day, 186*day - time.Microsecond, 0, 180*day + time.Microsecond},
			{0, day, time.Second, time.Second},
			{0, day, time.Hour + 999, time.Hour},
			{0, day, 366 * day, 366 * day},
		} {
			c := newClock()
			s := newService(t, st, config(c))
			r := request()
			r.ExpiresIn = row.life
			_, key := issue(t, s, r)
			c.Add(row.after)
			token, got := rotate(t, s, key, apikey.Rotation{ExpiresIn: row.in})
			end := c.Now().Add(row.want)
			require.Equal(t, end, got.ExpiresAt)
			require.Equal(t, end, kept(t, st, key).ExpiresAt)
			c.Set(end.Add(-time.Nanosecond))
			open(t, s, token)
			c.Set(end)
			requireRefused(t, s, token, apikey.ErrExpired)
		}
	}},
	{"a rotation lengthens no life past the longest, and gives none to what never expires", func(t *testing.T, st store.Store) {
		c := newClock()
		cfg := config(c)
		cfg.AllowNeverExpires = true
		s := newService(t, st, cfg)
		r := request()
		r.ExpiresIn = 366 * day
		_, long := issue(t, s, r)
		r = request()
		r.NeverExpires = true
		older, never := issue(t, s, r)

		cfg.AllowNeverExpires, cfg.MaxTTL = false, 30*day
		strict := newService(t, st, cfg)
		_, got := rotate(t, strict, long, apikey.Rotation{})
		require.Equal(t, long.ExpiresAt, got.ExpiresAt, "what it had it keeps")
		requireNotRotated(t, strict, st, long, apikey.Rotation{ExpiresIn: 30*day + 1}, apikey.ErrInvalidArgument)

		newer, got := rotate(t, strict, never, apikey.Rotation{})
		require.Zero(t, got.ExpiresAt)
		c.Add(50_000 * day)
		require.Zero(t, open(t, s, older).TokenExpiresAt())
		open(t, s, newer)
		require.Equal(t, c.Now().Add(day), handover(t, s, never).PriorExpiresAt)
		require.Zero(t, open(t, s, newer).ExpiresAt)
		c.Add(day)
		requireRefused(t, s, older, apikey.ErrSuperseded)
	}},
	{"whatever ends a key sooner ends its old token with it, for good", func(t *testing.T, st store.Store) {
		cut := start.Add(2 * time.Hour)
		for name, shorten := range map[string]func(s *apikey.Service, key apikey.Key) string{
			"an update": func(s *apikey.Service, key apikey.Key) string {
				token, _ := rotate(t, s, key, apikey.Rotation{})
				_, err := s.Update(t.Context(), ref(key), apikey.Changes{ExpiresAt: cut})
				require.NoError(t, err)
				return token
			},
			"the rotation": func(s *apikey.Service, key apikey.Key) string {
				token, _ := rotate(t, s, key, apikey.Rotation{ExpiresIn: 2 * time.Hour})
				return token
			},
			"another rotation": func(s *apikey.Service, key apikey.Key) string {
				rotate(t, s, key, apikey.Rotation{})
				token, _ := rotate(t, s, key, apikey.Rotation{ExpiresIn: 2 * time.Hour})
				return token
			},
		} {
			for _, never := range []bool{false, true} {
				for _, used := range []bool{false, true} {
					c := newClock()
					cfg := config(c)
					cfg.AllowNeverExpires = true
					s := newService(t, st, cfg)
					r := request()
					r.NeverExpires = never
					older, key := issue(t, s, r)
					newer := shorten(s, key)
					if used {
						open(t, s, newer)
					}
					require.Equal(t, cut, handover(t, s, key).PriorExpiresAt, name)
					got := open(t, s, older)
					require.Equal(t, cut, got.TokenExpiresAt(), name)
					require.Equal(t, cut, got.EndsAt(c.Now()), name)
					c.Set(cut.Add(-time.Microsecond))
					open(t, s, older)
					if !used {
						rotate(t, s, key, apikey.Rotation{}) // which prolongs the key, and not the old token
						require.Equal(t, cut, handover(t, s, key).PriorExpiresAt, name)
						c.Set(cut)
						requireRefused(t, s, older, apikey.ErrSuperseded)
						continue
					}
					c.Set(cut)
					requireRefused(t, s, older, apikey.ErrExpired)
					requireRefused(t, s, newer, apikey.ErrExpired)
				}
			}
		}
	}},
	{"nothing gives back an old token that has ended", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, st, config(c))
		older, key := issue(t, s, request())
		newer, _ := rotate(t, s, key, apikey.Rotation{Grace: time.Hour})
		open(t, s, newer)
		c.Add(time.Hour)
		want := handover(t, s, key)
		for _, d := range []time.Duration{100 * day, 100 * day, 10 * day} {
			_, err := s.Update(t.Context(), ref(key), apikey.Changes{ExpiresAt: c.Now().Add(d)})
			require.NoError(t, err)
			open(t, s, newer)
			requireRefused(t, s, older, apikey.ErrSuperseded)
			require.Equal(t, want, handover(t, s, key))
		}
	}},
	{"M27 a rotation out of bounds is refused before the store is asked", func(t *testing.T, st store.Store) {
		cfg := config(newClock())
		cfg.MaxTTL = 90 * day
		s := newService(t, st, cfg)
		token, key := issue(t, s, request())
		for _, bad := range []struct {
			field string
			r     apikey.Rotation
		}{
			{"Grace", apikey.Rotation{Grace: -1}},
			{"Grace", apikey.Rotation{Grace: 30*day + 1}},
			{"Grace", apikey.Rotation{Grace: 1<<63 - 1}},
			{"Grace", apikey.Rotation{Grace: 1, Immediately: true}},
			{"ExpiresIn", apikey.Rotation{ExpiresIn: -1}},
			{"ExpiresIn", apikey.Rotation{ExpiresIn: time.Second - 1}},
			{"ExpiresIn", apikey.Rotation{ExpiresIn: 90*day + 1}},
			{"ExpiresIn", apikey.Rotation{ExpiresIn: 1<<63 - 1}},
		} {
			_, _, err := s.WithStore(unreachable{t}).Rotate(t.Context(), ref(key), bad.r)
			requireArgument(t, err, bad.field)
		}
		requireOpens(t, s, token, key)
		_, got := rotate(t, s, key, apikey.Rotation{Grace: 30 * day, ExpiresIn: 90 * day})
		require.Equal(t, start.Add(90*day), got.ExpiresAt)
	}},
	{"M15 M25 what is dead or somebody else's is not rotated, and stays as it is", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, st, config(c))
		token, key := issue(t, s, request())
		for _, theirs := range []apikey.Key{{Owner: "user_43", ID: key.ID}, {Owner: owner + " ", ID: key.ID}} {
			requireNotRotated(t, s, st, theirs, apikey.Rotation{Immediately: true}, apikey.ErrNotFound)
		}
		_, _, err := s.Rotate(t.Context(), apikey.Ref{ID: key.ID}, apikey.Rotation{})
		requireArgument(t, err, "Owner")
		cfg := config(c)
		cfg.Prefix = "postman_test"
		requireNotRotated(t, newService(t, st, cfg), st, key, apikey.Rotation{}, apikey.ErrNotFound)
		requireOpens(t, s, token, key)
		newer, _, err := s.Rotate(t.Context(), apikey.AnyOwner(key.ID), apikey.Rotation{})
		require.NoError(t, err)
		open(t, s, newer.Reveal())

		for _, r := range []apikey.Rotation{{}, {Immediately: true}, {ExpiresIn: time.Hour}} {
			c.Set(key.ExpiresAt)
			requireNotRotated(t, s, st, key, r, apikey.ErrNotActive)
			c.Set(start)
			_, dead := issue(t, s, request())
			_, err := s.Revoke(t.Context(), ref(dead), "")
			require.NoError(t, err)
			requireNotRotated(t, s, st, dead, r, apikey.ErrNotActive)
		}
	}},
	{"M5 M29 a rotation hands out no more than whoever asks for it may grant", func(t *testing.T, st store.Store) {
		s := newService(t, st, config(newClock()))
		r := request()
		r.Scopes, r.ExpiresIn = []string{"sms:send", "email:read"}, 10*day
		_, key := issue(t, s, r)
		at := func(days time.Duration) time.Time { return start.Add(days * day) }
		wide := []string{"sms:send", "email:*"}
		for _, c := range []*apikey.Ceiling{
			{Scopes: wide, Owner: "user_43"},
			{Scopes: wide, ExpiresAt: at(20).Add(-time.Microsecond)},
			{Scopes: []string{"sms:send"}}, // the token would do more than who asked for it
			{Scopes: []string{"sms:send", "email:send"}},
			{},
			apikey.Key{}.Ceiling(),
		} {
			requireNotRotated(t, s, st, key, apikey.Rotation{ExpiresIn: 20 * day, Ceiling: c}, apikey.ErrForbidden)
		}
		_, got := rotate(t, s, key, apikey.Rotation{ExpiresIn: 20 * day, Ceiling: &apikey.Ceiling{Scopes: wide, Owner: owner, ExpiresAt: at(20)}})
		require.Equal(t, at(20), got.ExpiresAt)
		require.Equal(t, r.Scopes, got.Scopes())
		rotate(t, s, key, apikey.Rotation{Ceiling: &apikey.Ceiling{Scopes: r.Scopes}})

		// A scope that is no longer given to new keys stays with those that have it.
		cfg := config(newClock())
		cfg.Scopes = []string{"keys:read"}
		rotate(t, newService(t, st, cfg), key, apikey.Rotation{Ceiling: got.Ceiling(), ExpiresIn: day})
	}},
}
