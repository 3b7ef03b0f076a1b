package keycache_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/apikey/keycache"
	"github.com/opengovsg/latchkey/memstore"
	"github.com/opengovsg/latchkey/store"
)

// Row F14: whoever revokes a key has it refused from then on, also where another process has revoked it
// before and there was nothing left to do. It is so for whatever else finds that the key has ended.
func TestF14RevokedElsewhereBefore(t *testing.T) {
	for name, call := range map[string]func(ctx context.Context, keys *apikey.Service, key apikey.Key) error{
		"Revoke": func(ctx context.Context, keys *apikey.Service, key apikey.Key) error {
			return onlyError(keys.Revoke(ctx, ref(key), "leaked"))
		},
		"RevokeAll": func(ctx context.Context, keys *apikey.Service, key apikey.Key) error {
			return onlyError(keys.RevokeAll(ctx, key.Owner, "leaked"))
		},
		"Update": func(ctx context.Context, keys *apikey.Service, key apikey.Key) error {
			_, err := keys.Update(ctx, ref(key), apikey.Changes{Label: new("renamed")})
			require.ErrorIs(t, err, apikey.ErrNotActive)
			return nil
		},
		"Rotate": func(ctx context.Context, keys *apikey.Service, key apikey.Key) error {
			_, _, err := keys.Rotate(ctx, ref(key), apikey.Rotation{})
			require.ErrorIs(t, err, apikey.ErrNotActive)
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				st := new(memstore.Store)
				here, there := beside(t, st, keycache.Config{MaxAge: 5 * time.Minute}), beside(t, st, keycache.Config{})
				token, key := here.remembered(t)
				_, err := there.keys.Revoke(t.Context(), ref(key), "leaked")
				require.NoError(t, err)
				here.requireHit(t, token)
				require.NoError(t, call(t.Context(), here.keys, key))
				here.requireRefused(t, token, apikey.ErrRevoked)
			})
		})
	}
}

// The same where it was a transaction of this process that revoked it.
func TestRevokedInTransactionBefore(t *testing.T) {
	r := newRig(t, keycache.Config{})
	token, key := r.remembered(t)
	tx := &staged{Store: r.st.Store}
	_, err := r.keys.WithStore(tx).Revoke(t.Context(), ref(key), "left")
	require.NoError(t, err)
	r.requireLoad(t, token)
	tx.commit(t)
	r.requireHit(t, token)
	_, err = r.keys.Revoke(t.Context(), ref(key), "left")
	require.NoError(t, err)
	r.requireRefused(t, token, apikey.ErrRevoked)
}

// The same where Revoke loses to another change, the key is read again, and then another process revokes it.
func TestRevokedElsewhereBetween(t *testing.T) {
	st := new(memstore.Store)
	here, there := beside(t, st, keycache.Config{}), beside(t, st, keycache.Config{})
	token, key := here.remembered(t)
	here.st.onUpdate(func(ctx context.Context, rec store.Record) error {
		_, err := there.keys.Update(ctx, ref(key), apikey.Changes{Label: new("renamed")})
		require.NoError(t, err)
		lost := st.Update(ctx, rec)
		require.ErrorIs(t, lost, store.ErrConflict)
		here.cache.Forget(key.ID)
		here.requireLoad(t, token)
		_, err = there.keys.Revoke(ctx, ref(key), "left")
		require.NoError(t, err)
		return lost
	})
	_, err := here.keys.Revoke(t.Context(), ref(key), "leaked")
	require.NoError(t, err)
	here.requireRefused(t, token, apikey.ErrRevoked)
}

// A token that was refused is not accepted again as of before: here a clock was behind when it was
// remembered as good, and right again afterwards.
func TestRefusedIsNotAcceptedFromBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w wall
		here := newRig(t, keycache.Config{}, func(c *apikey.Config) { c.Now = w.Now })
		there := beside(t, here.st.Store, keycache.Config{})
		token, key := here.remembered(t)
		_, _, err := there.keys.Rotate(t.Context(), ref(key), apikey.Rotation{Immediately: true})
		require.NoError(t, err)
		time.Sleep(time.Second)
		here.requireHit(t, token)
		w.set(-3 * time.Second) // so that what is remembered is of the future, and the store is asked
		here.requireRefused(t, token, apikey.ErrSuperseded)
		w.set(0)
		time.Sleep(2 * time.Second) // longer than a refusal is remembered, and not than an answer
		here.requireRefused(t, token, apikey.ErrSuperseded)
	})
}

// A clock that panics is its application's mistake, and locks nobody out.
func TestClockPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		panics := false
		r := newRig(t, keycache.Config{}, func(c *apikey.Config) {
			c.Now = func() time.Time {
				if panics {
					panic("clock")
				}
				return time.Now()
			}
		})
		token, key := r.issue(t)
		panics = true
		require.Equal(t, "clock", (<-r.verifying(t, token)).panicked)
		panics = false
		r.requireLoad(t, token)
		_, err := r.keys.Revoke(t.Context(), ref(key), "")
		require.NoError(t, err)
		r.requireRefused(t, token, apikey.ErrRevoked)
	})
}
