package servicetest

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/store"
)

// readOnly counts and refuses updates, as a database does whose primary was demoted.
type readOnly struct {
	store.Store
	updates *atomic.Int64
}

var errReadOnly = errors.New("read-only")

func (s readOnly) Update(context.Context, store.Record) error {
	s.updates.Add(1)
	return errReadOnly
}

// revokeFirst revokes the key just before each update of it, as a colleague might.
type revokeFirst struct {
	store.Store
	t   *testing.T
	as  *apikey.Service
	ref apikey.Ref
}

func (s revokeFirst) Update(ctx context.Context, rec store.Record) error {
	_, err := s.as.Revoke(ctx, s.ref, "meanwhile")
	require.NoError(s.t, err)
	return s.Store.Update(ctx, rec)
}

var pepperTests = []test{
	{"P30 F27 every pepper verifies, the first one rehashes, and one that is gone is a fault", func(t *testing.T, st store.Store) {
		c := newClock()
		with := func(peppers ...apikey.Pepper) *apikey.Service {
			cfg := config(c)
			cfg.Peppers = peppers
			return newService(t, st, cfg)
		}
		scheme := func(id string) string {
			rec, err := st.Get(t.Context(), id)
			require.NoError(t, err)
			return rec.Scheme
		}
		one, two := newPepper(t, 1), newPepper(t, 2)
		plain, p1, both, p2 := with(), with(one), with(two, one), with(two)

		token, key := issue(t, plain, request())
		unused, unusedKey := issue(t, plain, request())
		require.Equal(t, "sha256", scheme(key.ID))
		c.Add(time.Hour)
		got, err := p1.Verify(t.Context(), token)
		require.NoError(t, err)
		require.Equal(t, key.ID, got.ID)
		require.Equal(t, "hmac-sha256:"+one.ID(), scheme(key.ID))
		requireUnavailable(t, plain, token)
		requireUnavailable(t, p2, token)
		require.Equal(t, "hmac-sha256:"+one.ID(), scheme(key.ID), "what can't verify must not rehash")

		_, err = both.Verify(t.Context(), token)
		require.NoError(t, err)
		require.Equal(t, "hmac-sha256:"+two.ID(), scheme(key.ID))
		requireUnavailable(t, p1, token)
		version := func() int64 {
			rec, err := st.Get(t.Context(), key.ID)
			require.NoError(t, err)
			return rec.Version
		}
		before := version()
		for range 3 {
			_, err = both.Verify(t.Context(), token)
			require.NoError(t, err)
		}
		require.Equal(t, before, version(), "a key is rehashed once")

		// The plain hash stays good under any peppers, until it is next used.
		_, err = p2.Verify(t.Context(), unused)
		require.NoError(t, err)
		require.Equal(t, "hmac-sha256:"+two.ID(), scheme(unusedKey.ID))
	}},
	{"a first pepper can come to one instance after the other without a key failing on any", func(t *testing.T, st store.Store) {
		with := func(peppers ...apikey.Pepper) *apikey.Service {
			cfg := config(newClock())
			cfg.Peppers = peppers
			return newService(t, st, cfg)
		}
		pepper := newPepper(t, 1)
		steps := []*apikey.Service{with(), with(apikey.NoPepper, pepper), with(pepper, apikey.NoPepper), with(pepper)}
		for i := range steps[1:] {
			before, after := steps[i], steps[i+1] // what runs side by side while a step is rolled out
			for _, issuer := range []*apikey.Service{before, after} {
				token, _ := issue(t, issuer, request())
				for _, s := range []*apikey.Service{before, after, before, after} {
					_, err := s.Verify(t.Context(), token)
					require.NoError(t, err)
				}
			}
		}
	}},
	{"P6 a key of another prefix is unknown, whatever it was hashed with", func(t *testing.T, st store.Store) {
		cfg := config(newClock())
		live := newService(t, st, cfg)
		cfg.Prefix, cfg.Peppers = "postman_test", []apikey.Pepper{newPepper(t, 1)}
		token, key := issue(t, newService(t, st, cfg), request())
		id, secret := split(strings.Replace(token, "postman_test", prefix, 1))
		requireRefused(t, live, spell(prefix, id, secret), apikey.ErrUnknown)
		tamper(t, st, key.ID, func(rec *store.Record) { rec.Hash = "" })
		requireRefused(t, live, spell(prefix, id, secret), apikey.ErrUnknown)
	}},
	{"a wrong secret and a dead key rehash nothing", func(t *testing.T, st store.Store) {
		c := newClock()
		cfg := config(c)
		plain := newService(t, st, cfg)
		cfg.Peppers = []apikey.Pepper{newPepper(t, 1)}
		peppered := newService(t, st, cfg)
		token, key := issue(t, plain, request())
		_, other := issue(t, plain, request())
		_, secret := split(token)
		requireRefused(t, peppered, spell(prefix, other.ID, secret), apikey.ErrUnknown)
		c.Set(key.ExpiresAt)
		requireRefused(t, peppered, token, apikey.ErrExpired)
		for _, id := range []string{key.ID, other.ID} {
			rec, err := st.Get(t.Context(), id)
			require.NoError(t, err)
			require.Equal(t, int64(1), rec.Version)
		}
	}},
	{"a rehash that fails fails nothing, and is not tried with every request", func(t *testing.T, st store.Store) {
		c := newClock()
		cfg := config(c)
		token, key := issue(t, newService(t, st, cfg), request())
		cfg.Peppers = []apikey.Pepper{newPepper(t, 1)}
		updates := new(atomic.Int64)
		s := newService(t, readOnly{st, updates}, cfg)
		for range 50 {
			requireOpens(t, s, token, key)
		}
		require.Equal(t, int64(1), updates.Load())
		c.Add(time.Minute)
		requireOpens(t, s, token, key)
		require.Equal(t, int64(2), updates.Load(), "and tried again later")
	}},
	{"a rehash does not undo a revocation that comes in between", func(t *testing.T, st store.Store) {
		cfg := config(newClock())
		plain := newService(t, st, cfg)
		token, key := issue(t, plain, request())
		cfg.Peppers = []apikey.Pepper{newPepper(t, 1)}
		ref := apikey.Ref{Owner: owner, ID: key.ID}
		racing := newService(t, revokeFirst{st, t, plain, ref}, cfg)
		_, err := racing.Verify(t.Context(), token) // began before the revocation
		require.NoError(t, err)
		requireRefused(t, racing, token, apikey.ErrRevoked)
		got, err := plain.Get(t.Context(), ref)
		require.NoError(t, err)
		require.Equal(t, "meanwhile", got.RevokedReason)
	}},
}
