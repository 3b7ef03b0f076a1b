package servicetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/store"
)

const day = 24 * time.Hour

// ref names a key as its owner does.
func ref(key apikey.Key) apikey.Ref { return apikey.Ref{Owner: key.Owner, ID: key.ID} }

func rotate(t *testing.T, s *apikey.Service, key apikey.Key, r apikey.Rotation) (string, apikey.Key) {
	t.Helper()
	token, key, err := s.Rotate(t.Context(), ref(key), r)
	require.NoError(t, err)
	return token.Reveal(), key
}

// open expects the token to open a key, and returns it.
func open(t *testing.T, s *apikey.Service, token string) apikey.Key {
	t.Helper()
	key, err := s.Verify(t.Context(), token)
	require.NoError(t, err)
	return key
}

// handover returns how far the rotation of a key has come, as the store has it.
func handover(t *testing.T, s *apikey.Service, key apikey.Key) apikey.Handover {
	t.Helper()
	key, err := s.Get(t.Context(), ref(key))
	require.NoError(t, err)
	h, ok := key.Handover()
	require.True(t, ok)
	return h
}

// kept returns the record of a key.
func kept(t *testing.T, st store.Store, key apikey.Key) store.Record {
	t.Helper()
	rec, err := st.Get(t.Context(), key.ID)
	require.NoError(t, err)
	return rec
}

