package servicetest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/store"
	"github.com/opengovsg/latchkey/store/storetest"
)

// An earlier is a system before this one, whose tokens are "old_" and 16 characters.
type earlier struct {
	derived, running, most atomic.Int64
	during                 func(ctx context.Context) error // where not nil, called by each Derive
}

func (*earlier) Name() string { return "earlier" }

func (*earlier) Recognizes(token string) bool {
	return len(token) == 20 && strings.HasPrefix(token, "old_")
}

func (e *earlier) Derive(ctx context.Context, token string) (string, error) {
	e.derived.Add(1)
	running := e.running.Add(1)
	defer e.running.Add(-1)
	for most := e.most.Load(); running > most && !e.most.CompareAndSwap(most, running); most = e.most.Load() {
	}
	if e.during != nil {
		if err := e.during(ctx); err != nil {
			return "", err
		}
	}
	return keptOf(token), ctx.Err()
}

func (*earlier) Keeps(kept string) bool { return len(kept) == 2*sha256.Size }

// keptOf is what the earlier system kept of a token.
func keptOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

func oldToken(n int) string { return fmt.Sprintf("old_%016d", n) }

// legacyKey is the n-th key of the earlier system.
func legacyKey(n int) apikey.LegacyKey {
	return apikey.LegacyKey{
		Scheme: "earlier", OldID: fmt.Sprint(n), Kept: keptOf(oldToken(n)), Owner: owner, Label: "HR reminders", Hint: "00000",
		CreatedAt: start.AddDate(-1, 0, 0), ExpiresAt: start.Add(100 * 24 * time.Hour),
	}
}

// takeOver takes the n-th key over and returns its token and its id.
func takeOver(t *testing.T, s *apikey.Service, st store.Store, n int) (token string, key apikey.Key) {
	t.Helper()
	rec, err := s.LegacyRecord(legacyKey(n))
	require.NoError(t, err)
	require.NoError(t, st.Create(t.Context(), rec, 0))
	key, err = s.Get(t.Context(), apikey.AnyOwner(rec.ID))
	require.NoError(t, err)
	return oldToken(n), key
}

func legacyConfig(c *clock, e *earlier) apikey.Config {
	cfg := config(c)
	cfg.Legacy = []apikey.LegacyScheme{e}
	return cfg
}

