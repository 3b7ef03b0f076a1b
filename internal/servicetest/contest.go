package servicetest

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/store"
)

// contestTests are about rotations that meet other calls.
var contestTests = []test{
	{"M26 of forty rotations that have seen the same token one wins", func(t *testing.T, st store.Store) {
		s := newService(t, st, config(newClock()))
		older, key := issue(t, s, request())
		var won atomic.Pointer[string]
		var lost atomic.Int64
		at40(func(int) {
			token, got, err := s.Rotate(t.Context(), ref(key), apikey.Rotation{Hint: key.Hint})
			if err == nil {
				text := token.Reveal()
				require.True(t, won.CompareAndSwap(nil, &text), "two have won")
				return
			}
			require.Equal(t, apikey.ErrConflict, err)
			require.Empty(t, token.Reveal())
			require.Zero(t, got)
			lost.Add(1)
		})
		require.Equal(t, int64(39), lost.Load())
		require.Equal(t, int64(2), kept(t, st, key).Version)
		open(t, s, *won.Load())
		requireNotRotated(t, s, st, key, apikey.Rotation{Hint: key.Hint}, apikey.ErrConflict)
		requireNotRotated(t, s, st, key, apikey.Rotation{Hint: key.Hint, Immediately: true}, apikey.ErrConflict)
		require.True(t, open(t, s, older).Superseded())
	}},
	{"M26 of forty rotations at once the last that won opens, with the old token, and no other", func(t *testing.T, st store.Store) {
		s := newService(t, st, config(newClock()))
		older, key := issue(t, s, request())
		tokens := make([]string, 40)
		keys := make([]apikey.Key, 40)
		at40(func(i int) {
			token, got, err := s.Rotate(t.Context(), ref(key), apikey.Rotation{})
			if err != nil {
				require.Equal(t, apikey.ErrConflict, err)
			}
			tokens[i], keys[i] = token.Reveal(), got
		})
		now, err := s.Get(t.Context(), ref(key))
		require.NoError(t, err)
		last := 0
		for i, token := range tokens {
			switch {
			case token == "":
			case keys[i] == now:
				last++
				require.False(t, open(t, s, token).Superseded())
			default:
				requireRefused(t, s, token, apikey.ErrUnknown)
			}
		}
		require.Equal(t, 1, last)
		require.True(t, open(t, s, older).Superseded())
		require.Equal(t, key.Hint, handover(t, s, key).PriorHint)
	}},
	{"a rotation whose answer was lost shows no token, and the old one goes on", func(t *testing.T, st store.Store) {
		s := newService(t, st, config(newClock()))
		older, key := issue(t, s, request())
		lossy := updating{st, func(ctx context.Context, rec store.Record) error {
			require.NoError(t, st.Update(ctx, rec))
			return errDown
		}}
		token, got, err := s.WithStore(lossy).Rotate(t.Context(), ref(key), apikey.Rotation{Hint: key.Hint})
		require.ErrorIs(t, err, apikey.ErrUnavailable)
		require.ErrorIs(t, err, errDown)
		require.Empty(t, token.Reveal())
		require.Zero(t, got)
		require.True(t, open(t, s, older).Superseded())
		require.Equal(t, key.ExpiresAt, handover(t, s, key).PriorExpiresAt)
		newer, _ := rotate(t, s, key, apikey.Rotation{}) // which cancels what nobody has
		open(t, s, older)
		open(t, s, newer)
	}},
	{"a rotation does not cancel a token that somebody else was shown meanwhile", func(t *testing.T, st store.Store) {
		s := newService(t, st, config(newClock()))
		for _, r := range []apikey.Rotation{{}, {Immediately: true}} {
			older, key := issue(t, s, request())
			var theirs string
			racing := s.WithStore(interrupted(st, func() { theirs, _ = rotate(t, s, key, apikey.Rotation{}) }))
			token, got, err := racing.Rotate(t.Context(), ref(key), r)
			require.Equal(t, apikey.ErrConflict, err)
			require.Empty(t, token.Reveal())
			require.Zero(t, got)
			require.True(t, open(t, s, older).Superseded())
			open(t, s, theirs)
		}
	}},
	{"a rotation keeps an update that comes in between, and yields to a revocation", func(t *testing.T, st store.Store) {
		s := newService(t, st, config(newClock()))
		older, key := issue(t, s, request())
		newer, got := rotate(t, s.WithStore(interrupted(st, func() {
			_, err := s.Update(t.Context(), ref(key), apikey.Changes{Label: new("payroll")})
			require.NoError(t, err)
		})), key, apikey.Rotation{Hint: key.Hint})
		require.Equal(t, "payroll", got.Label)
		open(t, s, older)
		open(t, s, newer)

		_, key = issue(t, s, request())
		dead := s.WithStore(interrupted(st, func() {
			_, err := s.Revoke(t.Context(), ref(key), "")
			require.NoError(t, err)
		}))
		token, _, err := dead.Rotate(t.Context(), ref(key), apikey.Rotation{})
		require.ErrorIs(t, err, apikey.ErrNotActive)
		require.Empty(t, token.Reveal())
		require.Zero(t, kept(t, st, key).RotatedAt)
	}},
	{"a rotation that takes several tries shows the token that is kept", func(t *testing.T, st store.Store) {
		s := newService(t, st, config(newClock()))
		older, key := issue(t, s, request())
		newer, _ := rotate(t, s.WithStore(contended(st, 3)), key, apikey.Rotation{})
		open(t, s, older)
		open(t, s, newer)
	}},
}
