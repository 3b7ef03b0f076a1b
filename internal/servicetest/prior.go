package servicetest

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/store"
)

// wrong is a token of the key with a secret that is not its own.
func wrong(key apikey.Key) string { return spell(prefix, key.ID, strings.Repeat("w", 43)) }

// priorTests are about what is kept of the token before the last rotation.
var priorTests = []test{
	{"P30 the old and the new secret are each hashed as they were, and rehashed when they are used", func(t *testing.T, st store.Store) {
		c := newClock()
		with := func(peppers ...apikey.Pepper) *apikey.Service {
			cfg := config(c)
			cfg.Peppers = peppers
			return newService(t, st, cfg)
		}
		one, two := newPepper(t, 1), newPepper(t, 2)
		scheme := func(p apikey.Pepper) string { return "hmac-sha256:" + p.ID() }
		plain, p1, both := with(), with(one), with(two, one)
		older, key := issue(t, plain, request())
		newer, _ := rotate(t, p1, key, apikey.Rotation{})
		schemes := func() []string {
			rec := kept(t, st, key)
			return []string{rec.PriorScheme, rec.Scheme}
		}
		require.Equal(t, []string{"sha256", scheme(one)}, schemes())
		requireRefused(t, both, wrong(key), apikey.ErrUnknown)
		require.Equal(t, []string{"sha256", scheme(one)}, schemes())
		requireUnavailable(t, plain, older)
		requireUnavailable(t, plain, newer)
		requireUnavailable(t, plain, wrong(key))

		for range 2 {
			require.True(t, open(t, both, older).Superseded())
			require.Equal(t, []string{scheme(two), scheme(one)}, schemes())
		}
		require.True(t, handover(t, both, key).Pending())
		c.Add(time.Hour)
		for range 2 {
			open(t, both, newer)
			require.Equal(t, []string{scheme(two), scheme(two)}, schemes(), "the use that activates rehashes as well")
		}
		require.Equal(t, int64(5), kept(t, st, key).Version)
		require.Equal(t, c.Now(), handover(t, both, key).ActivatedAt)
		requireRefused(t, both, wrong(key), apikey.ErrUnknown)
		c.Add(day)
		requireRefused(t, both, older, apikey.ErrSuperseded)
		open(t, both, newer)
		require.Equal(t, int64(5), kept(t, st, key).Version)
	}},
	{"a pepper that is gone is a fault while a secret needs it, and none once that has ended", func(t *testing.T, st store.Store) {
		c := newClock()
		cfg := config(c)
		plain := newService(t, st, cfg)
		cfg.Peppers = []apikey.Pepper{newPepper(t, 1)}
		peppered := newService(t, st, cfg)
		cfg.Peppers = []apikey.Pepper{newPepper(t, 2)}
		without := newService(t, st, cfg)

		older, key := issue(t, peppered, request())
		newer, _ := rotate(t, plain, key, apikey.Rotation{Grace: time.Hour})
		requireUnavailable(t, without, older)
		requireUnavailable(t, without, wrong(key))
		open(t, without, newer)
		c.Add(time.Hour - time.Microsecond)
		requireUnavailable(t, without, older)
		requireUnavailable(t, without, wrong(key))
		c.Add(time.Microsecond)
		requireRefused(t, without, older, apikey.ErrUnknown)
		requireRefused(t, without, wrong(key), apikey.ErrUnknown)
		open(t, without, newer)

		for _, end := range []func(key apikey.Key){
			func(key apikey.Key) {
				_, err := plain.Revoke(t.Context(), ref(key), "")
				require.NoError(t, err)
			},
			func(key apikey.Key) { c.Set(key.ExpiresAt) },
		} {
			current, alone := issue(t, peppered, request())
			older, key := issue(t, peppered, request())
			newer, rotated := rotate(t, plain, key, apikey.Rotation{})
			requireUnavailable(t, without, current)
			requireUnavailable(t, without, older)
			end(alone)
			end(rotated)
			requireRefused(t, without, current, apikey.ErrUnknown)
			requireRefused(t, without, older, apikey.ErrUnknown)
			_, err := without.Verify(t.Context(), newer)
			require.ErrorIs(t, err, apikey.ErrInvalid)
		}
	}},
	{"P20 what is kept of an old secret at another length opens nothing, and the new one goes on", func(t *testing.T, st store.Store) {
		s := newService(t, st, config(newClock()))
		older, key := issue(t, s, request())
		newer, _ := rotate(t, s, key, apikey.Rotation{})
		good := kept(t, st, key).PriorHash
		for hash, reason := range map[store.Hash]error{
			"": apikey.ErrUnknown, good[:31]: apikey.ErrCorrupt, good + "\x00": apikey.ErrCorrupt, good + good: apikey.ErrCorrupt,
			store.Hash(strings.Repeat("\x00", 32)): apikey.ErrUnknown,
		} {
			tamper(t, st, key.ID, func(rec *store.Record) { rec.PriorHash = hash })
			requireRefused(t, s, older, reason)
			requireRefused(t, s, wrong(key), reason)
		}
		open(t, s, newer)
		tamper(t, st, key.ID, func(rec *store.Record) { rec.PriorHash = good })
		require.True(t, open(t, s, older).Superseded())
		for _, scheme := range []string{"", "md5", "SHA256", "hmac-sha256:00000000"} {
			tamper(t, st, key.ID, func(rec *store.Record) { rec.PriorScheme = scheme })
			requireUnavailable(t, s, older)
			open(t, s, newer)
		}
	}},
	{"a key is told which of its tokens was used, and until when that works", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, st, config(c))
		older, key := issue(t, s, request())
		require.Equal(t, key.ExpiresAt, open(t, s, older).TokenExpiresAt())
		require.Equal(t, key.ExpiresAt, key.EndsAt(start))
		c.Add(time.Hour)
		newer, rotated := rotate(t, s, key, apikey.Rotation{})
		require.Equal(t, key.ExpiresAt, rotated.EndsAt(c.Now()), "whoever has not taken the new one over")
		require.Equal(t, rotated.ExpiresAt, rotated.EndsAt(key.ExpiresAt), "nobody uses the old one any more")
		require.Equal(t, rotated.ExpiresAt, rotated.TokenExpiresAt())
		used := open(t, s, newer)
		require.Equal(t, rotated.ExpiresAt, used.EndsAt(c.Now()))
		old := open(t, s, older)
		require.Equal(t, c.Now().Add(day), old.TokenExpiresAt())
		require.Equal(t, rotated.ExpiresAt, old.ExpiresAt)
		require.Equal(t, rotated.ExpiresAt, old.EndsAt(c.Now()))
		l, err := s.List(t.Context(), owner, apikey.Page{})
		require.NoError(t, err)
		require.Len(t, l.Keys, 1)
		require.Equal(t, used, l.Keys[0])
	}},
}