var legacyTests = []test{
	{"P29 a key of an earlier system is derived slowly once, ever", func(t *testing.T, st store.Store) {
		e := new(earlier)
		cfg := legacyConfig(newClock(), e)
		cfg.Peppers = []apikey.Pepper{newPepper(t, 1)}
		s := newService(t, st, cfg)
		token, key := takeOver(t, s, st, 1)
		before := kept(t, st, key)
		requireOpens(t, s, token, key)
		require.Equal(t, int64(1), e.derived.Load())
		after := kept(t, st, key)
		require.Equal(t, "hmac-sha256:"+cfg.Peppers[0].ID(), after.Scheme)
		require.Len(t, after.Hash, 32)
		require.NotEqual(t, before.Hash, after.Hash)
		require.NotEqual(t, before.Alias, after.Alias)
		require.Equal(t, int64(2), after.Version)
		before.Alias, before.Scheme, before.Hash, before.Version, before.UpdatedAt = after.Alias, after.Scheme, after.Hash, after.Version, after.UpdatedAt
		require.Equal(t, before, after, "the upgrade changes nothing else")

		for _, s := range []*apikey.Service{s, newService(t, st, cfg)} { // another instance too
			requireOpens(t, s, token, key)
		}
		require.Equal(t, int64(1), e.derived.Load())
		require.Equal(t, after, kept(t, st, key))
		require.Equal(t, int64(1), s.Stats().Derived)
		require.NoError(t, s.Flush(t.Context()))
		require.Equal(t, start.Truncate(time.Microsecond), kept(t, st, key).LastUsedAt)

		cfg.Peppers = []apikey.Pepper{newPepper(t, 2), cfg.Peppers[0]}
		requireOpens(t, newService(t, st, cfg), token, must(s.Get(t.Context(), ref(key))))
		require.Equal(t, "hmac-sha256:"+cfg.Peppers[0].ID(), kept(t, st, key).Scheme, "it is rehashed like any other")
	}},
	{"a token of an earlier system that opens nothing is refused, for as much work", func(t *testing.T, st store.Store) {
		e := new(earlier)
		s := newService(t, st, legacyConfig(newClock(), e))
		takeOver(t, s, st, 1)
		for i := range 3 {
			requireRefused(t, s, oldToken(2), apikey.ErrUnknown)
			require.Equal(t, int64(i+1), e.derived.Load())
		}
		_, err := s.Verify(t.Context(), oldToken(2))
		require.EqualError(t, err, "apikey: invalid token: unknown")
		var refused *apikey.RefusedError
		require.ErrorAs(t, err, &refused)
		require.Empty(t, refused.KeyID)
	}},
	{"what no scheme recognises is malformed, without a look at the store", func(t *testing.T, st store.Store) {
		e := new(earlier)
		c := newClock()
		s := newService(t, st, legacyConfig(c, e))
		token, _ := takeOver(t, s, st, 1)
		blind := s.WithStore(storetest.Failing(errDown))
		for _, text := range []string{"", "old", token[:19], token + "0", "Old" + token[3:], strings.Repeat("old_", 5000)} {
			requireRefused(t, blind, text, apikey.ErrMalformed)
		}
		requireRefused(t, newService(t, st, config(c)), token, apikey.ErrMalformed)
		require.Zero(t, e.derived.Load())

		greedy := config(c)
		greedy.Legacy = []apikey.LegacyScheme{anything{e}}
		s = newService(t, storetest.Failing(errDown), greedy)
		requireUnavailable(t, s, strings.Repeat("x", 1024))
		requireRefused(t, s, strings.Repeat("x", 1025), apikey.ErrMalformed)
	}},
	{"a key of an earlier system ends like any other, used before or not", func(t *testing.T, st store.Store) {
		for i, used := range []bool{false, true} {
			for j, end := range []struct {
				reason error
				end    func(s *apikey.Service, c *clock, key apikey.Key)
			}{
				{apikey.ErrExpired, func(s *apikey.Service, c *clock, key apikey.Key) { c.Set(key.ExpiresAt) }},
				{apikey.ErrRevoked, func(s *apikey.Service, c *clock, key apikey.Key) { must(s.Revoke(t.Context(), ref(key), "left")) }},
			} {
				e, c := new(earlier), newClock()
				s := newService(t, st, legacyConfig(c, e))
				token, key := takeOver(t, s, st, 10*i+j)
				if used {
					requireOpens(t, s, token, key)
				}
				end.end(s, c, key)
				requireRefused(t, s, token, end.reason)
				requireRefused(t, s, token, end.reason)
				require.Equal(t, int64(1), e.derived.Load(), "nor is a key that ended derived again")
			}
		}
	}},
	{"rotating a key of an earlier system gives it a token of this one, and the old one its grace", func(t *testing.T, st store.Store) {
		for n, used := range []bool{false, true} {
			e, c := new(earlier), newClock()
			var seen observer
			cfg := legacyConfig(c, e)
			cfg.Observer = seen.Observe
			s := newService(t, st, cfg)
			token, key := takeOver(t, s, st, n)
			if used {
				requireOpens(t, s, token, key)
			}
			newer, key := rotate(t, s, key, apikey.Rotation{Grace: time.Hour})
			got := open(t, s, token)
			require.True(t, got.Superseded())
			require.True(t, open(t, s, token).Superseded())
			require.Equal(t, int64(1), e.derived.Load())
			requireLegacy(t, s, 1)

			open(t, s, newer)
			c.Add(time.Hour - time.Microsecond)
			require.True(t, open(t, s, token).Superseded())
			requireLegacy(t, s, 1)
			c.Add(time.Microsecond)
			requireRefused(t, s, token, apikey.ErrSuperseded)
			requireLegacy(t, s, 0)
			events := seen.takeAll(t, s)
			require.Equal(t, apikey.EventLateUse, events[len(events)-1].Kind)

			newest, key := rotate(t, s, key, apikey.Rotation{})
			require.Empty(t, kept(t, st, key).Alias, "the second rotation forgets the old token")
			requireRefused(t, s, token, apikey.ErrUnknown)
			open(t, s, newest)
			must(s.Revoke(t.Context(), ref(key), "done"))
		}
	}},
	{"a rotation that nobody followed up and that is repeated leaves the token of an earlier system", func(t *testing.T, st store.Store) {
		e := new(earlier)
		s := newService(t, st, legacyConfig(newClock(), e))
		token, key := takeOver(t, s, st, 1)
		rotate(t, s, key, apikey.Rotation{})
		newer, _ := rotate(t, s, key, apikey.Rotation{})
		require.True(t, open(t, s, token).Superseded())
		require.False(t, open(t, s, newer).Superseded())
		rotate(t, s, key, apikey.Rotation{Immediately: true})
		requireRefused(t, s, token, apikey.ErrUnknown)
	}},
	{"nothing but its own token opens a key that was taken over, and the rest is refused and no outage", func(t *testing.T, st store.Store) {
		e, c := new(earlier), newClock()
		s := newService(t, st, legacyConfig(c, e))
		token, key := takeOver(t, s, st, 1)
		guess := spell(prefix, key.ID, strings.Repeat("0", 43))
		requireRefused(t, s, guess, apikey.ErrUnknown)
		rotate(t, s, key, apikey.Rotation{})
		requireRefused(t, s, guess, apikey.ErrUnknown)
		open(t, s, token)
		requireRefused(t, s, guess, apikey.ErrUnknown)

		other := legacyConfig(c, e)
		other.Prefix = "postman_test"
		requireRefused(t, newService(t, st, other), token, apikey.ErrUnknown)
		renamed := config(c)
		renamed.Legacy = []apikey.LegacyScheme{anything{e}}
		requireRefused(t, newService(t, st, renamed), token, apikey.ErrUnknown)
	}},
	{"P20 a row whose hash is not that of its alias opens nothing, and is left alone", func(t *testing.T, st store.Store) {
		for n, spoil := range []func(rec *store.Record){
			func(rec *store.Record) { rec.Hash = "" },
			func(rec *store.Record) { rec.Hash = rec.Hash[:31] },
			func(rec *store.Record) { rec.Hash = store.Hash(strings.Repeat("\x00", 32)) },
			func(rec *store.Record) { rec.Scheme = "legacy:other" },
			func(rec *store.Record) { rec.Scheme = "sha256" },
		} {
			s := newService(t, st, legacyConfig(newClock(), new(earlier)))
			token, key := takeOver(t, s, st, n)
			tamper(t, st, key.ID, spoil)
			before := kept(t, st, key)
			requireRefused(t, s, token, apikey.ErrUnknown)
			require.Equal(t, before, kept(t, st, key))
		}
	}},
}

// anything recognises every token, under another name.
type anything struct{ *earlier }

func (anything) Name() string             { return "anything" }
func (anything) Recognizes(_ string) bool { return true }

func requireLegacy(t *testing.T, s *apikey.Service, want int) {
	t.Helper()
	counts, err := s.CountAll(t.Context())
	require.NoError(t, err)
	require.Equal(t, want, counts.Legacy)
}

func must(key apikey.Key, err error) apikey.Key {
	if err != nil {
		panic(err)
	}
	return key
}