var rotateTests = []test{
	{"both tokens work until the new one is used, and from then on the old one for its grace", func(t *testing.T, st store.Store) {
		for grace, want := range map[time.Duration]time.Duration{
			0: day, time.Nanosecond: 0, time.Microsecond: time.Microsecond, time.Hour + 999: time.Hour, 30 * day: 30 * day,
		} {
			c := newClock()
			s := newService(t, st, config(c))
			older, key := issue(t, s, request())
			_, none := key.Handover()
			require.False(t, none)
			c.Add(time.Hour)
			newer, rotated := rotate(t, s, key, apikey.Rotation{Grace: grace})
			require.Equal(t, newer[len(newer)-len(key.Hint):], rotated.Hint)
			pending := apikey.Handover{RotatedAt: c.Now(), PriorExpiresAt: key.ExpiresAt, PriorHint: key.Hint}
			c.Add(10 * day)
			for range 2 {
				got := open(t, s, older)
				require.True(t, got.Superseded())
				require.Equal(t, key.ExpiresAt, got.TokenExpiresAt())
			}
			require.Equal(t, pending, handover(t, s, key))
			require.True(t, pending.Pending())

			used := c.Now()
			c.Set(used.Add(999)) // between two microseconds
			got := open(t, s, newer)
			require.False(t, got.Superseded())
			require.Equal(t, rotated.ExpiresAt, got.TokenExpiresAt())
			end := used.Add(want)
			active := pending
			active.ActivatedAt, active.PriorExpiresAt = used, end
			require.Equal(t, active, handover(t, s, key))
			require.False(t, active.Pending())

			c.Set(used.Add(want / 2))
			open(t, s, newer)
			require.Equal(t, active, handover(t, s, key), "a second use prolongs nothing")
			if want > 0 {
				c.Set(end.Add(-time.Nanosecond))
				got = open(t, s, older)
				require.True(t, got.Superseded())
				require.Equal(t, end, got.TokenExpiresAt())
			}
			c.Set(end)
			requireRefused(t, s, older, apikey.ErrSuperseded)
			open(t, s, newer)
			c.Add(100 * day)
			requireRefused(t, s, older, apikey.ErrSuperseded)
			open(t, s, newer)
			require.Equal(t, active, handover(t, s, key))
		}
	}},
	{"M27 an old token never lives longer than it had", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, st, config(c))
		r := request()
		r.ExpiresIn = time.Hour
		for _, activated := range []bool{true, false} {
			c.Set(start)
			older, key := issue(t, s, r)
			newer, _ := rotate(t, s, key, apikey.Rotation{})
			c.Set(key.ExpiresAt.Add(-time.Microsecond))
			if activated {
				open(t, s, newer)
			}
			require.Equal(t, key.ExpiresAt, open(t, s, older).TokenExpiresAt())
			require.Equal(t, key.ExpiresAt, handover(t, s, key).PriorExpiresAt)
			c.Set(key.ExpiresAt)
			requireRefused(t, s, older, apikey.ErrSuperseded)
			open(t, s, newer)
			require.Equal(t, key.ExpiresAt, handover(t, s, key).PriorExpiresAt, "nor after it had ended")
		}
	}},
	{"Immediately ends the old token at once, pending, in grace or neither, on every clock", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, st, config(c))
		for _, before := range []string{"never rotated", "pending", "in grace", "after grace"} {
			c.Set(start)
			older, key := issue(t, s, request())
			newer := older
			if before != "never rotated" {
				newer, _ = rotate(t, s, key, apikey.Rotation{})
			}
			if before == "in grace" || before == "after grace" {
				open(t, s, newer)
			}
			if before == "after grace" {
				c.Add(2 * day)
			}
			newest, got := rotate(t, s, key, apikey.Rotation{Immediately: true})
			h, ok := got.Handover()
			require.True(t, ok)
			require.Equal(t, c.Now(), h.ActivatedAt)
			require.Equal(t, c.Now(), h.PriorExpiresAt)
			now := c.Now()
			for _, d := range []time.Duration{0, -time.Hour, day} { // an instance behind must not let a leaked token in
				c.Set(now.Add(d))
				open(t, s, newest)
				switch before {
				case "never rotated":
					requireRefused(t, s, older, apikey.ErrSuperseded)
				case "pending":
					requireRefused(t, s, older, apikey.ErrSuperseded)
					requireRefused(t, s, newer, apikey.ErrUnknown)
				default:
					requireRefused(t, s, older, apikey.ErrUnknown)
					requireRefused(t, s, newer, apikey.ErrSuperseded)
				}
			}
		}
	}},
	{"a newer rotation cancels one that is pending, and leaves the old token as it is", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, st, config(c))
		first, key := issue(t, s, request())
		second, _ := rotate(t, s, key, apikey.Rotation{Grace: time.Hour})
		c.Add(day)
		third, got := rotate(t, s, key, apikey.Rotation{Grace: 2 * time.Hour})
		requireRefused(t, s, second, apikey.ErrUnknown)
		open(t, s, first)
		require.Equal(t, apikey.Handover{RotatedAt: c.Now(), PriorExpiresAt: key.ExpiresAt, PriorHint: key.Hint}, handover(t, s, got))
		open(t, s, third)
		require.Equal(t, c.Now().Add(2*time.Hour), handover(t, s, got).PriorExpiresAt)
		requireRefused(t, s, second, apikey.ErrUnknown)
		open(t, s, first)
	}},
	{"M25 no rotation while an old token is in its grace, and again from when that ends", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, st, config(c))
		first, key := issue(t, s, request())
		second, _ := rotate(t, s, key, apikey.Rotation{Grace: time.Hour})
		open(t, s, second)
		before := kept(t, st, key)
		for _, d := range []time.Duration{0, time.Hour - time.Microsecond} {
			c.Set(start.Add(d))
			token, got, err := s.Rotate(t.Context(), ref(key), apikey.Rotation{})
			require.Equal(t, apikey.ErrInGrace, err)
			require.ErrorIs(t, err, apikey.ErrConflict)
			require.Empty(t, token.Reveal())
			require.Zero(t, got)
			require.True(t, before == kept(t, st, key))
			open(t, s, first)
			open(t, s, second)
		}
		c.Set(start.Add(time.Hour))
		third, _ := rotate(t, s, key, apikey.Rotation{})
		requireRefused(t, s, first, apikey.ErrUnknown)
		require.True(t, open(t, s, second).Superseded())
		require.True(t, handover(t, s, key).Pending())
		c.Add(time.Hour)
		require.False(t, open(t, s, third).Superseded())
		require.Equal(t, c.Now(), handover(t, s, key).ActivatedAt)
		c.Add(day)
		requireRefused(t, s, second, apikey.ErrSuperseded)
	}},
	{"no two rotations look alike, also on a clock that stands still or goes back", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, st, config(c))
		_, key := issue(t, s, request())
		last := time.Time{}
		for _, d := range []time.Duration{0, 0, -time.Hour, time.Minute, 0} {
			c.Set(start.Add(d))
			_, got := rotate(t, s, key, apikey.Rotation{})
			h, _ := got.Handover()
			require.True(t, h.RotatedAt.After(last))
			last = h.RotatedAt
		}
	}},
	{"M15 a rotation changes a key's token and its expiry, and nothing else of it or of others", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, newExacting(t, st), config(c))
		r := request()
		r.Scopes, r.Contacts, r.Metadata = []string{"sms:send", "email:*"}, []string{"a@example.com"}, map[string]string{"a": "b"}
		older, key := issue(t, s, r)
		other, otherKey := issue(t, s, request())
		require.NoError(t, st.Touch(t.Context(), []store.Use{{ID: key.ID, At: start}}))
		want := kept(t, st, key)
		c.Set(start.Add(time.Hour + 999).In(time.FixedZone("", 8*60*60)))
		newer, got := rotate(t, s, key, apikey.Rotation{Grace: time.Minute + 1, ExpiresIn: time.Hour + 1})
		open(t, s, newer)
		rec := kept(t, st, key)
		require.NotEqual(t, want.Hash, rec.Hash)
		require.Equal(t, want.Hash, rec.PriorHash)
		require.Equal(t, want.Scheme, rec.PriorScheme)
		rec.Hash, rec.PriorHash, rec.PriorScheme, rec.PriorHint = want.Hash, "", "", ""
		at := start.Add(time.Hour)
		require.Equal(t, at, rec.RotatedAt)
		require.Equal(t, at, rec.ActivatedAt)
		require.Equal(t, at.Add(time.Minute), rec.PriorExpiresAt)
		require.Equal(t, time.Minute, rec.Grace)
		rec.RotatedAt, rec.ActivatedAt, rec.PriorExpiresAt, rec.Grace = time.Time{}, time.Time{}, time.Time{}, 0
		want.Hint, want.ExpiresAt, want.UpdatedAt, want.Version = got.Hint, at.Add(time.Hour), at, 3
		require.Equal(t, want, rec)

		id, _ := split(newer)
		require.Equal(t, key.ID, id)
		_, secret := split(older)
		_, renewed := split(newer)
		require.NotEqual(t, secret, renewed)
		requireRefused(t, s, spell(prefix, otherKey.ID, secret), apikey.ErrUnknown)
		requireOpens(t, s, other, otherKey)
	}},
}
