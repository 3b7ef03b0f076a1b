package servicetest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/store"
)

// A livingKey is a key in one of the states of the section "The life of a key" of docs/design.md.
type livingKey struct {
	s            *apikey.Service
	c            *clock
	key          apikey.Key
	older, newer string
	cancelled    string
	ends         time.Time
}

// living returns a key in the state. Where it is expired or revoked it was in grace before.
func living(t *testing.T, st store.Store, state string) *livingKey {
	t.Helper()
	k := &livingKey{c: newClock()}
	k.s = newService(t, st, config(k.c))
	first, key := issue(t, k.s, request())
	cancelled, _ := rotate(t, k.s, key, apikey.Rotation{})
	newer, got := rotate(t, k.s, key, apikey.Rotation{Grace: time.Hour, ExpiresIn: 2 * time.Hour})
	k.older, k.newer, k.cancelled, k.key, k.ends = first, newer, cancelled, key, got.ExpiresAt
	if state == "pending" {
		return k
	}
	open(t, k.s, newer)
	switch state {
	case "active":
		k.c.Set(start.Add(time.Hour))
	case "expired":
		k.c.Set(k.ends)
	case "revoked":
		_, err := k.s.Revoke(t.Context(), ref(key), "first")
		require.NoError(t, err)
	}
	return k
}

// state tells the state of a key.
func (k *livingKey) state(t *testing.T) string {
	t.Helper()
	key, err := k.s.Get(t.Context(), ref(k.key))
	if err != nil {
		require.Equal(t, apikey.ErrNotFound, err)
		return "gone"
	}
	h, ok := key.Handover()
	require.True(t, ok)
	switch state := key.State(k.c.Now()); {
	case state != apikey.StateActive:
		return string(state)
	case h.Pending():
		return "pending"
	case k.c.Now().Before(h.PriorExpiresAt):
		return "in grace"
	}
	return "active"
}

var lifeStates = []string{"active", "pending", "in grace", "expired", "revoked"}

// lifeTable has for each operation what it fails with, or else the state that it leads to, by state.
var lifeTable = []struct {
	name string
	do   func(t *testing.T, k *livingKey) error
	want [5]any
}{
	{"verify the current token", func(t *testing.T, k *livingKey) error {
		_, err := k.s.Verify(t.Context(), k.newer)
		return err
	}, [5]any{"active", "in grace", "in grace", apikey.ErrExpired, apikey.ErrRevoked}},
	{"verify the old token", func(t *testing.T, k *livingKey) error {
		_, err := k.s.Verify(t.Context(), k.older)
		return err
	}, [5]any{apikey.ErrSuperseded, "pending", "in grace", apikey.ErrExpired, apikey.ErrRevoked}},
	{"verify a token that was cancelled", func(t *testing.T, k *livingKey) error {
		_, err := k.s.Verify(t.Context(), k.cancelled)
		return err
	}, [5]any{apikey.ErrUnknown, apikey.ErrUnknown, apikey.ErrUnknown, apikey.ErrUnknown, apikey.ErrUnknown}},
	{"rotate", func(t *testing.T, k *livingKey) error {
		_, _, err := k.s.Rotate(t.Context(), ref(k.key), apikey.Rotation{})
		return err
	}, [5]any{"pending", "pending", apikey.ErrInGrace, apikey.ErrNotActive, apikey.ErrNotActive}},
	{"rotate immediately", func(t *testing.T, k *livingKey) error {
		_, _, err := k.s.Rotate(t.Context(), ref(k.key), apikey.Rotation{Immediately: true})
		return err
	}, [5]any{"active", "active", "active", apikey.ErrNotActive, apikey.ErrNotActive}},
	{"rotate having seen another token", func(t *testing.T, k *livingKey) error {
		_, _, err := k.s.Rotate(t.Context(), ref(k.key), apikey.Rotation{Hint: k.key.Hint})
		return err
	}, [5]any{apikey.ErrConflict, apikey.ErrConflict, apikey.ErrConflict, apikey.ErrConflict, apikey.ErrConflict}},
	{"update", func(t *testing.T, k *livingKey) error {
		_, err := k.s.Update(t.Context(), ref(k.key), apikey.Changes{Label: new("payroll")})
		return err
	}, [5]any{"active", "pending", "in grace", apikey.ErrNotActive, apikey.ErrNotActive}},
	{"revoke", func(t *testing.T, k *livingKey) error {
		_, err := k.s.Revoke(t.Context(), ref(k.key), "then")
		return err
	}, [5]any{"revoked", "revoked", "revoked", "revoked", "revoked"}},
	{"remind", func(t *testing.T, k *livingKey) error {
		_, err := k.s.Remind(t.Context(), ref(k.key), due, func(context.Context, apikey.Key) error { return nil })
		return err
	}, lifeStay},
	{"the key ends", func(t *testing.T, k *livingKey) error {
		k.c.Set(k.ends)
		return nil
	}, [5]any{"expired", "expired", "expired", "expired", "revoked"}},
	{"the clock is set back", func(t *testing.T, k *livingKey) error {
		k.c.Set(start)
		return nil
	}, [5]any{"in grace", "pending", "in grace", "in grace", "revoked"}},
	{"purge", func(t *testing.T, k *livingKey) error {
		_, err := k.s.Purge(t.Context(), k.c.Now())
		return err
	}, lifeStay},
	{"purge a microsecond later", func(t *testing.T, k *livingKey) error {
		k.c.Add(time.Microsecond)
		_, err := k.s.Purge(t.Context(), k.c.Now())
		return err
	}, [5]any{"active", "pending", "in grace", "gone", "gone"}},
}

var lifeStay = [5]any{"active", "pending", "in grace", "expired", "revoked"}

var lifeTests = []test{
	{"each operation leads from each state to where the table of the life of a key says", func(t *testing.T, st store.Store) {
		for _, row := range lifeTable {
			for i, state := range lifeStates {
				k := living(t, st, state)
				require.Equal(t, state, k.state(t))
				before := kept(t, st, k.key)
				err := row.do(t, k)
				if want, fails := row.want[i].(error); fails {
					require.ErrorIs(t, err, want, "%s: %s", state, row.name)
					require.True(t, before == kept(t, st, k.key), "%s: %s", state, row.name)
					continue
				}
				require.NoError(t, err, "%s: %s", state, row.name)
				require.Equal(t, row.want[i], k.state(t), "%s: %s", state, row.name)
				if state == "revoked" && row.want[i] == "revoked" {
					require.True(t, before == kept(t, st, k.key), row.name)
				}
			}
		}
	}},
	{"the end of the old token leaves a pending key pending, and ends a grace", func(t *testing.T, st store.Store) {
		k := living(t, st, "in grace")
		k.c.Set(start.Add(time.Hour - time.Microsecond))
		open(t, k.s, k.older)
		require.Equal(t, "in grace", k.state(t))
		k.c.Add(time.Microsecond)
		requireRefused(t, k.s, k.older, apikey.ErrSuperseded)
		require.Equal(t, "active", k.state(t))

		k = living(t, st, "pending")
		_, err := k.s.Update(t.Context(), ref(k.key), apikey.Changes{ExpiresAt: start.Add(time.Hour)})
		require.NoError(t, err)
		newer, _ := rotate(t, k.s, k.key, apikey.Rotation{ExpiresIn: 2 * time.Hour})
		k.c.Set(start.Add(time.Hour - time.Microsecond))
		open(t, k.s, k.older)
		k.c.Add(time.Microsecond)
		requireRefused(t, k.s, k.older, apikey.ErrSuperseded)
		require.Equal(t, "pending", k.state(t))
		open(t, k.s, newer)
		require.Equal(t, "active", k.state(t))
		requireRefused(t, k.s, k.older, apikey.ErrSuperseded)
	}},
}
